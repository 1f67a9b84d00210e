"""Applied motions are noticed and found again, the same way at every run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import RunCancelled
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.preparing.alignment import check_alignment
from convnextseg_engine.preparing.pyramid import at_spacing
from convnextseg_engine.preparing.registration import COARSE, register, spread_points
from convnextseg_engine.preparing.rigid import RigidTransform
from convnextseg_engine.progress import Reporter
from engine.preparing.head_phantom import brain_study, motion, moved

_AXIS = (0.4, -0.8, 0.45)
# Real images are read at this voxel size, so that a registration takes about a second.
_COARSE_MM = 2.0


@pytest.fixture(scope="module")
def study() -> Study:
    return brain_study()


def _around_the_patient(image: sitk.Image, movement: RigidTransform) -> RigidTransform:
    """The same turn around the middle of the patient instead of the origin of space."""
    centre = spread_points(image).mean(axis=0)
    offset = np.array(movement.offset) + centre - movement.rotation @ centre
    return RigidTransform(movement.matrix, tuple(offset.tolist()))


def _error(found: RigidTransform, applied: RigidTransform, image: sitk.Image) -> tuple[float, float]:
    """By how many mm (at the middle of the patient) and degrees ``found`` misses ``applied``."""
    points = spread_points(image)
    middle = points.mean(axis=0, keepdims=True)
    rest = applied.inverse().rotation @ found.rotation
    turned = RigidTransform(tuple(rest.ravel().tolist()))
    return float(np.linalg.norm(found.apply(middle) - applied.apply(middle))), turned.angle_deg


def _real(shared_data: Path, name: str) -> Study:
    folder, files = {
        "glioblastoma": ("brats2021/BraTS2021_01660", {"T1c": "t1ce", "T1": "t1", "T2": "t2", "FLAIR": "flair"}),
        "clinical": ("oblique/BraTS2021_01661-clinical", {"T1c": "t1ce", "T1": "t1", "T2": "t2", "FLAIR": "flair"}),
        "MS": ("ms/cross_patient07_mni", {"T1c": "t1ce", "T1": "t1", "T2": "t2", "FLAIR": "flair"}),
    }[name]
    read = {channel: read_image(shared_data / folder / f"{file}.nii.gz") for channel, file in files.items()}
    return Study({channel: at_spacing(image, _COARSE_MM) for channel, image in read.items()}, "T1c")


@pytest.mark.parametrize("name", ["T1", "T2", "FLAIR"])
def test_aligned_channels_are_not_suspected(study: Study, name: str) -> None:
    found = check_alignment(study.channels["T1c"], study.channels[name])
    assert found.aligned
    assert found.displacement_mm < 1.0
    assert found.overlap > 0.95


@pytest.mark.parametrize(("shift", "angle"), [((3.0, 0.0, 0.0), 0.0), ((0.0, -1.8, 2.4), 0.0), ((0.0, 0.0, 0.0), 3.0)])
def test_a_small_motion_is_noticed(study: Study, shift, angle: float) -> None:
    reference = study.channels["T1c"]
    away = moved(study, "T2", _around_the_patient(reference, motion(shift, _AXIS, angle)))
    found = check_alignment(reference, away.channels["T2"])
    assert not found.aligned
    assert found.shift_mm == pytest.approx(float(np.linalg.norm(shift)), abs=1.0)
    assert found.angle_deg == pytest.approx(angle, abs=1.0)
    assert found.gain > 0.01


@pytest.mark.parametrize("name", ["T1", "T2", "FLAIR"])
def test_an_applied_motion_is_found_within_a_millimetre_and_a_degree(study: Study, name: str) -> None:
    reference = study.channels["T1c"]
    applied = _around_the_patient(reference, motion((9.0, -8.0, 9.0), _AXIS, 14.0))
    found = register(reference, moved(study, name, applied).channels[name])
    mm, degrees = _error(found.transform, applied, reference)
    assert mm < 1.0
    assert degrees < 1.0
    assert found.information_after > found.information_before
    assert found.overlap_after > 0.95


def test_images_that_do_not_even_touch_are_brought_together(study: Study) -> None:
    reference = study.channels["T1c"]
    applied = motion((300.0, -150.0, 220.0), (0, 0, 1), 0.0)
    away = moved(study, "T2", applied)
    assert check_alignment(reference, away.channels["T2"]).overlap == 0.0
    found = register(reference, away.channels["T2"])
    assert _error(found.transform, applied, reference)[0] < 1.0


def test_it_finds_the_same_at_every_run(study: Study) -> None:
    away = moved(study, "FLAIR", motion((5.0, 2.0, -4.0), _AXIS, 6.0))
    first, second = (register(study.channels["T1c"], away.channels["FLAIR"]) for _ in range(2))
    assert first == second


def test_the_images_stay_as_they_are(study: Study) -> None:
    before = {name: (sitk.GetArrayFromImage(image), image.GetOrigin()) for name, image in study.channels.items()}
    register(study.channels["T1c"], study.channels["T2"], COARSE)
    for name, image in study.channels.items():
        np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), before[name][0])
        assert image.GetOrigin() == before[name][1]


def test_not_a_number_does_not_spread(study: Study) -> None:
    array = sitk.GetArrayFromImage(study.channels["T2"]).astype(np.float32)
    array[:3] = np.nan
    array[-1] = np.inf
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(study.channels["T2"])
    assert check_alignment(study.channels["T1c"], image).aligned


def test_an_empty_image_ends_in_no_movement(study: Study) -> None:
    empty = study.channels["T2"] * 0
    found = register(study.channels["T1c"], empty)
    assert found.transform == RigidTransform()
    assert found.information_after == 0.0


def test_cancel_ends_it(study: Study) -> None:
    reporter = Reporter()
    reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        register(study.channels["T1c"], study.channels["T2"], reporter=reporter)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["glioblastoma", "clinical", "MS"])
def test_real_aligned_studies_are_not_suspected_and_moved_ones_are(shared_data: Path, name: str) -> None:
    study = _real(shared_data, name)
    reference = study.channels["T1c"]
    for channel in ("T1", "T2", "FLAIR"):
        found = check_alignment(reference, study.channels[channel])
        assert found.aligned, (channel, found)
    for shift, angle in (((-2.0, 2.0, 1.0), 0.0), ((0.0, 0.0, 0.0), 3.0)):
        away = moved(study, "FLAIR", _around_the_patient(reference, motion(shift, _AXIS, angle)))
        assert not check_alignment(reference, away.channels["FLAIR"]).aligned


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "channel"), [("glioblastoma", "T2"), ("clinical", "FLAIR"), ("MS", "T1")])
def test_real_motion_is_found_within_a_millimetre_and_a_degree(shared_data: Path, name: str, channel: str) -> None:
    study = _real(shared_data, name)
    reference = study.channels["T1c"]
    applied = _around_the_patient(reference, motion((8.0, 9.0, -7.0), _AXIS, 13.0))
    found = register(reference, moved(study, channel, applied).channels[channel])
    mm, degrees = _error(found.transform, applied, reference)
    assert mm < 1.0
    assert degrees < 1.0


def test_the_result_is_made_of_numbers_that_json_has(study: Study) -> None:
    found = register(study.channels["T1c"], study.channels["T2"], COARSE)
    assert json.loads(json.dumps(found.transform.to_dict())) == found.transform.to_dict()
