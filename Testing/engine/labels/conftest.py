"""Fixtures of the label tests: the brain tumour contract and an oblique grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.contract import LabelContract
from standins.scene_fixtures import mrml, scene

__all__ = ["mrml", "scene"]


@pytest.fixture(scope="session")
def contract(repository: Path) -> LabelContract:
    """Edema 2, core 1, enhancing 4; regions whole tumour, tumour core, enhancing tumour."""
    return LabelContract.read(repository / "ConvNeXtSeg/convnextseg_engine/data/contracts/brain-tumour.json")


@pytest.fixture(scope="session")
def grid() -> Grid:
    """A tilted, anisotropic grid of 9 × 8 × 7 voxels."""
    return Grid((9, 8, 7), (0.9, 1.1, 2.5), (10.0, -20.0, 30.0), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))


@pytest.fixture
def mask(grid: Grid) -> np.ndarray:
    """A mask with all labels, different along every axis."""
    mask = np.zeros(grid.shape, np.uint8)
    mask[1:5, 2:7, 1:6] = 2
    mask[2:4, 3:6, 2:4] = 1
    mask[2, 4, 4:6] = 4
    return mask
