"""Painting: a plan's masks and prompts become pixels."""
