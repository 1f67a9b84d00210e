"""A MedNeXt block as one autograd function: faster to train on a CPU, with equal gradients (docs/performance.md).

Stock PyTorch spends most of a CPU training step in the backward pass of the depthwise 3D convolution, for which oneDNN
has no fast kernel, and keeps the wide activations of every block. Here the depthwise gradients are expressed through
kernels that are fast, the norm is folded into the expansion, and the wide activations exist in chunks only and are
recomputed in the backward pass.
"""
