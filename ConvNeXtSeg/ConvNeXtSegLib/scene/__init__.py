"""Between the MRML scene and the engine: volumes out, segmentations in, corrected segments out again."""
