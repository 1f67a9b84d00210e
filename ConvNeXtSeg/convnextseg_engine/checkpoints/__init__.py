"""Other programs' weights, read safely and turned into model folders. Nothing foreign is executed or evaluated."""
