"""The picture: radiological orientation, true proportions, colours of the contract, the notice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference import preview as preview_module
from convnextseg_engine.inference.preview import preview, write_preview
from convnextseg_engine.inference.segment import Segmentation, segment
from convnextseg_engine.models.folder import ModelFolder
from engine.inference.tiny_model import FormulaBackend, head, loaded_with, rotation, thresholds

# Right, front, top of the patient: L, P, S = (-15, -12, 18).
CENTER = (-15.0, -12.0, 18.0)


def _result(model: ModelFolder, grid: Grid) -> tuple[Study, Segmentation]:
    study = Study({"T1c": head(grid, CENTER, 9, 400)}, "T1c")
    return study, segment(study, loaded_with(model, FormulaBackend(thresholds(1, 1, 99, 99)), 1.0))


def _oblique(size: tuple, spacing: tuple, direction: tuple) -> Grid:
    origin = -np.array(direction).reshape(3, 3) @ ((np.array(size) - 1) / 2 * np.array(spacing))
    return Grid(size, spacing, tuple(origin), direction)


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> dict[str, Image.Image]:
    """The three slices as they are put on the sheet."""
    seen: dict[str, Image.Image] = {}
    real = preview_module._sheet

    def sheet(found: list, segmentation: Segmentation) -> Image.Image:
        seen.update(found)
        return real(found, segmentation)

    monkeypatch.setattr(preview_module, "_sheet", sheet)
    return seen


def _edge_center(panel: Image.Image, color: tuple) -> tuple[float, float]:
    """Middle of the outline as fractions of the width and height."""
    rgb = np.asarray(panel).astype(int)
    hit = np.all(np.abs(rgb - np.round(np.array(color) * 255)) <= 1, axis=-1)
    assert hit.any()
    rows, columns = np.nonzero(hit)
    return columns.mean() / panel.width, rows.mean() / panel.height


@pytest.mark.parametrize(
    "grid",
    [_oblique((90, 90, 90), (1.0, 1.0, 1.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)),
     _oblique((90, 90, 30), (1.0, 1.0, 3.0), rotation(20, 15, -30)),
     _oblique((90, 90, 30), (1.0, 1.0, 3.0), (0, 0, -1, 1, 0, 0, 0, -1, 0))],
    ids=["axial", "oblique", "sagittal"],
)  # fmt: skip
def test_right_is_left_front_is_up_top_is_up(tiny_model: ModelFolder, panels: dict, grid: Grid) -> None:
    study, result = _result(tiny_model, grid)
    preview(study.channels["T1c"], result)
    color = result.contract.label("edema").color
    x, y = _edge_center(panels["axial"], color)
    assert x < 0.45
    assert y < 0.45
    x, y = _edge_center(panels["coronal"], color)
    assert x < 0.45
    assert y < 0.45
    x, y = _edge_center(panels["sagittal"], color)
    assert x < 0.48
    assert y < 0.45


def test_a_ball_is_round_though_slices_are_thick(tiny_model: ModelFolder, panels: dict) -> None:
    grid = _oblique((120, 110, 24), (1.0, 1.0, 5.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    study, result = _result(tiny_model, grid)
    preview(study.channels["T1c"], result)
    for name, panel in panels.items():
        assert panel.width / panel.height == pytest.approx(1.0, abs=0.07), name


def test_the_file_is_a_picture_with_the_notice(tiny_model: ModelFolder, tmp_path: Path) -> None:
    grid = _oblique((60, 60, 60), (1.5, 1.5, 1.5), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    study, result = _result(tiny_model, grid)
    write_preview(tmp_path / "p.png", study.channels["T1c"], result)
    picture = np.asarray(Image.open(tmp_path / "p.png"))
    notice = np.all(picture == preview_module._NOTICE, axis=-1)
    assert notice.sum() > 100
    assert [file.name for file in tmp_path.glob("*p.png")] == ["p.png"]


def test_an_empty_mask_still_gives_a_picture(tiny_model: ModelFolder) -> None:
    grid = _oblique((60, 60, 60), (1.5, 1.5, 1.5), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    study = Study({"T1c": head(grid, CENTER, 9, 400)}, "T1c")
    result = segment(study, loaded_with(tiny_model, FormulaBackend(thresholds(1, 99, 99, 99)), 1.5))
    assert preview(study.channels["T1c"], result).width > 600
