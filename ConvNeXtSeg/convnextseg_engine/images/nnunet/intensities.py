"""nnU-Net's intensity schemes; both versions differ in their last digits and outside the non-zero region."""

from __future__ import annotations

import numpy as np

from ...errors import InputError
from .preparation import IntensityRule

_LEAST = 1e-8  # keeps a constant channel from being divided by 0


def normalise_v2(image: np.ndarray, rule: IntensityRule, nonzero: np.ndarray) -> None:
    """Normalise one channel in place, as nnU-Net v2.

    Args:
        image: float32, shape ``(D, H, W)``.
        rule: The channel's scheme.
        nonzero: Boolean, where any channel is not 0, holes filled; voxels outside keep their value if ``rule.masked``.

    Raises:
        InputError: If the scheme is for colours and the image is none.
    """
    if rule.scheme == "ct":
        np.clip(image, rule.low, rule.high, out=image)
        image -= rule.mean
        image /= max(rule.deviation, _LEAST)
    elif rule.scheme == "zscore":
        place = nonzero if rule.masked else ...
        values = image[place]
        image[place] = (values - values.mean()) / max(values.std(), _LEAST)
    elif rule.scheme == "rescale-0-1":
        image -= image.min()
        image /= max(image.max(), _LEAST)
    elif rule.scheme == "colour-0-1":
        if image.min() < 0 or image.max() > 255:
            raise InputError(
                "The model takes colour images, and this is none.",
                reason=f"Its values reach from {image.min():g} to {image.max():g}; colours lie between 0 and 255.",
                remedy="Choose a colour image's red, green and blue, or another model.", code="no-colour",
            )  # fmt: skip
        image /= 255.0


def normalise_v1(image: np.ndarray, rule: IntensityRule, nonzero: np.ndarray) -> None:
    """Normalise one channel in place, as nnU-Net v1: like v2, but voxels outside a mask become 0.

    Args:
        image: float32, shape ``(D, H, W)``, resampled already.
        rule: The channel's scheme.
        nonzero: Boolean, the non-zero region, resampled.
    """
    if rule.scheme == "zscore":
        place = nonzero if rule.masked else ...
        values = image[place]
        image[place] = (values - values.mean()) / (values.std() + _LEAST)
    elif rule.scheme == "ct":
        np.clip(image, rule.low, rule.high, out=image)
        image[...] = (image - rule.mean) / rule.deviation
    elif rule.scheme == "ct-own-statistics":
        within = (image > rule.low) & (image < rule.high)
        np.clip(image, rule.low, rule.high, out=image)
        values = image[within] if within.any() else image
        image[...] = (image - values.mean()) / max(values.std(), _LEAST)
    if rule.masked and rule.scheme != "none":
        image[~nonzero] = 0
