"""The page's table is what was measured, and measuring goes on where it was interrupted."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.networks.registry import named

SECONDS = {"seconds": 1.25, "spread": [1.0, 2.0], "runs": 3}


@pytest.fixture()
def script(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    return importlib.import_module("measure_networks")


@pytest.fixture()
def measured_names(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks that were measured, in turn, once a backend; nothing is run."""
    asked: list[str] = []

    def measured(info, backend, parts, seconds) -> dict:
        asked.append(info.name)
        if info.name == "unet":
            raise RuntimeError("unet with torch: exit status 1, killed")
        windows = script.windows_of(info)
        printed = {"seconds": [1.0, 1.25, 2.0], "fixed": [1] * len(windows), "working": [10**9] * len(windows)}
        return script.figures_of(printed, windows, parts)

    def on_paper(info) -> dict:
        return {"name": info.name, "network": info.network, "patch": [1, 2, 3], "parameters": 1234, "gmac": 5.0}

    monkeypatch.setattr(script, "measured", measured)
    monkeypatch.setattr(script, "on_paper", on_paper)
    monkeypatch.setattr(script.util, "find_spec", lambda name: name == "torch")  # one backend will do
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
    assert "| convunext | 1,234 | 1 × 2 × 3 | 5.0 | 1.25 | 1.00 | – | – |" in capsys.readouterr().out
    assert call(script, monkeypatch, "convunext", "--json", file, "--again") == 0
    assert measured_names[-1] == "convunext"
    assert len(measured_names) == 4


def test_seconds_memory_and_counts_are_taken_at_different_times(
    script: ModuleType, measured_names: list[str], monkeypatch, tmp_path: Path, capsys
) -> None:
    def shown(*more: object) -> str:
        assert call(script, monkeypatch, "segresnet", "--json", tmp_path / "figures.json", *more) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert shown("--only", "paper") == "| segresnet | 1,234 | 1 × 2 × 3 | 5.0 | – | – | – | – |"
    assert shown("--only", "memory") == "| segresnet | 1,234 | 1 × 2 × 3 | 5.0 | – | 1.00 | – | – |"
    assert shown("--only", "seconds") == "| segresnet | 1,234 | 1 × 2 × 3 | 5.0 | 1.25 | 1.00 | – | – |"
    assert measured_names == ["segresnet"] * 2
    assert shown() == shown("--only", "paper")  # nothing is left to measure
    assert measured_names == ["segresnet"] * 2
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["rows"][0]["torch"]
    assert figures == SECONDS | {"fixed_bytes": 1, "working": [[n**3, 10**9] for n in (48, 64, 96)]}


def test_memory_of_fewer_windows_than_are_asked_for_is_measured_anew(
    script: ModuleType, measured_names: list[str], monkeypatch, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    call(script, monkeypatch, "segresnet", "--json", file)
    figures = json.loads(file.read_text(encoding="utf-8"))
    del figures["rows"][0]["torch"]["working"][-1]
    file.write_text(json.dumps(figures), encoding="utf-8")
    call(script, monkeypatch, "segresnet", "--json", file)
    assert measured_names == ["segresnet"] * 2


def test_memory_is_measured_only_of_windows_that_the_network_takes(script: ModuleType) -> None:
    assert [w[0] for w in script.windows_of(named("mednext-s-k3"))] == [48, 64, 96]
    assert [w[0] for w in script.windows_of(named("convnext-unet-t"))] == [64, 96]
    assert script.windows_of(named("unet-2d")) == [(1, 64, 64), (1, 128, 128), (1, 256, 256)]


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
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    assert {row["name"]: "torch" in row for row in rows} == {"unet": False, "segresnet": True}
    assert "exit status 1, killed" in capsys.readouterr().err


def test_an_unknown_network_is_refused_before_anything_is_measured(
    script: ModuleType, measured_names: list[str], monkeypatch
) -> None:
    with pytest.raises(InputError, match="no network"):
        call(script, monkeypatch, "segresnet", "mednxt")
    assert measured_names == []


@pytest.mark.slow
def test_one_network_is_really_measured(script: ModuleType, monkeypatch) -> None:
    monkeypatch.setitem(script._SMALLER, 2, ((1, 64, 64),))
    figures = script.measured(named("segresnet-w8-2d"), "torch", {"memory", "seconds"}, 0)
    assert figures["runs"] == 1
    assert 0 < figures["seconds"] < 600
    (few, less), (many, more) = figures["working"]
    assert (few, many) == (64 * 64, 256 * 256)
    # The logits alone are 1 MB, the weights 1.6 MB.
    assert 0 < less < more < 1e9
    assert more > 1e6
    assert 1e6 < figures["fixed_bytes"] < 1e9
