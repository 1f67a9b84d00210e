"""Workers as processes of Slicer: which Python they run, how bytes move, and the two kinds of runs."""
