"""A model that is quick enough for tests, and studies whose truth follows from a formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

import convnextseg_engine
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.inference.device import Device
from convnextseg_engine.inference.loaded import LoadedModel
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.networks.registry import build

CONTRACT = Path(convnextseg_engine.__file__).parent / "data" / "contracts" / "brain-tumour.json"
CHANNELS = ("T1", "T1c", "T2", "FLAIR")


def tiny_metadata(name: str = "tiny") -> Metadata:
    return Metadata(
        name=name,
        version="v1",
        title="A random network",
        intended_use="For tests only. Not for clinical use.",
        network={"name": "mednext", "size": "S", "kernel": 3, "width": 4},
        channels=CHANNELS,
        spacing=(2.0, 2.0, 2.0),
        patch=(32, 32, 32),
        skull_stripped=True,
        licence="CC0-1.0",
        created="2026-01-01T00:00:00+00:00",
    )


def write_tiny_model(folder: Path, name: str = "tiny") -> ModelFolder:
    """Write a MedNeXt of width 4 with random weights that marks about half of the voxels."""
    metadata = tiny_metadata(name)
    contract = LabelContract.read(CONTRACT)
    torch.manual_seed(7)
    network = build(metadata.network, len(metadata.channels), len(contract.regions))
    return ModelFolder.write(folder, metadata, contract, network.state_dict(), "# A random network\n")


class FormulaBackend:
    """A backend whose logits are a known function of each voxel, ``(N, C, …) -> (N, R, …)``."""

    name = "torch"
    precision = "fp32"
    max_window_batch = None
    fixed_patch = None
    holds_memory = False

    def __init__(self, formula: Callable[[torch.Tensor], torch.Tensor], device: str = "cpu"):
        self.device = device
        self.windows: list[int] = []
        self._formula = formula

    def release(self) -> None:
        self.released = True

    def logits(self, windows: torch.Tensor, check: Callable[[], None]) -> torch.Tensor:
        check()
        self.windows.append(len(windows))
        return self._formula(windows)


def thresholds(channel: int, *levels: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Regions where ``channel`` exceeds each of ``levels`` (in deviations above the foreground's mean), sharply."""

    def formula(windows: torch.Tensor) -> torch.Tensor:
        return torch.stack([(windows[:, channel] - level) * 50 for level in levels], dim=1)

    return formula


def loaded_with(model: ModelFolder, backend: FormulaBackend, spacing: float = 1.0) -> LoadedModel:
    """Return ``model`` as if ``backend`` had loaded it, at ``spacing`` mm."""
    metadata = replace(model.metadata, spacing=(spacing,) * 3)
    return LoadedModel(
        replace(model, metadata=metadata), Device(backend.device, "for a test"), (backend,), "for a test", 0.0
    )


def rotation(degrees_x: float, degrees_y: float, degrees_z: float) -> tuple[float, ...]:
    transform = sitk.Euler3DTransform((0, 0, 0), *np.deg2rad([degrees_x, degrees_y, degrees_z]))
    return transform.GetMatrix()


def positions(grid: Grid) -> np.ndarray:
    """LPS position of every voxel, shape (D, H, W, 3)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    index = np.stack([i, j, k], axis=-1).astype(float)
    return index @ grid.ijk_to_lps[:3, :3].T + grid.ijk_to_lps[:3, 3]


def ball(grid: Grid, center: tuple[float, float, float], radius: float) -> np.ndarray:
    return np.linalg.norm(positions(grid) - np.array(center), axis=-1) <= radius


def head(grid: Grid, center: tuple[float, float, float], radius: float, brightness: float) -> sitk.Image:
    """A ball of tissue (40 mm around the origin) with a brighter ball in it, sampled on ``grid``."""
    image = np.where(ball(grid, (0, 0, 0), 40), 100, 0).astype(np.int16)
    image[ball(grid, center, radius)] = brightness
    return grid.image(image)


def centroid(mask: np.ndarray, grid: Grid) -> np.ndarray:
    return positions(grid)[mask].mean(axis=0)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))
