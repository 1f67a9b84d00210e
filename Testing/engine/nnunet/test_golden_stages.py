"""Every stage against nnU-Net's own numbers, versions 1 and 2: see ``shared/golden/README.md``, sections E, F and H.

The fixtures were made on another processor, whose convolutions round the last digits of float32 differently: nnU-Net v2
itself differs from them there by as much as we do (``test_beside_nnunetv2.py`` shows equality on one machine). In half
precision that is one unit in the last place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.checkpoints import nnunet_v1, nnunet_v2
from convnextseg_engine.checkpoints.answers import ImportAnswers
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.nnunet.intensities import normalise_v2
from convnextseg_engine.images.nnunet.preparation import IntensityRule, ResamplingRule
from convnextseg_engine.images.nnunet.resampling import coarse_axis, resample
from convnextseg_engine.images.prepare import prepare
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.inference.windows import WindowOptions, predict
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.progress import Reporter

pytestmark = pytest.mark.real_data

V1_LABELS = (("edema", 2), ("core", 1))


@dataclass(frozen=True)
class Golden:
    """One fixture: the imported model, its study, and nnU-Net's numbers."""

    folder: Path
    model: ModelFolder
    study: Study
    stages: dict[str, np.ndarray]

    def expected(self, view: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Labels on the whole grid, and what ``case.npz`` holds under ``name``, as float32."""
        folder = self.folder / f"expected_{view}"
        labels = sitk.GetArrayFromImage(read_image(folder / "case.nii.gz"))
        return labels, np.load(folder / "case.npz")[name].astype(np.float32)


def golden(folder: Path, inputs: Path, imported, place: Path) -> Golden:
    model = imported.write(place / "model", "golden")
    images = {name: read_image(inputs / f"case_{number:04d}.nii.gz") for number, name in enumerate(imported.channels)}
    return Golden(folder, model, Study(images, imported.channels[0]), dict(np.load(folder / "stages.npz")))


@pytest.fixture(params=["plain", "resenc"])
def v2(request: pytest.FixtureRequest, shared: Path, tmp_path: Path) -> Golden:
    folder = shared / "golden" / "nnunetv2" / request.param
    return golden(folder, folder.parent / "input", nnunet_v2.read(folder, ImportAnswers(licence="unknown")), tmp_path)


@pytest.fixture
def v1(shared: Path, tmp_path: Path) -> Golden:
    folder = shared / "golden" / "nnunetv1"
    imported = nnunet_v1.read(folder, ImportAnswers(licence="unknown", labels=V1_LABELS))
    return golden(folder, folder / "input", imported, tmp_path)


def outputs(case: Golden, arithmetic: str, *, mirror: bool) -> np.ndarray:
    options = WindowOptions(
        case.model.metadata.patch, case.model.contract.network_outputs, arithmetic=arithmetic,
        mirror_axes=(0, 1, 2) if mirror else (),
    )  # fmt: skip
    array = prepare(case.study, case.model.input_spec).array
    return predict(array, load(case.model, "cpu", "torch").backends, options, Reporter())


def test_the_network_is_given_the_very_same_numbers(v2: Golden) -> None:
    assert np.array_equal(prepare(v2.study, v2.model.input_spec).array, v2.stages["preprocessed"])


def test_version_1_is_given_the_same_numbers(v1: Golden) -> None:
    np.testing.assert_allclose(
        prepare(v1.study, v1.model.input_spec).array, v1.stages["preprocessed"], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("view", ["nomirror", "mirror"])
def test_half_precision_logits_are_those_of_nnunet(v2: Golden, view: str) -> None:
    ours = outputs(v2, "nnunet-v2", mirror=view == "mirror")
    theirs = v2.stages[f"logits_{view}"]
    assert np.array_equal(ours.astype(np.float16).astype(np.float32), ours), "they were computed in half precision"
    assert np.mean(ours == theirs) > 0.99
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=4e-3)


@pytest.mark.parametrize("view", ["nomirror", "mirror"])
def test_version_1_probabilities_are_those_of_nnunet(v1: Golden, view: str) -> None:
    ours = outputs(v1, "nnunet-v1", mirror=view == "mirror")
    np.testing.assert_allclose(ours, v1.stages[f"softmax_{view}"], rtol=0, atol=2e-5)


def test_labels_on_the_original_grid_are_those_of_nnunet(v2: Golden) -> None:
    options = SegmentOptions(mirror=False, arithmetic="nnunet-v2", keep_probabilities=True)
    result = segment(v2.study, load(v2.model, "cpu"), options=options)
    labels, probabilities = v2.expected("nomirror", "probabilities")
    assert np.array_equal(result.mask, labels)
    np.testing.assert_allclose(result.probabilities, probabilities[1:], rtol=0, atol=1e-3)


@pytest.mark.parametrize("view", ["nomirror", "mirror"])
def test_labels_of_version_1_are_those_of_nnunet(v1: Golden, view: str) -> None:
    """Its arithmetic is the default of what comes from it, and costs nothing; its file holds half-precision numbers."""
    options = SegmentOptions(mirror=view == "mirror", keep_probabilities=True)
    result = segment(v1.study, load(v1.model, "cpu"), options=options)
    labels, softmax = v1.expected(view, "softmax")
    assert np.array_equal(result.mask, labels)
    box = prepare(v1.study, v1.model.input_spec).placement.box
    np.testing.assert_allclose(result.probabilities[(slice(None), *box)], softmax[1:], rtol=0, atol=1e-3)


def test_float32_differs_where_half_precision_rounds(v2: Golden) -> None:
    """The bounds are those that ``shared/golden/README.md`` measured for float32 against nnU-Net's half precision."""
    difference = np.abs(outputs(v2, "float32", mirror=False) - v2.stages["logits_nomirror"].astype(np.float32))
    assert np.median(difference) < 1e-3
    assert 0.01 < difference.max() < 1.5
    labels, _ = v2.expected("nomirror", "probabilities")
    result = segment(v2.study, load(v2.model, "cpu"), options=SegmentOptions(mirror=False))
    assert np.mean(result.mask != labels) < 0.003


def test_arrays_are_resampled_as_nnunet_does(shared: Path) -> None:
    numbers = np.load(shared / "golden" / "geometry" / "geometry.npz")
    cases = json.loads((shared / "golden" / "geometry" / "geometry.json").read_text())
    names = [name for name in numbers.files if "_data_" in name or "_prob_" in name]
    assert len(names) >= 30
    for name in names:
        case_name, _, order, order_z = name.rsplit("_", 3)
        case = cases[case_name]
        rule = ResamplingRule(int(order[1:]), int(order_z[1:]), case["force_separate_z"])
        spacings = tuple(case["current_spacing"]), tuple(case["new_spacing"])
        assert coarse_axis(*spacings, rule) == case["axis"], name
        ours = resample(numbers["data"], tuple(case["new_shape"]), *spacings, rule)
        np.testing.assert_allclose(ours, numbers[name], rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("source", "rule", "expected"),
    [
        ("zs_image", IntensityRule("zscore", masked=True), "zs_mask_true"),
        ("zs_image", IntensityRule("zscore"), "zs_mask_false"),
        ("zs_image_nonzero_outside", IntensityRule("zscore", masked=True), "zs_mask_true_nonzero_outside"),
        ("zs_image", IntensityRule("ct", low=30, high=110, mean=70, deviation=25), "ct"),
    ],
)
def test_intensities_are_normalised_as_nnunet_does(
    shared: Path, source: str, rule: IntensityRule, expected: str
) -> None:
    numbers = np.load(shared / "golden" / "geometry" / "geometry.npz")
    image = numbers[source].copy()
    normalise_v2(image, rule, numbers["zs_seg"] >= 0)
    np.testing.assert_allclose(image, numbers[expected], rtol=0, atol=1e-5)
