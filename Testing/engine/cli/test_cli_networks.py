"""``convnextseg networks``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convnextseg_engine.networks.registry import names


@pytest.mark.real_data
def test_list_shows_the_published_parameter_counts(run, shared: Path) -> None:
    counts = json.loads((shared / "golden" / "mednext" / "params.json").read_text())["counts"]
    ran = run("networks", "list", "--json")
    assert ran.status == 0
    (rows,) = ran.values
    listed = {row["name"]: row["parameters"] for row in rows}
    published = {name.removesuffix("_ds0"): count for name, count in counts.items() if name.endswith("_ds0")}
    assert len(published) == 8
    for name, count in published.items():
        assert listed[f"mednext-{name.lower().replace('_', '-')}"] == count["total_incl_dummy"]


def test_list_names_every_network_with_what_a_user_must_know(run) -> None:
    (rows,) = run("networks", "list", "--json").values
    assert [row["name"] for row in rows] == list(names())
    for row in rows:
        assert row["parameters"] > 1_000_000
        assert row["dim"] in (2, 3)
        assert len(row["patch"]) == 3
        assert row["paper"]
        assert row["licence"]
    lines = run("networks", "list").out.splitlines()
    assert len(lines) == 1 + len(rows)
    assert "5,551,077" in lines[1]


def test_show_tells_all_about_one_also_of_another_kernel(run) -> None:
    (value,) = run("networks", "show", "MedNeXt-B-k7-2d", "--json").values
    assert value["event"] == "result"
    assert value["network"] == {"name": "mednext", "size": "B", "kernel": 7, "width": 32, "dim": 2}
    assert value["deep_supervision"] is True
    assert value["memory"].keys() == {"torch", "openvino"}
    for memory in value["memory"].values():
        assert memory["peak_bytes"] > memory["fixed_bytes"] > 0
        assert not memory["measured"]
    assert "not measured, a cautious guess" in run("networks", "show", "MedNeXt-B-k7-2d").out
    assert "arXiv:2303.09975" in run("networks", "show", "mednext-b-k3").out


def test_an_unknown_name_is_bad_input(run) -> None:
    ran = run("networks", "show", "unet3d-bach", "--json")
    assert ran.status == 2
    assert ran.values[0]["code"] == "unknown-network"
    assert "unet3d-batch" in ran.values[0]["reason"]
