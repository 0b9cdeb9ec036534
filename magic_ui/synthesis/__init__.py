"""Bulk jobs: thousands of results, on one machine or on a cluster."""
