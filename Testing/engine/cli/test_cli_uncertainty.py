"""``convnextseg segment --uncertainty`` and ``convnextseg batch --uncertainty``."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.models.calibrated import write_calibrated
from convnextseg_engine.models.folder import ModelFolder
from engine.cohort.small_cohort import write_cohort

_TEMPERATURES = {"whole tumour": 2.0, "tumour core": 2.0, "enhancing tumour": 2.0}


def _voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_maps_and_slices_are_written_beside_the_same_mask(
    run: Callable, segment_arguments: list, tmp_path: Path
) -> None:
    plain, out = tmp_path / "plain.nrrd", tmp_path / "mask.nrrd"
    assert run(*segment_arguments, "--output", plain).status == 0
    ran = run(
        *segment_arguments, "--output", out, "--uncertainty", tmp_path / "u.nii.gz", "--disagreement",
        tmp_path / "d.nrrd", "--report", tmp_path / "report.json",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    np.testing.assert_array_equal(_voxels(out), _voxels(plain))
    entropy, disagreement = _voxels(tmp_path / "u.nii.gz"), _voxels(tmp_path / "d.nrrd")
    assert entropy.shape == disagreement.shape == _voxels(out).shape
    assert 0 <= entropy.min() < entropy.max() <= 1
    assert 0 <= disagreement.min() < disagreement.max() <= 0.5
    told = json.loads((tmp_path / "report.json").read_text())["uncertainty"]
    assert [label["name"] for label in told["labels"]] == ["edema", "core", "enhancing"]
    assert told["calibrated"] is False
    lines = ran.out.splitlines()
    start = lines.index("Slices to look at first, and how much of each is probably wrong:")
    listed = [line.split() for line in lines[start + 1 : start + 6]]
    assert [int(line[0]) for line in listed] == [one["index"] for one in told["slices"][:5]]
    assert float(listed[0][1]) == pytest.approx(told["slices"][0]["expected_error_ml"], abs=0.006)
    assert "count from 0" in lines[start + 6]


def test_probabilities_are_written_calibrated_and_the_report_says_so(
    run: Callable, segment_arguments: list, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    warm = write_calibrated(tiny_model, tmp_path / "warm", _TEMPERATURES, {})
    arguments = [warm.path if part == tiny_model.path else part for part in segment_arguments]
    for name, given in (("raw", segment_arguments), ("warm", arguments)):
        ran = run(
            *given, "--output", tmp_path / f"{name}.nrrd", "--probabilities", tmp_path / f"{name}-p.nrrd", "--report",
            tmp_path / f"{name}.json",
        )  # fmt: skip
        assert ran.status == 0, ran.err
    np.testing.assert_array_equal(_voxels(tmp_path / "warm.nrrd"), _voxels(tmp_path / "raw.nrrd"))
    raw, calibrated = _voxels(tmp_path / "raw-p.nrrd"), _voxels(tmp_path / "warm-p.nrrd")
    assert (np.abs(calibrated - 0.5) <= np.abs(raw - 0.5) + 1e-6).all()
    assert np.abs(calibrated - raw).max() > 0.01
    assert json.loads((tmp_path / "warm.json").read_text())["probabilities"]["calibrated"] is True
    assert json.loads((tmp_path / "raw.json").read_text())["probabilities"]["calibrated"] is False


def test_disagreement_is_refused_before_any_work_where_it_is_not_measured(
    run: Callable, segment_arguments: list, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    told = replace(tiny_model.metadata, inference={"arithmetic": "nnunet-v2"})
    model = write_calibrated(replace(tiny_model, metadata=told), tmp_path / "model", {}, {})
    arguments = [model.path if part == tiny_model.path else part for part in segment_arguments]
    ran = run(*arguments, "--output", tmp_path / "m.nrrd", "--disagreement", tmp_path / "d.nrrd")
    assert ran.status != 0
    assert "nnunet-v2 repeats what nnU-Net computes" in ran.err
    assert not (tmp_path / "m.nrrd").exists()


def test_a_cohorts_table_says_how_much_is_probably_wrong_and_where(
    run: Callable, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    command = [
        "batch", write_cohort(tmp_path / "in", 2), "--model", tiny_model.path, "--device", "cpu", "--backend", "torch",
        "--overlap", "0.25",
    ]  # fmt: skip
    ran = run(*command, "--output", tmp_path / "out", "--uncertainty")
    assert ran.status == 0, ran.err
    with (tmp_path / "out" / "cohort.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        told = json.loads((tmp_path / "out" / row["case"] / "report.json").read_text())["uncertainty"]
        assert float(row["expected error [mL]"]) == told["expected_error_ml"] > 0
        assert row["slices to look at first"].split() == [str(one["index"]) for one in told["slices"][:3]]
    begun = json.loads((tmp_path / "out" / "cohort.json").read_text())
    assert begun["options"] == {"disagreement": True, "overlap": 0.25, "uncertainty": True}
    ran = run(*command, "--output", tmp_path / "out")
    assert ran.status != 0
    assert "other settings (options)" in ran.err


def test_a_cohort_refuses_an_option_that_no_run_can_have(
    run: Callable, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    ran = run(
        "batch", write_cohort(tmp_path / "in", 1), "--model", tiny_model.path, "--output", tmp_path / "out",
        "--overlap", "1.5",
    )  # fmt: skip
    assert ran.status != 0
    assert "The overlap is given as 1.5" in ran.err
    assert not (tmp_path / "out").exists()
