"""Rendered parts and defects, the pictures the embedded models learn from. Importing this package
loads no renderer.
"""
