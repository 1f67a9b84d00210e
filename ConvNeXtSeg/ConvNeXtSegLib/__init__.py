"""The Slicer side of ConvNeXtSeg: all that touches slicer, qt, ctk, vtk or MRML. It never imports torch or monai."""
