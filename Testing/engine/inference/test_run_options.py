"""The user's wishes win over the model's, the model's over the usual, and what cannot be had is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions, Settings, settings_for
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.networks.registry import build
from engine.inference.tiny_model import CONTRACT, FormulaBackend, head, loaded_with, thresholds, tiny_metadata

_GRID = Grid((32, 32, 40), (2.0, 2.0, 2.0), (-31.0, -31.0, -39.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
STUDY = Study({"T1c": head(_GRID, (8, 4, -6), 14, 400)}, "T1c")


def test_without_wishes_the_model_decides() -> None:
    assert settings_for(SegmentOptions(), tiny_metadata()) == Settings(0.5, (), "float32", 0.0)
    told = {"overlap": 0.25, "mirror_axes": [2, 0], "arithmetic": "nnunet-v1", "smallest_component_ml": 0.1}
    assert settings_for(SegmentOptions(), replace(tiny_metadata(), inference=told)) == Settings(
        0.25, (0, 2), "nnunet-v1", 0.1
    )


def test_wishes_win() -> None:
    metadata = replace(tiny_metadata(), inference={"overlap": 0.25, "mirror_axes": [0, 1, 2]})
    wishes = SegmentOptions(mirror=False, overlap=0.75, arithmetic="float32", smallest_component_ml=0.5)
    assert settings_for(wishes, metadata) == Settings(0.75, (), "float32", 0.5)
    assert settings_for(SegmentOptions(mirror=True), metadata).mirror_axes == (0, 1, 2)
    # Our own recipes mirror left and right; a window of one slice is its own mirror image.
    assert settings_for(SegmentOptions(mirror=True), tiny_metadata()).mirror_axes == (2,)
    sliced = replace(metadata, patch=(1, 32, 32))
    assert settings_for(SegmentOptions(mirror=True), sliced).mirror_axes == (1, 2)


@pytest.mark.parametrize(
    ("wish", "words"),
    [({"overlap": 0.95}, "overlap"), ({"overlap": -0.1}, "overlap"), ({"arithmetic": "float8"}, "arithmetic"),
     ({"smallest_component_ml": -1.0}, "smallest component"), ({"smallest_component_ml": float("nan")}, "smallest")],
)  # fmt: skip
def test_wishes_out_of_range_are_refused_with_the_range(wish: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        settings_for(SegmentOptions(**wish), tiny_metadata())
    assert caught.value.code == "bad-option"


def test_a_model_that_knows_left_from_right_is_not_mirrored() -> None:
    metadata = replace(tiny_metadata(), inference={"mirror_axes": []})
    with pytest.raises(InputError, match="mirrored"):
        settings_for(SegmentOptions(mirror=True), metadata)


def test_an_unknown_option_in_a_message_is_refused_by_name() -> None:
    assert SegmentOptions.from_dict({"overlap": 0.25}) == SegmentOptions(overlap=0.25)
    with pytest.raises(InputError, match="overlapp"):
        SegmentOptions.from_dict({"overlapp": 0.25})


def test_the_plan_says_how_often_a_window_is_seen(tiny_model: ModelFolder) -> None:
    backend = FormulaBackend(thresholds(1, 1, 2, 3))
    loaded = loaded_with(tiny_model, backend, 2.0)
    plain = segment(STUDY, loaded)
    once = sum(backend.windows)
    mirrored = segment(STUDY, loaded, options=SegmentOptions(mirror=True))
    assert sum(backend.windows) == 3 * once
    assert "2 mirrored views" in mirrored.plan
    assert "mirrored" not in plain.plan
    assert np.array_equal(plain.mask, mirrored.mask)  # a formula of each voxel cannot tell


def test_islands_that_were_left_out_are_told(tiny_model: ModelFolder) -> None:
    loaded = loaded_with(tiny_model, FormulaBackend(thresholds(1, 1, 50, 50)), 2.0)
    whole = segment(STUDY, loaded)
    assert whole.mask.any()
    emptied = segment(STUDY, loaded, options=SegmentOptions(smallest_component_ml=whole.volumes_ml["edema"] + 0.1))
    assert not emptied.mask.any()
    assert any(warning.startswith("Left out: 1 island below") for warning in emptied.warnings)


def test_a_network_of_slices_and_an_ensemble_run_from_their_folder(tmp_path: Path) -> None:
    metadata = replace(
        tiny_metadata("slices"),
        network={"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 2},
        patch=(32, 1, 32),
    )
    contract = LabelContract.read(CONTRACT)
    members = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        members.append(build(metadata.network, 4, contract.network_outputs).state_dict())
    both = ModelFolder.write(tmp_path / "both", metadata, contract, members[0], "# R\n", more_members=members[1:])
    single = [ModelFolder.write(tmp_path / f"m{i}", metadata, contract, m, "# R\n") for i, m in enumerate(members)]
    small = Grid((20, 6, 24), (2.0, 2.0, 2.0), (-19.0, 0.0, -23.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    study = Study({"T1c": head(small, (8, 4, -6), 14, 400)}, "T1c")
    result = segment(study, load(both, "cpu", "torch"), keep_probabilities=True)
    assert "2 networks" in result.plan
    logits = []
    for model in single:
        one = segment(study, load(model, "cpu", "torch"), keep_probabilities=True).probabilities.astype(np.float64)
        logits.append(np.log(one) - np.log1p(-one))
    expected = 1 / (1 + np.exp(-np.mean(logits, axis=0)))
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-3)
    assert abs(logits[0] - logits[1]).max() > 0.1
