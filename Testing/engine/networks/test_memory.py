"""Memory coefficients of networks: measured, scaled by width, or a cautious guess."""

from __future__ import annotations

import pytest

from convnextseg_engine.networks import memory
from convnextseg_engine.networks.memory import memory_of
from convnextseg_engine.networks.registry import names

SMALL = {"name": "mednext", "size": "S", "kernel": 3, "width": 32, "dim": 3}
FIGURES = {
    "small": {"network": SMALL, "torch": {"peak_bytes": 900, "fixed_bytes": 100, "per_voxel": 8.0}},
    "large": {
        "network": SMALL | {"size": "L"},
        "torch": {"peak_bytes": 9000, "fixed_bytes": 1000, "per_voxel": 20.0},
        "openvino": {"peak_bytes": 7000, "fixed_bytes": 1500, "per_voxel": 10.0},
    },
}


@pytest.fixture()
def figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_measured", lambda: tuple(FIGURES.values()))


@pytest.mark.usefixtures("figures")
def test_a_measured_network_has_its_own_figures() -> None:
    coefficients = memory_of(SMALL)
    assert (coefficients.fixed_bytes, coefficients.per_voxel, coefficients.measured) == (100, 8.0, True)
    assert coefficients.peak((2, 3, 4)) == 100 + 8 * 24
    assert coefficients.peak((2, 3, 4), batch=5) == 100 + 8 * 24 * 5
    assert memory_of(SMALL | {"size": "L"}, "openvino").fixed_bytes == 1500


@pytest.mark.usefixtures("figures")
def test_another_width_scales_activations_and_weights() -> None:
    assert memory_of(SMALL | {"width": 64}).peak((1, 1, 1)) == 100 * 4 + 16
    narrow = memory_of(SMALL | {"width": 8})
    assert (narrow.fixed_bytes, narrow.per_voxel, narrow.measured) == (25, 2.0, True)


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize("change", [{"kernel": 7}, {"size": "M"}, {"grn": True}])
def test_for_another_change_the_costliest_of_the_family_stands_in(change: dict) -> None:
    coefficients = memory_of(SMALL | change)
    assert (coefficients.fixed_bytes, coefficients.measured) == (1000, False)


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize(
    ("network", "backend"),
    [({"name": "nobody's"}, "torch"), (SMALL | {"dim": 2}, "torch"), ({}, "openvino"), ({"name": ["x"]}, "torch")],
)
def test_where_nothing_is_known_the_guess_is_above_everything_that_is(network: dict, backend: str) -> None:
    coefficients = memory_of(network, backend)
    assert not coefficients.measured
    assert coefficients.per_voxel > 100
    assert memory_of(network | {"width": 64}, backend).per_voxel == 2 * coefficients.per_voxel
    assert memory_of(network | {"width": "64"}, backend) == coefficients


def test_an_unknown_backend_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no backend"):
        memory_of(SMALL, "abacus")


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_the_guess_is_above_every_shipped_figure(backend: str) -> None:
    guess = memory_of({"name": "nobody's"}, backend)
    for row in memory._measured():
        if row["network"]["width"] <= 32 and backend in row:
            assert row[backend]["per_voxel"] <= guess.per_voxel, row["name"]
            assert row[backend]["fixed_bytes"] <= guess.fixed_bytes, row["name"]


def test_shipped_figures_are_of_networks_that_exist() -> None:
    assert {row["name"] for row in memory._measured()} <= set(names())
