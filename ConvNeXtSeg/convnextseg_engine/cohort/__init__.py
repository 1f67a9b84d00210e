"""Many studies by one command: listed, segmented one after the other or on a cluster, resumable, one table."""
