"""Model folders that a person can read, and the store of their versions."""
