"""Training samples: prepared cases, and patches drawn from them.

Every sample depends only on the seed and the step, so a run that is resumed sees what it would have seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK as sitk
import torch

from ..images.grid import Grid
from ..images.prepare import InputSpec, prepare
from ..images.resample import resample
from ..images.study import Study
from ..labels.contract import LabelContract
from ..labels.regions import regions_of
from .augment import Augmenter
from .ranks import Ranks
from .recipe import Recipe

# A sample is cut this much larger than the patch, so that rotating and scaling bring in tissue rather than zeros.
_CUT_FACTOR = 1.25
_POINTS_PER_REGION = 4096


@dataclass(frozen=True)
class TrainingCase:
    """A case as the network sees it.

    Attributes:
        image: Shape ``(C, D, H, W)``, float32, normalised, on the network's grid.
        regions: Shape ``(R, D, H, W)``, boolean, on the same grid.
        centres: For each region, up to 4096 voxel positions ``(n, 3)`` inside it; the last entry is the foreground.
    """

    image: np.ndarray
    regions: np.ndarray
    centres: tuple[np.ndarray, ...]


def training_case(study: Study, mask: np.ndarray, contract: LabelContract, spec: InputSpec) -> TrainingCase:
    """Prepare a study and its truth for training.

    Args:
        study: Channels; their reference grid is the mask's grid.
        mask: Labels by the contract's values, shape ``(D, H, W)`` on the reference grid.
        contract: The label contract.
        spec: What the network expects.
    """
    prepared = prepare(study, spec)
    grid = study.reference_grid
    regions = np.stack([
        _on_grid(region, grid, prepared.grid) for region in regions_of(mask, contract)
    ])  # fmt: skip
    rng = np.random.default_rng(0)
    centres = [_some_points(region, rng) for region in regions]
    centres.append(_some_points(np.any(prepared.array != 0, axis=0), rng))
    return TrainingCase(prepared.array, regions, tuple(centres))


def _on_grid(region: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    fraction = sitk.GetArrayFromImage(resample(source.image(region.astype(np.float32)), target))
    return fraction >= 0.5


def _some_points(inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    points = np.argwhere(inside)
    if len(points) > _POINTS_PER_REGION:
        points = points[rng.choice(len(points), _POINTS_PER_REGION, replace=False)]
    return points


class PatchSource:
    """Draws batches of augmented patches from real and synthetic cases.

    Args:
        cases: Prepared real cases; may be empty if ``synthetic`` is given.
        recipe: The recipe.
        patch: Extent of a patch along D, H, W, in voxels.
        synthetic: Returns the prepared synthetic case of a number ``0 … synthetic_cases - 1``.
        ranks: The processes that train together; each draws its own samples. Two processes see in a step what one sees
            that accumulates two batches.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        recipe: Recipe,
        patch: tuple[int, int, int],
        synthetic: Callable[[int], TrainingCase] | None = None,
        ranks: Ranks | None = None,
    ):
        self._cases = list(cases)
        self._recipe = recipe
        self._patch = patch
        self._ranks = ranks or Ranks()
        self._synthetic = lru_cache(maxsize=None)(synthetic) if synthetic and recipe.synthetic_fraction > 0 else None
        self._augmenter = Augmenter(recipe.augmentation, patch)
        self._cut = tuple(int(np.ceil(n * _CUT_FACTOR)) if n > 1 else 1 for n in patch)

    def batch(self, step: int, part: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images ``(N, C, D, H, W)`` and regions ``(N, R, D, H, W)``, float32.

        Args:
            step: The step, from 0.
            part: Which of the batches that are accumulated in this step.
        """
        size = self._recipe.batch_size
        before = (part * self._ranks.world + self._ranks.rank) * size
        samples = [self._sample(step, before + index) for index in range(size)]
        images, regions = zip(*samples, strict=True)
        return torch.stack(images), torch.stack(regions)

    def prefetched(self, first_step: int, last_step: int) -> Iterator[tuple[int, tuple[torch.Tensor, torch.Tensor]]]:
        """Yield ``(step, batch)`` for ``first_step … last_step``, as many for each step as the recipe accumulates.

        The next batch is made meanwhile in a thread.
        """
        waiting: tuple[int, Future] | None = None
        # A thread, not a process: inside Slicer sys.executable is a launcher and multiprocessing hangs.
        with ThreadPoolExecutor(max_workers=1) as pool:
            for step, part in itertools.product(range(first_step, last_step + 1), range(self._recipe.accumulate)):
                following = step, pool.submit(self.batch, step, part)
                if waiting:
                    yield waiting[0], waiting[1].result()
                waiting = following
            if waiting:
                yield waiting[0], waiting[1].result()

    def _sample(self, step: int, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self._recipe.seed, step, index])
        case = self._choose(rng)
        position = self._centre(case, rng)
        image = _cut(case.image, position, self._cut)
        regions = _cut(case.regions, position, self._cut)
        return self._augmenter(image, regions, rng)

    def _choose(self, rng: np.random.Generator) -> TrainingCase:
        if self._synthetic and (not self._cases or rng.random() < self._recipe.synthetic_fraction):
            return self._synthetic(int(rng.integers(self._recipe.synthetic_cases)))
        return self._cases[int(rng.integers(len(self._cases)))]

    def _centre(self, case: TrainingCase, rng: np.random.Generator) -> np.ndarray:
        points = case.centres[-1]
        if rng.random() < self._recipe.foreground_fraction:
            filled = [centres for centres in case.centres[:-1] if len(centres)]
            if filled:
                points = filled[int(rng.integers(len(filled)))]
        return points[int(rng.integers(len(points)))]


def _cut(array: np.ndarray, position: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return the part of ``array`` ``(C, D, H, W)`` of extent ``size`` around ``position``, zero beyond the border."""
    result = np.zeros((array.shape[0], *size), dtype=array.dtype)
    source, target = [slice(None)], [slice(None)]
    for centre, extent, available in zip(position, size, array.shape[1:], strict=True):
        start = int(centre) - extent // 2
        low, high = max(start, 0), min(start + extent, available)
        source.append(slice(low, high))
        target.append(slice(low - start, high - start))
    result[tuple(target)] = array[tuple(source)]
    return result
