"""ConvNeXtSeg's engine, as the worker runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from convnextseg_engine.images.files import read_image, write_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions, settings_for
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.folder import ModelFolder


class Ours:
    """The engine with its default choices on the CPU, or, ``plain``, with PyTorch's fp32 as the yardstick.

    Args:
        model: The model's folder.
        plain: Take PyTorch in its default layout instead of what is fastest.
    """

    def __init__(self, model: ModelFolder, *, plain: bool = False):
        self._loaded = load(model, "cpu", plain=plain)
        backend = self._loaded.backend
        overlap = settings_for(SegmentOptions(), model.metadata).overlap
        self.does = f"ConvNeXtSeg, {backend.name}, {backend.precision}, overlap {overlap:g}"

    def network(self, windows: np.ndarray) -> None:
        """Run the network on windows ``(N, C, d, h, w)``."""
        for window in torch.from_numpy(windows).split(1):
            self._loaded.backend.logits(window, _never)

    def segment(self, files: dict[str, Path], output: Path) -> None:
        """Read, segment, write."""
        channels = {name: read_image(file) for name, file in files.items()}
        result = segment(Study(channels, next(iter(files))), self._loaded)
        write_image(result.grid.image(result.mask), output)


def _never() -> None:
    return None
