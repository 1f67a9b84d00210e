"""nnU-Net's way to prepare images, versions 1 and 2, so that imported models see what they were trained on."""
