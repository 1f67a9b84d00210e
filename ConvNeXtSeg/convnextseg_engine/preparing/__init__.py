"""From a raw clinical study to one that a model can take: aligned channels, brain mask, checked expectations."""
