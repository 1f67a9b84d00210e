"""The page's table is what was measured, and measuring goes on where it was interrupted."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.networks.registry import named

FIGURES = {"seconds": 1.25, "spread": [1.0, 2.0], "runs": 3, "peak_bytes": 10, "fixed_bytes": 4, "per_voxel": 1.0}


@pytest.fixture()
def script(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    return importlib.import_module("measure_networks")


@pytest.fixture()
def measured_names(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks that were measured, in turn; nothing is run."""
    asked: list[str] = []

    def row_of(info, backends, seconds) -> dict:
        asked.append(info.name)
        if info.name == "unet":
            raise RuntimeError("unet with torch: exit status 1, killed")
        return {"name": info.name, "network": info.network, "patch": [1, 2, 3], "parameters": 1234, "gmac": 5.0,
                } | dict.fromkeys(backends, FIGURES)  # fmt: skip

    monkeypatch.setattr(script, "row_of", row_of)
    return asked


def call(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *argv: object) -> int:
    monkeypatch.setattr("sys.argv", ["measure_networks.py", *map(str, argv)])
    return script.main()


def test_the_page_shows_the_shipped_figures(script: ModuleType) -> None:
    page = script.PAGE.read_text(encoding="utf-8")
    figures = json.loads(script.KEPT.read_text(encoding="utf-8"))
    assert script.with_table(page, figures) == page
    with pytest.raises(ValueError, match="no place"):
        script.with_table("# Networks", figures)


def test_an_interrupted_measurement_goes_on(
    script: ModuleType, measured_names: list[str], monkeypatch, tmp_path: Path, capsys
) -> None:
    file = tmp_path / "figures.json"
    assert call(script, monkeypatch, "segresnet", "mednext-s-k3", "--json", file) == 0
    assert call(script, monkeypatch, "segresnet", "convunext", "--json", file) == 0
    assert measured_names == ["segresnet", "mednext-s-k3", "convunext"]
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    assert [row["name"] for row in rows] == ["mednext-s-k3", "convunext", "segresnet"]  # the registry's order
    assert "| convunext | 1,234 | 1 × 2 × 3 | 5.0 | 1.25 | 0.00 | 1.25 | 0.00 |" in capsys.readouterr().out
    assert call(script, monkeypatch, "convunext", "--json", file, "--again") == 0
    assert measured_names[-1] == "convunext"
    assert len(measured_names) == 4


def test_what_was_only_counted_is_measured_later(
    script: ModuleType, measured_names: list[str], monkeypatch, tmp_path: Path, capsys
) -> None:
    file = tmp_path / "figures.json"
    assert call(script, monkeypatch, "segresnet", "--json", file, "--on-paper") == 0
    assert "| segresnet | 1,234 | 1 × 2 × 3 | 5.0 | – | – | – | – |" in capsys.readouterr().out
    assert call(script, monkeypatch, "segresnet", "--json", file) == 0
    assert call(script, monkeypatch, "segresnet", "--json", file, "--on-paper") == 0
    assert measured_names == ["segresnet"] * 2
    assert "– |" not in capsys.readouterr().out


def test_figures_of_another_computer_are_dropped(
    script: ModuleType, measured_names: list[str], monkeypatch, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    call(script, monkeypatch, "segresnet", "--json", file)
    other = json.loads(file.read_text(encoding="utf-8"))
    other["machine"]["torch"] = "0.1"
    file.write_text(json.dumps(other), encoding="utf-8")
    call(script, monkeypatch, "convunext", "--json", file)
    assert [row["name"] for row in json.loads(file.read_text(encoding="utf-8"))["rows"]] == ["convunext"]


def test_a_network_that_fails_does_not_end_the_others(
    script: ModuleType, measured_names: list[str], monkeypatch, tmp_path: Path, capsys
) -> None:
    file = tmp_path / "figures.json"
    assert call(script, monkeypatch, "unet", "segresnet", "--json", file) == 1
    assert measured_names == ["unet", "segresnet"]
    assert [row["name"] for row in json.loads(file.read_text(encoding="utf-8"))["rows"]] == ["segresnet"]
    assert "exit status 1, killed" in capsys.readouterr().err


def test_an_unknown_network_is_refused_before_anything_is_measured(
    script: ModuleType, measured_names: list[str], monkeypatch
) -> None:
    with pytest.raises(InputError, match="no network"):
        call(script, monkeypatch, "segresnet", "mednxt")
    assert measured_names == []


@pytest.mark.slow
def test_one_network_is_really_measured(script: ModuleType, monkeypatch) -> None:
    monkeypatch.setitem(script._OTHER_WINDOW, 2, (1, 64, 64))
    row = script.row_of(named("segresnet-w8-2d"), ["torch"], 0)
    figures = row["torch"]
    assert figures["runs"] == 1
    assert 0 < figures["seconds"] < 600
    # The logits and the input alone are 2 MB, and the weights 1.6 MB.
    assert 2e6 < figures["peak_bytes"] < 1e9
    line = figures["fixed_bytes"] + figures["per_voxel"] * 256 * 256
    assert line == pytest.approx(figures["peak_bytes"], rel=0.01)
