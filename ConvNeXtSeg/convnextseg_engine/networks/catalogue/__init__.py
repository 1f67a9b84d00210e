"""What is known about each architecture, one file each: its sizes, paper, limits and the licence of known weights."""
