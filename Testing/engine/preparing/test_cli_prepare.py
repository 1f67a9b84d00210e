"""``convnextseg prepare``, and what ``segment`` does of it on its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.cli.main import main
from convnextseg_engine.images.files import read_image, write_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.preparing.brain_mask import mask_image
from engine.preparing.head_phantom import brain_study, motion, moved, with_skull

_AWAY = motion((7.0, -6.0, 5.0), (0.2, 0.9, -0.3), 8.0)
_MODEL = "demo-brain-tumour@v1"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A study whose T2 lies elsewhere, the same where it lies right, and a brain mask."""
    folder = tmp_path_factory.mktemp("study")
    study = brain_study()
    written = {}
    for name, image in moved(study, "T2", _AWAY).channels.items():
        written[name] = folder / f"{name}.nrrd"
        write_image(image, written[name])
    written["T2 in place"] = folder / "t2-in-place.nrrd"
    write_image(study.channels["T2"], written["T2 in place"])
    inside = sitk.GetArrayFromImage(study.channels["T1c"]) != 0
    written["mask"] = folder / "mask.nrrd"
    write_image(mask_image(inside, study.reference_grid), written["mask"])
    return written


def _images(files: dict[str, Path], **changed: str) -> list[str]:
    names = {name: changed.get(name, name) for name in ("T1c", "T1", "T2", "FLAIR")}
    return [f"--image={name}={files[file]}" for name, file in names.items()]


def test_it_writes_aligned_channels_transforms_and_a_report(files, tmp_path: Path) -> None:
    before = {name: path.read_bytes() for name, path in files.items()}
    out = tmp_path / "prepared"
    assert main(["prepare", *_images(files), "--model", _MODEL, "--output", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "FLAIR.nrrd", "T1.nrrd", "T1c.nrrd", "T2.nrrd", "T2.tfm", "report.json",
    ]  # fmt: skip
    told = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert told["reference"] == "T1c"
    assert [step["name"] for step in told["preparation"]["steps"]] == [
        "align T1", "align T2", "align FLAIR", "brain mask", "expectations",
    ]  # fmt: skip
    transform = sitk.ReadTransform(str(out / "T2.tfm"))
    for point in ((0.0, 0.0, 0.0), (30.0, -40.0, 20.0)):
        expected = _AWAY.apply(np.array([point]))[0]
        np.testing.assert_allclose(transform.TransformPoint(point), expected, atol=1.5)
    result, original = read_image(out / "T2.nrrd"), read_image(files["T2"])
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(result), sitk.GetArrayViewFromImage(original))
    np.testing.assert_allclose(result.GetOrigin(), read_image(files["T2 in place"]).GetOrigin(), atol=1.5)
    assert {name: path.read_bytes() for name, path in files.items()} == before
    assert str(tmp_path) not in (out / "report.json").read_text(encoding="utf-8")


def test_it_writes_over_nothing(files, tmp_path: Path, capsys) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert main(["prepare", *_images(files), "--output", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--register", "affine"], "invalid choice"),
        (["--brain-mask", "no-such-file.nrrd"], "There is no file or folder"),
        (["--brain-mask-model", _MODEL], "does not find the brain"),
        (["--brain-mask-dilation", "-2"], "cannot be grown by -2 mm"),
        (["--brain-mask-dilation", "5"], "There is no brain mask that --brain-mask-dilation 5 could grow"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(files, tmp_path: Path, capsys, options, words: str) -> None:
    assert main(["prepare", *_images(files), *options, "--output", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_brain_mask_is_grown_used_and_written(files, tmp_path: Path) -> None:
    head, _mask = with_skull(brain_study(), noise=True)
    write_image(head.channels["T1c"], tmp_path / "head.nrrd")
    options = ["--brain-mask", str(files["mask"]), "--brain-mask-dilation", "3", "--register", "off"]
    out = tmp_path / "out"
    assert main(["prepare", f"--image=T1c={tmp_path / 'head.nrrd'}", *options, "--output", str(out)]) == 0
    brain = np.count_nonzero(sitk.GetArrayFromImage(read_image(files["mask"])))
    kept = np.count_nonzero(sitk.GetArrayFromImage(read_image(out / "T1c.nrrd")))
    assert brain < kept < 1.6 * brain
    assert (out / "brain-mask.nrrd").is_file()


def _segment(files, folder: Path, *options: str, **changed: str) -> tuple[np.ndarray, dict]:
    arguments = ["--model", _MODEL, *_images(files, **changed), "--output", str(folder / "mask.nrrd")]
    report = folder / "report.json"
    folder.mkdir()
    assert main(["segment", *arguments, "--report", str(report), *options]) == 0
    return sitk.GetArrayFromImage(read_image(folder / "mask.nrrd")), json.loads(report.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_segmenting_says_what_is_wrong_and_mends_it_when_asked(files, tmp_path: Path) -> None:
    right, report = _segment(files, tmp_path / "right", T2="T2 in place")
    assert report["expectations"] == []
    assert np.count_nonzero(right) > 50
    _wrong, report = _segment(files, tmp_path / "wrong")
    assert [finding["name"] for finding in report["expectations"]] == ["alignment"]
    assert any("--register rigid" in warning for warning in report["warnings"])
    mended, report = _segment(files, tmp_path / "mended", "--register", "rigid")
    assert list(report["preparation"]["transforms"]) == ["T2"]
    assert report["expectations"] == []
    assert 2 * np.count_nonzero((mended != 0) & (right != 0)) > 0.95 * (
        np.count_nonzero(mended) + np.count_nonzero(right)
    )
    assert report["grid"]["size"] == list(Study(_read(files), "T1c").reference_grid.size)


def _read(files) -> dict[str, sitk.Image]:
    return {"T1c": read_image(files["T1c"])}
