"""Python requirements: what there is, what is missing, and installing it on a click."""
