"""Synthetic studies with a known truth."""
