"""``convnextseg models import``: from a foreign file to a model that segments, and what is said on the way."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.cli.main import main
from convnextseg_engine.images.files import write_image
from convnextseg_engine.labels.seg_nrrd import read_seg_nrrd
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.networks.registry import build
from convnextseg_engine.synthetic.brain import synthetic_case

NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 3}
CHANNELS = ("T1c", "FLAIR")
OPTIONS = [
    "--channels", "T1c,FLAIR", "--spacing", "3,3,3", "--axes", "SPL", "--intensity", "zscore-nonzero",
    "--patch", "32,32,32", "--licence", "CC BY 4.0", "--norm", "group",
]  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    network = build(NETWORK, 2, 4)
    # Heads without bias towards one output, so that every label occurs in the mask.
    torch.nn.init.normal_(network.out_0.conv_out.weight, std=2.0)
    torch.nn.init.zeros_(network.out_0.conv_out.bias)
    path = tmp_path_factory.mktemp("source") / "weights.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    study = synthetic_case(3, size=(40, 48, 40), spacing=(4.0, 4.0, 4.0)).study
    for name in CHANNELS:
        write_image(study.channels[name], folder / f"{name}.nii.gz")
    return {name: folder / f"{name}.nii.gz" for name in CHANNELS}


def _import(weights: Path, name: str, labels: str) -> int:
    return main(["models", "import", str(weights), "--name", name, "--labels", labels, *OPTIONS, "--json"])


def _result(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def _segments(model: str, images: dict[str, Path], output: Path) -> dict[str, np.ndarray]:
    arguments = [part for name, path in images.items() for part in ("--image", f"{name}={path}")]
    status = main(["segment", "--model", model, *arguments, "--output", str(output), "--backend", "torch"])
    assert status == 0
    file = read_seg_nrrd(output)
    return {segment.name: segment.array != 0 for segment in file.segments}


def test_an_imported_model_segments_and_says_what_it_is(
    weights: Path, images: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _import(weights, "imported", "edema=1,core=2,enhancing=3") == 0
    value = _result(capsys)
    assert value["event"] == "result" and value["model"] == "imported@v1" and value["network"] == NETWORK
    assert value["outputs"] == "exclusive" and value["members"] == 1
    assert any("softmax" in note for note in value["notes"])
    model = ModelStore().open("imported")
    assert model.metadata.version == "v1" and model.metadata.licence == "CC BY 4.0"
    segments = _segments("imported", images, tmp_path / "out.seg.nrrd")
    assert set(segments) == {"edema", "core", "enhancing"}
    assert all(array.any() for array in segments.values())


def test_both_orders_of_edema_and_core_come_out_as_the_user_said(
    weights: Path, images: dict[str, Path], tmp_path: Path
) -> None:
    """Packages of the same challenge disagree on which of 1 and 2 is edema; only the user's word decides."""
    assert _import(weights, "edema-first", "edema=1,core=2,enhancing=3") == 0
    assert _import(weights, "core-first", "core=1,edema=2,enhancing=3") == 0
    first = _segments("edema-first", images, tmp_path / "first.seg.nrrd")
    second = _segments("core-first", images, tmp_path / "second.seg.nrrd")
    np.testing.assert_array_equal(first["edema"], second["core"])
    np.testing.assert_array_equal(first["core"], second["edema"])
    np.testing.assert_array_equal(first["enhancing"], second["enhancing"])
    assert first["edema"].any() and first["core"].any() and not np.array_equal(first["edema"], first["core"])
    codes = {name: ModelStore().open(name).contract.label("edema") for name in ("edema-first", "core-first")}
    assert {label.type.value for label in codes.values()} == {"79654002"}
    assert [codes[name].value for name in ("edema-first", "core-first")] == [1, 2]


def test_integers_in_label_maps_are_those_of_the_source(weights: Path, images: dict[str, Path], tmp_path: Path) -> None:
    assert _import(weights, "numbers", "core=1,edema=2,enhancing=3") == 0
    segments = _segments("numbers", images, tmp_path / "out.seg.nrrd")
    arguments = [part for name, path in images.items() for part in ("--image", f"{name}={path}")]
    assert main(["segment", "--model", "numbers", *arguments, "--output", str(tmp_path / "out.nii.gz"),
                 "--backend", "torch"]) == 0  # fmt: skip
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.nii.gz")))
    for name, value in {"core": 1, "edema": 2, "enhancing": 3}.items():
        np.testing.assert_array_equal(mask == value, segments[name])


def test_open_questions_are_listed_for_people_and_for_programs(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", str(weights), "--name", "asked", "--json"]) == 2
    captured = capsys.readouterr()
    value = json.loads(captured.out.splitlines()[-1])
    assert value["code"] == "needs-answer"
    options = [question["option"].split()[0] for question in value["questions"]]
    assert options == ["--norm", "--channels", "--labels", "--spacing", "--axes", "--intensity", "--licence"]
    assert all(option in captured.err for option in options)
    assert "asked" not in ModelStore().names()


def test_a_name_that_is_taken_is_refused_before_anything_is_read(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _import(weights, "taken", "edema=1,core=2,enhancing=3") == 0
    assert _import(weights.with_name("missing.pth"), "taken", "edema=1,core=2,enhancing=3") == 2
    assert "already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--channels", "T1c,,FLAIR"),
        ("--channels", "T1c,T1c"),
        ("--labels", "edema"),
        ("--labels", "edema=x"),
        ("--labels", "edema=1000"),
        ("--labels", "edema=0,core=1"),
        ("--labels", "background=1,edema=2"),
        ("--regions", "whole"),
        ("--spacing", "1,1"),
        ("--spacing", "a,b,c"),
        ("--patch", "1.5,2,3"),
        ("--axes", "SPX"),
        ("--axes", "SSP"),
        ("--intensity", "range:1"),
        ("--name", "Not A Name"),
    ],
)
def test_answers_that_cannot_be_read_are_refused(
    weights: Path, option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "models",
        "import",
        str(weights),
        "--name",
        "wrong",
        "--labels",
        "edema=1,core=2,enhancing=3",
        *OPTIONS,
    ]
    assert main([*arguments, option, text]) == 2
    assert "bug" not in capsys.readouterr().err
    assert "wrong" not in ModelStore().names()


def test_what_is_no_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert main(["models", "import", str(tmp_path / "notes.txt"), "--name", "nothing"]) == 2
    assert "MONAI bundle" in capsys.readouterr().err
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as archive:
        archive.write(tmp_path / "notes.txt", "notes.txt")
    assert main(["models", "import", str(tmp_path / "notes.zip"), "--name", "nothing"]) == 2
    assert main(["models", "import", str(tmp_path / "missing"), "--name", "nothing"]) == 2


def test_damaged_weights_leave_nothing_in_the_store(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(weights, weights_only=True)
    content["state_dict"]["stem.bias"][0] = float("nan")
    torch.save(content, tmp_path / "nan.pth")
    assert _import(tmp_path / "nan.pth", "damaged", "edema=1,core=2,enhancing=3") == 2
    assert "stem.bias" in capsys.readouterr().err
    assert "damaged" not in ModelStore().names()


@pytest.mark.slow
def test_an_imported_model_can_be_fine_tuned(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its patches, loss and regions follow its contract; two steps are enough to run all of it."""
    from convnextseg_engine.labels.case_set import CaseSet
    from convnextseg_engine.training.finetune import finetune
    from convnextseg_engine.training.recipe import read_recipe

    assert _import(weights, "tuned", "edema=2,core=1,enhancing=3") == 0
    model = ModelStore().open("tuned")
    cases = CaseSet.create(tmp_path / "cases", model.contract)
    for seed, split in enumerate(("train", "test")):
        made = synthetic_case(seed, size=(40, 48, 40), spacing=(4.0, 4.0, 4.0))
        channels = {name: made.study.channels[name] for name in CHANNELS}
        mask = np.where(made.mask == 4, 3, made.mask).astype(np.uint8)
        cases.add(f"case{seed}", replace(made.study, channels=channels, reference="T1c"), mask, split)
    quick = replace(read_recipe("adapt"), steps=2, validate_every=2, synthetic_fraction=0.0, warmup_steps=1)
    result = finetune(model, cases, quick, ModelStore(), run_folder=tmp_path / "run", device="cpu")
    candidate = ModelStore().open(f"tuned@{result.version}")
    assert candidate.contract == model.contract and candidate.metadata.network == NETWORK


def test_an_empty_licence_is_no_answer(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--name", "nameless", "--labels", "edema=1,core=2,enhancing=3", *OPTIONS, "--licence", " "]
    assert main(["models", "import", str(weights), *arguments]) == 2
    assert "--licence unknown" in capsys.readouterr().err
    assert "nameless" not in ModelStore().names()


def test_an_archive_that_is_no_model_is_named_as_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "letters.zip", "w") as archive:
        archive.writestr("a.txt", "a")
        archive.writestr("b.txt", "b")
    assert main(["models", "import", str(tmp_path / "letters.zip"), "--name", "letters"]) == 2
    assert "letters.zip is no foreign model" in capsys.readouterr().err


def test_the_folder_one_is_in_has_a_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["models", "import", ".", "--name", "here"]) == 2
    assert f"{tmp_path.name} is no foreign model" in capsys.readouterr().err


def test_show_tells_the_network_and_that_the_training_cases_are_not_known(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _import(weights, "shown", "edema=1,core=2,enhancing=3") == 0
    capsys.readouterr()
    assert main(["models", "show", "shown"]) == 0
    lines = {line[:15].strip(): line[15:].strip() for line in capsys.readouterr().out.splitlines()}
    count = sum(parameter.numel() for parameter in build(NETWORK, 2, 4).parameters())
    assert lines["network"] == f"mednext-s-k3-w4 (mednext size S, kernel 3, width 4, 3D, {count:,} parameters)"
    assert lines["comes from"] == "another program: a file of weights (weights.pth)"
    assert "is not known" in lines["has seen"]
    assert "0 cases" not in lines["has seen"]
    assert main(["models", "show", "shown", "--json"]) == 0
    value = _result(capsys)
    assert (value["network_name"], value["parameters"]) == ("mednext-s-k3-w4", count)

    # Its kernels grown, it is another model, and what it has seen is as little known.
    assert main(["models", "grow-kernel", "shown", "5", "--name", "grown"]) == 0
    capsys.readouterr()
    assert main(["models", "show", "grown"]) == 0
    out = capsys.readouterr().out
    assert "mednext-s-k5-w4" in out
    assert "is not known" in out


def test_show_of_a_model_of_ours_counts_the_cases(capsys: pytest.CaptureFixture[str]) -> None:
    bundled = next(name for name in ModelStore().names())
    assert main(["models", "show", bundled]) == 0
    out = capsys.readouterr().out
    assert "cases and images, known by hash" in out
    assert "comes from" not in out
