"""Those that are compared: each segments the same files with the same weights, in a process of its own."""
