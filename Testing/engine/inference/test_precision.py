"""Half precision is taken only where the CPU computes it itself and the masks were found the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference import loaded as loaded_module
from convnextseg_engine.inference import tuning as tuning_module
from convnextseg_engine.inference.equality import compare_labels, verdicts
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.precision import Tuning, choose_precision, read_tuning, tuning_file, write_tuning
from convnextseg_engine.inference.tuning import compare, tune
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.progress import Reporter
from engine.inference.tiny_model import CONTRACT, FormulaBackend, head, loaded_with, thresholds

# What OpenVINO says of three kinds of CPU.
PLAIN = ("FP32", "INT8", "BIN", "EXPORT_IMPORT")
BF16 = ("FP32", "INT8", "BIN", "BF16", "EXPORT_IMPORT")
FP16 = ("FP32", "INT8", "BIN", "BF16", "FP16", "EXPORT_IMPORT")
CONTRACT_ = LabelContract.read(CONTRACT)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVNEXTSEG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("capabilities", "tuning", "hint", "words"),
    [
        (PLAIN, None, "f32", "does not compute half precision"),
        (PLAIN, Tuning("f16", True, 1.5), "f32", "does not compute half precision"),
        (FP16, None, "f32", "has not been compared"),
        (FP16, Tuning("bf16", True, 1.5), "f32", "has not been compared"),
        (FP16, Tuning("f16", False, 1.5), "f32", "differed"),
        (FP16, Tuning("f16", True, 0.9), "f32", "no faster"),
        (FP16, Tuning("f16", True, 1.5), "f16", "1.5 times"),
        (BF16, Tuning("bf16", True, 1.3), "bf16", "1.3 times"),
    ],
)
def test_half_precision_needs_the_cpu_and_the_proof(
    capabilities: tuple, tuning: Tuning | None, hint: str, words: str
) -> None:
    choice = choose_precision(capabilities, tuning)
    assert choice.hint == hint
    assert words in choice.reason


def test_a_comparison_is_stored_and_a_damaged_one_counts_as_none(home: Path) -> None:
    tuning = Tuning("bf16", True, 1.31, [{"label": "edema", "accepted": True}])
    assert read_tuning("these weights") is None
    write_tuning("these weights", tuning)
    assert read_tuning("these weights") == tuning
    assert read_tuning("other weights") is None
    assert tuning_file("these weights").is_relative_to(home)
    for damage in ("{", "[]", json.dumps({"precision": "bf16"})):
        tuning_file("these weights").write_text(damage)
        assert read_tuning("these weights") is None


def test_a_wish_for_half_precision_is_not_taken_for_the_deed(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A CPU that claims half precision and was found equal, as far as the rule can tell; this one here runs fp32.
    monkeypatch.setattr(loaded_module, "cpu_capabilities", lambda: FP16)
    monkeypatch.setattr(loaded_module, "read_tuning", lambda identity: Tuning("f16", True, 1.5))
    asked: list[str] = []
    real = loaded_module.OpenVinoBackend

    def spying(*arguments: object) -> object:
        asked.append(str(arguments[-1]))
        return real(*arguments)

    monkeypatch.setattr(loaded_module, "OpenVinoBackend", spying)
    loaded = load(tiny_model, "cpu")
    assert asked == ["f16"]
    assert "Half precision: 1.5 times" in loaded.backend_reason
    kind = loaded.backend._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    assert loaded.backend.precision == {"f32": "fp32", "f16": "fp16"}[kind]


def _ball(radius: float, shift: float = 0.0) -> np.ndarray:
    place = np.stack(np.meshgrid(*(np.arange(40.0) - 20,) * 3, indexing="ij"))
    place[2] -= shift
    return np.linalg.norm(place, axis=0) <= radius


@pytest.mark.parametrize(
    ("exact", "faster", "voxel_ml", "equal"),
    [
        (_ball(12), _ball(12), 0.001, True),
        (_ball(12), _ball(12, 1.0), 0.001, False),  # moved by a voxel: Dice 0.94
        (_ball(12), _ball(11.5), 0.001, False),
        (_ball(5), np.zeros((40, 40, 40), bool), 0.001, False),
        (np.zeros((40, 40, 40), bool), _ball(5), 0.001, False),
        (np.zeros((40, 40, 40), bool), np.zeros((40, 40, 40), bool), 0.001, True),
    ],
)
def test_a_label_is_equal_by_dice_volume_and_distance(
    exact: np.ndarray, faster: np.ndarray, voxel_ml: float, equal: bool
) -> None:
    row = compare_labels("a", exact.astype(np.uint8) * 2, faster.astype(np.uint8) * 2, CONTRACT_, voxel_ml)
    assert {r.label: r.equal for r in row}["edema"] == equal


def test_a_small_lesion_may_differ_by_more_but_not_in_volume() -> None:
    exact = _ball(5.5)  # 0.7 mL
    faster = exact.copy()
    border = np.argwhere(exact)
    faster[tuple(border[0])] = False
    assert compare_labels("a", exact * np.uint8(2), faster * np.uint8(2), CONTRACT_, 0.001)[0].equal
    for place in border[1:8]:
        faster[tuple(place)] = False
    worse = compare_labels("a", exact * np.uint8(2), faster * np.uint8(2), CONTRACT_, 0.001)[0]
    assert worse.dice > 0.99
    assert worse.volume_change > 0.005
    assert not worse.equal


def test_one_unequal_case_or_too_few_cases_refuse_a_label() -> None:
    same = [
        compare_labels(str(i), _ball(9) * np.uint8(2), _ball(9) * np.uint8(2), CONTRACT_, 0.001)[0] for i in range(10)
    ]
    moved = compare_labels("x", _ball(9) * np.uint8(2), _ball(9, 1) * np.uint8(2), CONTRACT_, 0.001)[0]
    assert [verdict.accepted for verdict in verdicts(same)] == [True]
    assert not verdicts(same[:9])[0].accepted
    worst = verdicts([*same, moved])[0]
    assert not worst.accepted
    assert worst.worst_dice == moved.dice


@dataclass
class _Case:
    id: str
    radius: float

    def study(self) -> Study:
        grid = Grid((44, 44, 44), (2.0, 2.0, 2.0), (-43.0, -43.0, -43.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        return Study({"T1c": head(grid, (8, 4, -6), self.radius, 400)}, "T1c")


@pytest.mark.parametrize(("level", "accepted"), [(1.0, True), (-0.5, False)])
def test_comparing_two_ways_of_computing_stores_the_verdict(
    tiny_model: ModelFolder, level: float, accepted: bool
) -> None:
    exact = loaded_with(tiny_model, FormulaBackend(thresholds(1, 1.0, 50, 50)), 2.0)
    faster = loaded_with(tiny_model, FormulaBackend(thresholds(1, level, 50, 50)), 2.0)
    cases = [_Case(f"c{i}", 9 + i) for i in range(10)]
    found = compare(exact, faster, "f16", cases, "identity", Reporter())
    edema = next(verdict for verdict in found.labels if verdict.label == "edema")
    assert edema.accepted == accepted
    assert edema.cases == 10
    # Labels that never appear are not proved equal, so the model as a whole is not.
    assert not found.tuning.accepted
    assert read_tuning("identity") == found.tuning


def test_tuning_is_refused_where_it_can_change_nothing(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_module, "cpu_capabilities", lambda: PLAIN)
    with pytest.raises(InputError, match="does not compute half precision"):
        tune(tiny_model, [])
    monkeypatch.setattr(tuning_module, "cpu_capabilities", lambda: BF16)
    with pytest.raises(InputError, match="too few"):
        tune(tiny_model, [_Case("a", 8)])
