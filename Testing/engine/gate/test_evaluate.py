"""Scores: Dice, distances and volumes against MONAI and by hand; the evaluation of whole cases."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance

from convnextseg_engine.errors import InputError, RunCancelled
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.progress import Reporter
from convnextseg_engine.synthetic.brain import brain_tumour_contract
from convnextseg_engine.training.evaluate import evaluate, score_masks, targets
from convnextseg_engine.training.gate.guard import ProxyCase
from convnextseg_engine.training.scores import Evaluation
from convnextseg_engine.training.surface_distance import hd95_mm
from engine.inference.tiny_model import write_tiny_model

CONTRACT = brain_tumour_contract()
GRID = Grid((20, 24, 16), (1.0, 1.5, 3.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def blobs(seed: int) -> np.ndarray:
    """Random labels with empty, touching and border-crossing parts, shape ``(16, 24, 20)``."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(GRID.shape, dtype=np.uint8)
    for label in (2, 1, 4):
        k, j, i = (int(rng.integers(0, n - 6)) for n in GRID.shape)
        mask[k : k + rng.integers(2, 7), j : j + rng.integers(3, 12), i : i + rng.integers(3, 10)] = label
    return mask


@pytest.mark.parametrize("seed", range(6))
def test_scores_are_those_of_monai(seed):
    prediction, truth = blobs(seed), blobs(seed + 100)
    scores = score_masks(prediction, truth, GRID, CONTRACT)
    for name, values in targets(CONTRACT).items():
        a, b = (torch.from_numpy(np.isin(m, values).astype(np.float32))[None, None] for m in (prediction, truth))
        assert scores[name].dice == pytest.approx(compute_dice(a, b).item(), abs=1e-6)
        # MONAI takes the spacing in array order
        expected = compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=(3.0, 1.5, 1.0))
        assert scores[name].hd95_mm == pytest.approx(expected.item(), abs=1e-4)
        assert scores[name].volume_ml == pytest.approx(a.sum().item() * 4.5 / 1000)
        assert scores[name].reference_ml == pytest.approx(b.sum().item() * 4.5 / 1000)


def test_distance_is_in_millimetres_along_each_axis():
    for axis, mm in ((0, 3.0), (1, 1.5), (2, 1.0)):
        first = np.zeros(GRID.shape, dtype=bool)
        first[5:9, 5:9, 5:9] = True
        moved = np.roll(first, 4, axis)
        assert hd95_mm(first, moved, GRID.spacing) == pytest.approx(4 * mm)
    assert hd95_mm(first, first, GRID.spacing) == 0


def test_empty_masks_are_scored_by_the_stated_convention():
    empty, truth = np.zeros(GRID.shape, np.uint8), blobs(1)
    both = score_masks(empty, empty, GRID, CONTRACT)["whole tumour"]
    assert (both.dice, both.hd95_mm, both.both_empty) == (1.0, None, True)
    missed = score_masks(empty, truth, GRID, CONTRACT)["whole tumour"]
    assert (missed.dice, missed.hd95_mm, missed.both_empty, missed.found) == (0.0, None, False, False)
    invented = score_masks(truth, empty, GRID, CONTRACT)["whole tumour"]
    assert (invented.dice, invented.hd95_mm, invented.both_empty) == (0.0, None, False)


def test_a_region_is_the_union_of_its_labels_and_labels_are_scored_too():
    truth = blobs(2)
    swapped = np.where(truth == 1, 4, np.where(truth == 4, 1, truth)).astype(np.uint8)
    scores = score_masks(swapped, truth, GRID, CONTRACT)
    assert scores["whole tumour"].dice == scores["tumour core"].dice == scores["edema"].dice == 1
    assert scores["core"].dice == scores["enhancing"].dice == 0
    assert list(scores) == ["whole tumour", "tumour core", "enhancing tumour", "edema", "core", "enhancing"]


def test_a_label_that_is_also_a_region_is_scored_once():
    data = CONTRACT.to_dict()
    data["regions"][2]["name"] = "enhancing"
    assert list(targets(LabelContract.from_dict(data))) == ["whole tumour", "tumour core", "enhancing", "edema", "core"]
    data["regions"][0]["name"] = "edema"  # same name, other content: both are kept
    assert list(targets(LabelContract.from_dict(data)))[-2:] == ["edema (label)", "core"]


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(InputError) as caught:
        score_masks(np.zeros((4, 4, 4), np.uint8), np.zeros(GRID.shape, np.uint8), GRID, CONTRACT)
    assert caught.value.code == "grid-mismatch"


@pytest.fixture(scope="module")
def cases() -> list[ProxyCase]:
    return [ProxyCase(seed, size=(32, 32, 32), spacing=(4.5, 5.2, 4.5)) for seed in (1, 2)]


LOADED = SimpleNamespace(contract=CONTRACT, identity={"name": "demo", "version": "v1", "title": "", "intended_use": ""})


def flair_threshold(study, _loaded, reporter):
    """A segmenter with a known rule: what is bright on FLAIR is edema."""
    import SimpleITK as sitk

    reporter.progress("predict", 0.5)
    flair = sitk.GetArrayFromImage(study.channels["FLAIR"])
    return SimpleNamespace(mask=np.where(flair > np.percentile(flair[flair > 0], 90), 2, 0).astype(np.uint8))


def test_every_case_is_segmented_and_scored_against_its_own_truth(cases):
    result = evaluate(LOADED, cases, segmenter=flair_threshold)
    assert result.model == {"name": "demo", "version": "v1"}
    assert (result.regions, result.labels) == (
        ("whole tumour", "tumour core", "enhancing tumour"),
        ("edema", "core", "enhancing"),
    )
    for case, row in zip(cases, result.rows, strict=True):
        mask = flair_threshold(case.study(), None, Reporter()).mask
        assert (row.case, row.hash) == (case.id, case.hash)
        assert row.voxels == tuple(case.voxels.values())
        assert row.scores == score_masks(mask, case.mask(), case.study().reference_grid, CONTRACT)
        assert row.scores["whole tumour"].dice > 0.2
    assert result.mean_dice(result.rows[0]) == pytest.approx(
        np.mean([result.rows[0].scores[r].dice for r in result.regions])
    )
    assert set(result.summary()) == set(result.targets)


def test_an_evaluation_survives_json(cases):
    result = evaluate(LOADED, cases, segmenter=flair_threshold)
    stored = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert Evaluation.from_dict(stored) == result
    with pytest.raises(InputError, match="scores cannot be read"):
        Evaluation.from_dict({**stored, "rows": [{}]})


def test_progress_goes_from_nothing_to_all_and_cancel_is_heeded(cases):
    seen = []
    reporter = Reporter(on_progress=lambda event: seen.append(event.fraction))
    evaluate(LOADED, cases, reporter, segmenter=flair_threshold)
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1
    reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        evaluate(LOADED, cases, reporter, segmenter=flair_threshold)


def test_no_case_and_other_labels_are_refused(cases):
    with pytest.raises(InputError, match="no case"):
        evaluate(LOADED, [], segmenter=flair_threshold)
    data = CONTRACT.to_dict()
    data["labels"][0]["value"] = 9
    other = SimpleNamespace(contract=LabelContract.from_dict(data), identity=LOADED.identity)
    with pytest.raises(InputError, match="other labels") as caught:
        evaluate(other, cases, segmenter=flair_threshold)
    assert "edema = 9" in caught.value.reason


def test_a_real_model_is_evaluated_on_a_synthetic_case(tmp_path, cases):
    loaded = load(write_tiny_model(tmp_path / "model"), "cpu", "torch")
    row = evaluate(loaded, cases[:1]).rows[0]
    predicted = segment(cases[0].study(), loaded)
    assert row.scores["edema"].volume_ml == pytest.approx(predicted.volumes_ml["edema"])
    assert row.scores["whole tumour"].reference_ml == pytest.approx(
        (cases[0].mask() > 0).sum() * cases[0].study().reference_grid.voxel_ml
    )
