"""What ships with the engine: models, label contracts and recipes."""
