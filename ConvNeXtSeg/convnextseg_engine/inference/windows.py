"""Sliding a window over the whole input and blending what the network says.

Neighbouring windows overlap by half and are weighted by a Gaussian, because a network is less sure near the border of
its input (Isensee et al., nnU-Net, Nature Methods 2021, doi:10.1038/s41592-020-01008-z, has the same step and weight).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from monai.data.utils import dense_patch_slices
from monai.inferers.utils import sliding_window_inference

from ..errors import ConvNeXtSegError
from ..progress import Reporter

OVERLAP = 0.5
_SIGMA = 0.125  # of the patch's extent, as in nnU-Net


class Backend(Protocol):
    """Something that runs a network; see ``torch_backend.py`` and ``openvino_backend.py``.

    Attributes:
        name: ``"torch"`` or ``"openvino"``.
        device: Where it runs.
        precision: What it computes in, for example ``"fp32"``.
        max_window_batch: The most windows at a time, or None.
    """

    name: str
    device: str
    precision: str
    max_window_batch: int | None

    def logits(self, windows: torch.Tensor, check: Callable[[], None]) -> torch.Tensor:
        """Map windows ``(N, C, D, H, W)`` to logits ``(N, R, D, H, W)``, calling ``check`` at least once a second."""
        ...


def window_count(shape: tuple[int, int, int], patch: tuple[int, int, int]) -> int:
    """Return how many windows cover an input of ``shape`` (D, H, W); inputs below the patch are padded to it."""
    padded = tuple(max(n, p) for n, p in zip(shape, patch, strict=True))
    interval = tuple(p if n == p else max(1, int(p * (1 - OVERLAP))) for n, p in zip(padded, patch, strict=True))
    return len(dense_patch_slices(padded, patch, interval, return_slice=False))


def region_probabilities(
    array: np.ndarray, backend: Backend, patch: tuple[int, int, int], window_batch: int, reporter: Reporter
) -> np.ndarray:
    """Return what the network says about every voxel.

    Args:
        array: Prepared input, float32, shape ``(C, D, H, W)``; voxels beyond its border count as 0 (background).
        backend: Gives logits for windows.
        patch: Extent of a window, D, H, W.
        window_batch: Windows at a time.
        reporter: Hears of every window, and can cancel between and within windows.

    Returns:
        Probabilities in 0..1, float32, shape ``(R, D, H, W)``, in the order of the model's regions.

    Raises:
        RunCancelled: If the user cancelled.
        ConvNeXtSegError: If the network's output is not a number somewhere.
    """
    total = window_count(array.shape[1:], patch)
    done = 0

    def predict(windows: torch.Tensor) -> torch.Tensor:
        nonlocal done
        logits = backend.logits(windows, reporter.check)
        done += len(windows)
        reporter.progress("predict", done / total, f"window {done} of {total}")
        return logits

    reporter.progress("predict", 0.0, f"{total} windows")
    with torch.inference_mode():
        blended = sliding_window_inference(
            torch.from_numpy(np.ascontiguousarray(array))[None], patch, window_batch, predict,
            overlap=OVERLAP, mode="gaussian", sigma_scale=_SIGMA, padding_mode="constant", cval=0.0,
        )  # fmt: skip
        probabilities = torch.sigmoid_(blended[0]).numpy()
    if done != total:
        raise RuntimeError(f"{done} of {total} windows were computed")
    if not np.isfinite(probabilities).all():
        raise ConvNeXtSegError(
            "The model's output is not a number in some places, so there is no trustworthy mask.",
            reason="Its weights are damaged, or the images hold extreme values.",
            remedy="Check the images for wrong intensities, or choose another version of the model.",
            code="bad-output",
        )
    return probabilities
