"""Training: the embedded models' recipes (from scratch on rendered pairs)."""
