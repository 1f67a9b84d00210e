"""Labels: the contract, regions, checking a mask, label files and case sets."""
