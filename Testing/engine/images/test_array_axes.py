"""Networks of other programs: arrays with other axes than ours, and intensity steps as those programs have them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from monai.transforms.intensity.array import (
    NormalizeIntensity,
    ScaleIntensity,
    ScaleIntensityRange,
    ScaleIntensityRangePercentiles,
)

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.intensity import IntensityStep, intensity_steps
from convnextseg_engine.images.prepare import InputSpec, prepare, restore
from convnextseg_engine.images.resample import anatomical_grid, is_orientation
from convnextseg_engine.images.study import Study

ORIENTATIONS = [
    "".join(letters) for order in itertools.permutations(("LR", "PA", "SI")) for letters in itertools.product(*order)
]
_OUTWARD = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
OBLIQUE = Grid((20, 24, 28), (2.0, 1.5, 1.0), (-7.0, 4.0, 11.0), (0.96, 0.28, 0, -0.28, 0.96, 0, 0, 0, 1))


def test_there_are_48_orientations_and_no_others() -> None:
    assert len(set(ORIENTATIONS)) == 48 and all(map(is_orientation, ORIENTATIONS))
    assert not any(map(is_orientation, ("", "RA", "RAR", "RLS", "ras", "RASS", None, 3)))


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_array_indices_grow_towards_the_letters(axes: str) -> None:
    grid = anatomical_grid(OBLIQUE, (1.0, 2.0, 3.0), axes)
    columns = grid.ijk_to_lps[:3, :3]
    for axis, letter in zip((2, 1, 0), axes, strict=True):  # K, J, I are the array's D, H, W
        step = columns[:, axis]
        assert np.allclose(step / np.linalg.norm(step), _OUTWARD[letter])
        assert np.linalg.norm(step) == pytest.approx({"L": 1, "R": 1, "P": 2, "A": 2, "S": 3, "I": 3}[letter])
    ours = anatomical_grid(OBLIQUE, (1.0, 2.0, 3.0))
    np.testing.assert_allclose(grid.outer_box(), ours.outer_box(), atol=1e-9)


def _study() -> Study:
    rng = np.random.default_rng(4)
    array = np.zeros(OBLIQUE.shape, dtype=np.float32)
    array[4:-4, 3:-3, 5:-5] = sitk.GetArrayFromImage(
        sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(rng.random((20, 18, 10), dtype=np.float32)), 1.5)
    )
    return Study({"T1": OBLIQUE.image(array)}, "T1")


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SPL", "SAR", "IRA"])
def test_prepared_arrays_are_ours_turned_and_come_back_alike(axes: str) -> None:
    study = _study()
    ours = prepare(study, InputSpec(("T1",), (1.0, 1.0, 1.0)))
    turned = prepare(study, InputSpec(("T1",), (1.0, 1.0, 1.0), preparation={"scheme": "anatomical", "axes": axes}))
    order = ["SI", "PA", "LR"]
    positions = [next(i for i, pair in enumerate(order) if letter in pair) for letter in axes]
    expected = ours.array[0].transpose(positions)
    expected = expected[tuple(slice(None, None, 1 if letter in "SPL" else -1) for letter in axes)]
    np.testing.assert_allclose(turned.array[0], expected, atol=1e-5)
    for prepared in (ours, turned):
        back = restore(prepared.array[0], prepared.grid, OBLIQUE)
        np.testing.assert_allclose(back, restore(ours.array[0], ours.grid, OBLIQUE), atol=1e-4)


@pytest.mark.parametrize("axes", ["RA", "XYZ", 3, None])
def test_axes_that_are_none_are_refused(axes: object) -> None:
    with pytest.raises(InputError, match="axes"):
        prepare(_study(), InputSpec(("T1",), (1.0, 1.0, 1.0), preparation={"scheme": "anatomical", "axes": axes}))


STEPS = [
    (IntensityStep("zscore-nonzero"), NormalizeIntensity(nonzero=True)),
    (IntensityStep("zscore-image"), NormalizeIntensity()),
    (IntensityStep("range", (-50.0, 120.0), (0.0, 1.0), True), ScaleIntensityRange(-50, 120, 0.0, 1.0, clip=True)),
    (IntensityStep("range", (-50.0, 120.0), (-1.0, 1.0)), ScaleIntensityRange(-50, 120, -1.0, 1.0)),
    (
        IntensityStep("percentiles", (1.0, 99.0), (0.0, 1.0), True),
        ScaleIntensityRangePercentiles(1, 99, 0.0, 1.0, clip=True),
    ),
    (IntensityStep("percentiles", (0.0, 100.0), (0.0, 1.0)), ScaleIntensity(0.0, 1.0)),
]


@pytest.mark.parametrize(("step", "theirs"), STEPS)
def test_steps_equal_monais_transforms(step: IntensityStep, theirs: object) -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(30, 60, (9, 10, 11)).astype(np.float32)
    array[:3] = 0
    np.testing.assert_allclose(step.apply(array), np.asarray(theirs(array[None]))[0], atol=2e-5)


def test_steps_are_read_back_and_follow_each_other() -> None:
    steps = (STEPS[2][0], IntensityStep("zscore-nonzero"))
    assert intensity_steps("steps", [step.to_dict() for step in steps]) == steps
    study = _study()
    spec = InputSpec(
        ("T1",), (1.0, 1.0, 1.0), "steps",
        {"scheme": "anatomical", "intensity": [{"scheme": "range", "from": [0, 1], "to": [0, 100], "clip": False}]},
    )  # fmt: skip
    raw = InputSpec(("T1",), (1.0, 1.0, 1.0), "none")
    np.testing.assert_allclose(prepare(study, spec).array, 100 * prepare(study, raw).array, rtol=1e-5)


@pytest.mark.parametrize(
    ("intensity", "listed"),
    [
        ("guess", ()),
        ("steps", ()),
        ("steps", [{"scheme": "guess"}]),
        ("steps", ["none"]),
        ("steps", [{"scheme": "range", "from": [1, 0], "to": [0, 1], "clip": True}]),
        ("steps", [{"scheme": "range", "from": [0, 1], "to": [0, float("inf")]}]),
        ("steps", [{"scheme": "percentiles", "from": [-1, 101], "to": [0, 1], "clip": True}]),
    ],
)
def test_unknown_steps_are_refused(intensity: str, listed: object) -> None:
    with pytest.raises(InputError, match="intensity scheme"):
        intensity_steps(intensity, listed)


@pytest.mark.parametrize("step", [step for step, _ in STEPS])
def test_a_constant_image_gives_numbers(step: IntensityStep) -> None:
    assert np.isfinite(step.apply(np.full((3, 3, 3), 7.0, dtype=np.float32))).all()
