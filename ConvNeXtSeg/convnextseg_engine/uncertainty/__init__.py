"""How sure a segmentation is: where, for which label, in which slices; and whether its probabilities are right."""
