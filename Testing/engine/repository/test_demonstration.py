"""The demonstration's own parts: which files it takes, what it may replace, what it says when it cannot."""

from __future__ import annotations

import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture(autouse=True)
def _scripts_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def _image(path: Path, value: int = 1, spacing: float = 1.0) -> None:
    array = np.zeros((6, 6, 6), dtype=np.int16)
    array[2:4, 2:4, 2:4] = value
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((spacing,) * 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


@pytest.mark.parametrize(
    "names",
    [
        ("t1.nii.gz", "t1ce.nii.gz", "t2.nii.gz", "flair.nii.gz"),
        ("BraTS2021_00001_t1.nii.gz", "BraTS2021_00001_t1ce.nii.gz", "BraTS2021_00001_t2.nii.gz",
         "BraTS2021_00001_flair.nii.gz"),
        ("BraTS-GLI-00001-000-t1n.nii.gz", "BraTS-GLI-00001-000-t1c.nii.gz", "BraTS-GLI-00001-000-t2w.nii.gz",
         "BraTS-GLI-00001-000-t2f.nii.gz"),
        ("T1.nrrd", "T1_Gd.nrrd", "T2.nrrd", "FLAIR.nrrd"),
    ],
)  # fmt: skip
def test_the_usual_names_are_recognised(tmp_path: Path, names: tuple[str, ...]) -> None:
    from demonstration.case_folder import case_study

    for name in names:
        _image(tmp_path / name)
    study = case_study(tmp_path)
    expected = dict(zip(("T1", "T1c", "T2", "FLAIR"), names, strict=True))
    assert {channel: path.name for channel, path in study.channels.items()} == expected
    assert study.truth is None


def test_the_reference_is_the_channel_on_whose_grid_the_truth_lies(tmp_path: Path) -> None:
    from demonstration.case_folder import case_study

    _image(tmp_path / "t1ce.nii.gz", spacing=1.0)
    _image(tmp_path / "flair.nii.gz", spacing=2.0)
    _image(tmp_path / "seg.nii.gz", value=4, spacing=2.0)
    study = case_study(tmp_path)
    assert next(iter(study.channels)) == "FLAIR"
    assert set(study.channels) == {"T1c", "FLAIR"}
    assert study.truth_values == {"core": 1, "edema": 2, "enhancing": 4}


def test_enhancing_tumour_is_three_in_newer_data(tmp_path: Path) -> None:
    from demonstration.case_folder import case_study

    _image(tmp_path / "t1c.nii.gz")
    _image(tmp_path / "seg.nii.gz", value=3)
    assert case_study(tmp_path).truth_values["enhancing"] == 3


def test_unknown_names_and_doubles_are_refused_with_advice(tmp_path: Path) -> None:
    from demonstration.case_folder import case_study

    with pytest.raises(InputError, match="There is no folder"):
        case_study(tmp_path / "nowhere")
    _image(tmp_path / "scan.nii.gz")
    with pytest.raises(InputError, match="Name the files t1, t1ce, t2 and flair"):
        case_study(tmp_path)
    _image(tmp_path / "a_t2.nii.gz")
    _image(tmp_path / "b_t2.nii.gz")
    with pytest.raises(InputError, match="T2 may be any of"):
        case_study(tmp_path)


def test_only_what_the_demonstration_wrote_is_replaced(tmp_path: Path, capsys) -> None:
    from demonstration.own_files import OwnFiles

    (tmp_path / "report.json").write_text("the user's own")
    own = OwnFiles(tmp_path)
    own.free("report.json", "segmentation.seg.nrrd")
    assert (tmp_path / "report-kept-1.json").read_text() == "the user's own"
    assert "kept as report-kept-1.json" in capsys.readouterr().out

    for name in ("report.json", "segmentation.seg.nrrd"):
        (tmp_path / name).write_text("first run")
    own.record("report.json", "segmentation.seg.nrrd")
    # The user corrects the mask and saves it under the same name.
    (tmp_path / "segmentation.seg.nrrd").write_text("corrected by hand")

    again = OwnFiles(tmp_path)
    again.free("report.json", "segmentation.seg.nrrd")
    assert (tmp_path / "segmentation-kept-1.seg.nrrd").read_text() == "corrected by hand"
    assert (tmp_path / "report.json").read_text() == "first run"
    assert not (tmp_path / "report-kept-2.json").exists()


def test_folders_are_numbered_and_never_shared(tmp_path: Path) -> None:
    from demonstration.own_files import new_folder

    assert [new_folder(tmp_path / "loop").name for _ in range(3)] == ["loop", "loop-2", "loop-3"]


def test_the_simulated_person_corrects_only_the_worst_slices() -> None:
    from demonstration.correction import corrected

    truth = np.zeros((10, 4, 4), dtype=np.uint8)
    truth[2:9, 1:3, 1:3] = 2
    mask = np.zeros_like(truth)
    mask[5:9, 1:3, 1:3] = 2
    mask[0, 0, 0] = 4
    result, slices = corrected(mask, truth, slices=3)
    assert slices == [2, 3, 4]
    assert np.array_equal(result[2:5], truth[2:5])
    untouched = [index for index in range(10) if index not in slices]
    assert np.array_equal(result[untouched], mask[untouched])
    assert corrected(truth, truth)[1] == []


def test_without_network_the_sample_is_refused_in_plain_words(tmp_path: Path, monkeypatch) -> None:
    from demonstration import sample_study

    def unreachable(*_arguments, **_options):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(sample_study.urllib.request, "urlopen", unreachable)
    with pytest.raises(InputError, match="it needs no network then"):
        sample_study.sample_study("MRBrainTumor1", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_sample_with_another_checksum_is_not_kept(tmp_path: Path, monkeypatch) -> None:
    from demonstration import sample_study

    monkeypatch.setattr(sample_study, "_SHA256", {"MRBrainTumor1": "0" * 64})

    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_error):
            return None

        def read(self) -> bytes:
            return b"a login page of the hotel"

    monkeypatch.setattr(sample_study.urllib.request, "urlopen", lambda *_a, **_o: Answer())
    with pytest.raises(InputError, match="is not Slicer's sample"):
        sample_study.sample_study("MRBrainTumor1", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_the_sample_is_not_made_for_is_said(tmp_path: Path, monkeypatch) -> None:
    import hashlib

    from demonstration import sample_study

    content = b"a stand-in for the image"
    monkeypatch.setattr(sample_study, "_SHA256", {"MRBrainTumor1": hashlib.sha256(content).hexdigest()})
    (tmp_path / "RegLib_C01_1.nrrd").write_bytes(content)
    assert "NOT made for this image" in sample_study.sample_study("MRBrainTumor1", tmp_path).note


def test_demo_and_test_need_only_the_standard_library_before_the_set_up() -> None:
    import ast

    for name in ("environment.py", "demo.py", "test.py", "system_libraries.py", "run_in_slicer.py"):
        tops = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in ast.parse((SCRIPTS / name).read_text(encoding="utf-8")).body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        }
        assert tops <= set(sys.stdlib_module_names) | {"environment", "system_libraries"}


def test_the_sample_is_really_fetched_over_http_and_only_once(tmp_path: Path, monkeypatch) -> None:
    import hashlib
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from demonstration import sample_study

    content, asked = b"a volume", []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments) -> None:
            pass

    digest = hashlib.sha256(content).hexdigest()
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(sample_study, "_ADDRESS", f"http://127.0.0.1:{server.server_port}/SHA256/{{}}")
        monkeypatch.setattr(sample_study, "_SHA256", {"MRBrainTumor1": digest})
        for _ in range(2):
            study = sample_study.sample_study("MRBrainTumor1", tmp_path)
        server.shutdown()
    assert asked == [f"/SHA256/{digest}"]
    assert study.channels["T1c"].read_bytes() == content
