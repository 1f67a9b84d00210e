"""The gate: whether a fine-tuned candidate may replace the current version, with honest statistics."""
