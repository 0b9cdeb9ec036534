"""Measuring results: metrics, baselines, the report."""
