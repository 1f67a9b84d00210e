"""Labels that foreign models name, with their terminology codes.

Names differ between packages; the code says what a label is. A name that is not known here gets a code of our own that
is made from the name, because a general code such as “tissue” is what Slicer gives to every new segment.
"""

from __future__ import annotations

import colorsys
import hashlib
import re

from .contract import Code, Label

OWN_SCHEME = "99CONVNEXTSEG"  # DICOM keeps names that begin with 99 for private coding schemes

_ALTERED = Code("SCT", "49755003", "Morphologically Altered Structure")
_ANATOMICAL = Code("SCT", "123037004", "Anatomical Structure")
_BRAIN = Code("SCT", "12738006", "Brain")

_EDEMA = (_ALTERED, Code("SCT", "79654002", "Edema"), _BRAIN, (0.55, 0.88, 0.58))
_NECROSIS = (_ALTERED, Code("SCT", "6574001", "Necrosis"), _BRAIN, (0.85, 0.39, 0.31))
_ENHANCING = (_ALTERED, Code("NCIt", "C113842", "Enhancing Lesion"), _BRAIN, (0.96, 0.84, 0.2))
_NEOPLASM = (_ALTERED, Code("SCT", "108369006", "Neoplasm"), None, (0.56, 0.93, 0.56))
_WHOLE = (_ANATOMICAL, _BRAIN, None, (0.98, 0.98, 0.88))

# Spellings as in BraTS releases and their descendants; "tumor" is read as "tumour".
_NAMES = {
    "edema": _EDEMA,
    "oedema": _EDEMA,
    "ed": _EDEMA,
    "peritumoral edema": _EDEMA,
    "peritumoural oedema": _EDEMA,
    "snfh": _EDEMA,
    "core": _NECROSIS,
    "necrosis": _NECROSIS,
    "necrotic": _NECROSIS,
    "necrotic core": _NECROSIS,
    "necrotic tumour core": _NECROSIS,
    "ncr": _NECROSIS,
    "netc": _NECROSIS,
    "ncr/net": _NECROSIS,
    "non enhancing tumour core": _NECROSIS,
    "enhancing": _ENHANCING,
    "enhancing tumour": _ENHANCING,
    "enhancing lesion": _ENHANCING,
    "gd enhancing tumour": _ENHANCING,
    "et": _ENHANCING,
    "tumour": _NEOPLASM,
    "whole tumour": _NEOPLASM,
    "neoplasm": _NEOPLASM,
    "brain": _WHOLE,
}

# The regions of BraTS by definition (Menze et al. 2015, IEEE TMI 34:1993), as unions of our labels.
_REGIONS = {
    "whole tumour": ("edema", "core", "enhancing"),
    "wt": ("edema", "core", "enhancing"),
    "tumour core": ("core", "enhancing"),
    "tc": ("core", "enhancing"),
    "enhancing tumour": ("enhancing",),
    "et": ("enhancing",),
}


def label_named(name: str, value: int) -> Label:
    """Return the label with the terminology that its name stands for, or with a code of our own made from the name.

    Args:
        name: As the source has it; it is kept.
        value: Integer in masks, 1..255.
    """
    known = _NAMES.get(_plain(name))
    if known:
        category, type_, anatomy, color = known
        return Label(name, value, category, type_, anatomy, color)
    # Hues by the golden ratio: neighbours in the list are far apart on the colour wheel.
    color = colorsys.hsv_to_rgb(value * 0.618034 % 1.0, 0.6, 0.9)
    return Label(name, value, _ALTERED, Code(OWN_SCHEME, _own_code(name), name), None, color)


def has_known_code(label: Label) -> bool:
    """Say whether the label's code is from a public terminology."""
    return label.type.scheme != OWN_SCHEME


def labels_of_region(name: str) -> tuple[str, ...] | None:
    """Return the labels (``edema``, ``core``, ``enhancing``) that a BraTS region of this name unites, or None."""
    return _REGIONS.get(_plain(name))


def _plain(name: str) -> str:
    text = re.sub(r"[\s_\-]+", " ", name.strip().casefold())
    return re.sub(r"\btumors?\b", "tumour", text)


def _own_code(name: str) -> str:
    """Return at most 16 characters, DICOM's limit for a code value, that differ where names differ."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    if 0 < len(slug) <= 16 and slug.replace("-", " ") == _plain(name):
        return slug
    return f"{slug[:8]}-{hashlib.sha256(_plain(name).encode()).hexdigest()[:7]}"
