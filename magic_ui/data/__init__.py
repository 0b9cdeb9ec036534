"""Datasets of defects: reading DS-MVTec and MVTec AD, and writing results in their layouts."""
