"""Rigid registration of one channel to the reference by mutual information.

Mattes et al. 2003 (doi:10.1109/TMI.2003.809072) as SimpleITK has it, coarse to fine, with seeded sampling and one
thread: ITK adds up the threads' derivatives in the order in which they finish, so more threads would give another last
digit at each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..progress import Reporter
from .pyramid import Level, finite, level
from .rigid import RigidTransform

_BINS = 32
_SEED = 20210
_MOST_STEPS = 150
# A radian moves a point of the brain by about 50 mm; the optimiser weighs squares.
_ROTATION_SCALE = 50.0**2
# Voxel size in mm, samples (0: all within the mask), first and last step in mm. More samples or levels changed the
# result by less than 0.1 mm on the pairs of docs/prepare.md.
_STAGES = ((4.0, 20_000, 2.0, 0.01), (2.0, 60_000, 1.0, 0.01), (1.5, 60_000, 0.5, 0.005))
COARSE, FINE, FINEST = range(1, 4)
# With less of the patient in common than this, the images are first laid over one another by their centres of mass.
_LITTLE_OVERLAP = 0.6


@dataclass(frozen=True)
class Registration:
    """What was found for one channel.

    Attributes:
        transform: From the reference's space to the channel's.
        shift_mm: By how much the middle of the patient moves.
        angle_deg: By how much the patient turns.
        displacement_mm: By how much places in the patient move on average, shift and turn together.
        information_before: Mutual information (nats) as the images lay.
        information_after: The same after the movement.
        overlap_before: Part of the smaller foreground that lay in the other one, 0 to 1.
        overlap_after: The same after the movement.
    """

    transform: RigidTransform
    shift_mm: float
    angle_deg: float
    displacement_mm: float
    information_before: float
    information_after: float
    overlap_before: float
    overlap_after: float

    @property
    def gain(self) -> float:
        """By which part the mutual information rose, 0.05 for 5 %."""
        return self.information_after / max(self.information_before, 1e-6) - 1.0


def register(
    fixed: sitk.Image, moving: sitk.Image, stages: int = FINEST, reporter: Reporter | None = None
) -> Registration:
    """Find the rigid movement that lays ``moving`` over ``fixed``; neither is changed.

    Args:
        fixed: The reference channel.
        moving: Another channel of the same patient.
        stages: How fine: ``COARSE`` (4 mm), ``FINE`` (2 mm) or ``FINEST`` (1.5 mm).
        reporter: Can cancel, also between two steps of the optimiser.
    """
    with _one_thread():
        return _register(finite(fixed), finite(moving), stages, reporter or Reporter())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let ITK use one thread; the method's own SetNumberOfThreads does not reach its metric."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _register(fixed: sitk.Image, moving: sitk.Image, stages: int, reporter: Reporter) -> Registration:
    transform = RigidTransform()
    for number, (spacing_mm, samples, first_mm, last_mm) in enumerate(_STAGES[:stages]):
        reporter.check()
        images = level(fixed, moving, spacing_mm)
        if number == 0:
            before = images
            transform = _first(images, samples, first_mm, last_mm, reporter)
        else:
            transform = _optimised(images, transform, samples, first_mm, last_mm, reporter)
    after = level(fixed, transform.brought_back(moving), _STAGES[0][0])
    return Registration(
        transform=transform,
        shift_mm=transform.shift_mm(before.points),
        angle_deg=transform.angle_deg,
        displacement_mm=transform.displacement_mm(before.points),
        information_before=information(before, RigidTransform()),
        information_after=information(before, transform),
        overlap_before=before.overlap,
        overlap_after=after.overlap,
    )


def information(images: Level, transform: RigidTransform) -> float:
    """Return the mutual information in nats; 0 where the images do not meet or one of them is constant."""
    method = _method(images, 0)
    method.SetInitialTransform(_euler(transform, images))
    try:
        return max(0.0, -float(method.MetricEvaluate(images.fixed, images.moving)))
    except RuntimeError:  # no sample of one falls into the other
        return 0.0


def _first(images: Level, samples: int, first_mm: float, last_mm: float, reporter: Reporter) -> RigidTransform:
    """The best of the starts that make sense: as the images lie and, if they hardly meet, centre upon centre."""
    starts = [RigidTransform()]
    if images.overlap < _LITTLE_OVERLAP:
        starts.append(RigidTransform(offset=tuple(images.moving_points.mean(axis=0) - images.points.mean(axis=0))))
    found = [_optimised(images, start, samples, first_mm, last_mm, reporter) for start in starts]
    return max(found, key=lambda transform: information(images, transform))


def _optimised(
    images: Level, start: RigidTransform, samples: int, first_mm: float, last_mm: float, reporter: Reporter
) -> RigidTransform:
    method = _method(images, samples)
    method.SetOptimizerAsRegularStepGradientDescent(
        first_mm, last_mm, _MOST_STEPS, relaxationFactor=0.7, gradientMagnitudeTolerance=1e-8
    )
    method.SetOptimizerScales([_ROTATION_SCALE] * 3 + [1.0] * 3)
    method.SetInitialTransform(_euler(start, images), inPlace=False)
    method.AddCommand(sitk.sitkIterationEvent, lambda: method.StopRegistration() if _cancelled(reporter) else None)
    try:
        found = RigidTransform.from_itk(method.Execute(images.fixed, images.moving))
    except RuntimeError:  # nothing to compare: the images do not meet, or one of them shows nothing
        found = start
    reporter.check()
    return found


def _cancelled(reporter: Reporter) -> bool:
    return reporter.cancelled.is_set()


def _method(images: Level, samples: int) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricFixedMask(images.mask)
    voxels = images.fixed.GetNumberOfPixels()
    if 0 < samples < voxels:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(samples / voxels, _SEED)
    else:
        method.SetMetricSamplingStrategy(method.NONE)
    return method


def _euler(transform: RigidTransform, images: Level) -> sitk.Euler3DTransform:
    """The same movement as ITK's transform that turns around the middle of the patient."""
    centre = images.points.mean(axis=0)
    result = sitk.Euler3DTransform()
    result.SetCenter(centre.tolist())
    result.SetMatrix(transform.matrix, 1e-6)
    result.SetTranslation((transform.apply(centre[None])[0] - centre).tolist())
    return result


def spread_points(image: sitk.Image) -> np.ndarray:
    """Return places in the patient, shape ``(N, 3)`` in LPS mm, over which movements are averaged."""
    clean = finite(image)
    return level(clean, clean, _STAGES[0][0]).points
