"""What an image can be."""

from __future__ import annotations

# Kind to what a person calls it. T1c is T1-weighted after a contrast agent.
KINDS = {
    "T1": "T1 without contrast agent",
    "T1c": "T1 with contrast agent",
    "T2": "T2",
    "FLAIR": "FLAIR",
    "PD": "proton density",
    "T2star": "T2*",
    "SWI": "susceptibility-weighted",
    "DWI": "diffusion-weighted",
    "b0": "diffusion without weighting (b = 0)",
    "ADC": "apparent diffusion coefficient",
    "eADC": "exponential diffusion coefficient",
    "FA": "fractional anisotropy",
    "map": "a map of a tissue constant",
    "perfusion": "perfusion",
    "ASL": "arterial spin labelling",
    "fMRI": "functional MR",
    "MRA": "MR angiography",
    "STIR": "STIR",
    "DIR": "double inversion recovery",
    "PSIR": "phase-sensitive inversion recovery",
    "bSSFP": "balanced steady state (CISS, FIESTA, TrueFISP)",
    "CT": "CT",
    "CTA": "CT angiography",
    "PET": "PET",
}

# What is no channel of any model, and why.
NO_CHANNEL = {
    "label": "it is a segmentation or mask",
    "locator": "it is a localizer or a scan made for setting up others",
    "report": "it is a report or a picture of the screen",
    "derived": "it is computed from other images (projection, subtraction, fusion)",
    "phase": "it shows the phase of the signal",
    "spectroscopy": "it is spectroscopy",
}

# A kind whose presence explains the others, because its names contain theirs: “T2 FLAIR” is FLAIR.
EXPLAINS = {
    "FLAIR": {"T2"},
    "T2star": {"T2"},
    "STIR": {"T2"},
    "DIR": {"T2"},
    "bSSFP": {"T2"},
    "PSIR": {"T1"},
    "SWI": {"T2star", "T2", "fMRI"},
    "b0": {"DWI"},
    "ADC": {"DWI", "map", "b0"},
    "eADC": {"ADC", "DWI", "map", "b0"},
    "FA": {"DWI", "map"},
    "map": {"T1", "T2", "T2star", "PD"},
    "perfusion": {"T1", "T2", "T2star", "map", "CT"},
    "ASL": {"perfusion", "map"},
    "fMRI": {"T2star"},
    "CTA": {"CT", "MRA"},
}
