"""Which sequence an image is, by its DICOM header and its names, with the reason; and which channel it serves.

Pure Python: the Slicer side imports this room.
"""
