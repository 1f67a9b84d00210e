"""The golden networks on real images beside nnU-Net v2 itself: a hippocampus whole, a glioma around its tumour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.checkpoints import nnunet_v2
from convnextseg_engine.checkpoints.answers import ImportAnswers
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions
from convnextseg_engine.inference.segment import Segmentation, segment

from .reference import predicted

pytestmark = pytest.mark.real_data


def around(image: sitk.Image, truth: sitk.Image, extent: int) -> sitk.Image:
    """The part of ``image`` of ``extent`` voxels around the middle of what ``truth`` marks."""
    middle = np.argwhere(sitk.GetArrayViewFromImage(truth) > 0).mean(axis=0)[::-1].round().astype(int)
    start = [max(0, min(int(m) - extent // 2, n - extent)) for m, n in zip(middle, image.GetSize(), strict=True)]
    return sitk.RegionOfInterest(image, [extent] * 3, start)


@pytest.fixture(params=["hippocampus", "glioma"])
def images(request: pytest.FixtureRequest, shared_data: Path, tmp_path: Path) -> list[Path]:
    if request.param == "hippocampus":
        one = sorted((shared_data / "hippocampus" / "images").glob("*.nii.gz"))[0]
        return [one, one]  # the golden networks take two channels
    case = shared_data / "brats2021" / "BraTS2021_00006"
    truth = read_image(case / "seg.nii.gz")
    files = []
    for name in ("t1ce", "flair"):
        files.append(tmp_path / f"{name}.nii.gz")
        sitk.WriteImage(around(read_image(case / f"{name}.nii.gz"), truth, 44), files[-1])
    return files


@pytest.mark.parametrize(("kind", "mirror"), [("plain", True), ("resenc", False)])
def test_labels_are_equal_and_float32_stays_close(
    kind: str, mirror: bool, images: list[Path], shared: Path, tmp_path: Path
) -> None:
    folder = next((shared / "golden" / "nnunetv2" / kind / "Dataset500_Gold").iterdir())
    labels, probabilities = predicted(folder, images, tmp_path, mirror=mirror)
    assert np.unique(labels).size == 3
    model = nnunet_v2.read(folder, ImportAnswers(licence="unknown")).write(tmp_path / "model", "golden")
    study = Study({name: read_image(file) for name, file in zip(("T1ce", "FLAIR"), images, strict=True)}, "T1ce")
    loaded = load(model, "cpu")

    def run(arithmetic: str) -> Segmentation:
        options = SegmentOptions(mirror=mirror, arithmetic=arithmetic, keep_probabilities=True)
        return segment(study, loaded, options=options)

    exact, ours = run("nnunet-v2"), run("float32")
    assert np.array_equal(exact.mask, labels)
    np.testing.assert_allclose(exact.probabilities, probabilities[1:], rtol=0, atol=1.3e-7)
    for value in (1, 2):
        mine, theirs = ours.mask == value, labels == value
        assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.99, f"Dice of label {value}"
