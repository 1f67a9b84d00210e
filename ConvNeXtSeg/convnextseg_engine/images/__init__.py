"""Images: reading, writing, grids, and preparing a study for a network."""
