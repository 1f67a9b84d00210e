"""Memory coefficients of networks: measured, scaled by width, counted on paper, or a cautious guess."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest

from convnextseg_engine.networks import memory
from convnextseg_engine.networks.cost import activation_bytes
from convnextseg_engine.networks.memory import MemoryCoefficients, memory_of
from convnextseg_engine.networks.registry import names

SMALL = {"name": "mednext", "size": "S", "kernel": 3, "width": 32, "dim": 3}
_PAPER = {"patch": [96, 96, 96], "parameters": 5_500_000, "activation_bytes": 1_000_000_000}
FIGURES = (
    {"network": SMALL, "torch": {"fixed_bytes": 100, "working": [[10, 640], [20, 960]]}} | _PAPER,
    {
        "network": SMALL | {"size": "L"},
        "torch": {"fixed_bytes": 1000, "working": [[64**3, 600_000_000], [96**3, 2_000_000_000]]},
        "openvino": {"fixed_bytes": 1500, "working": [[96**3, 1_000_000_000]]},
    }
    | _PAPER,
)
NOBODYS = [{"name": "nobody's"}, {}, {"name": ["x"]}, SMALL | {"kernel": 4}]


@pytest.fixture()
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory, "_measured", lambda: FIGURES)
    memory._counted.cache_clear()
    yield
    memory._counted.cache_clear()


@pytest.mark.usefixtures("figures")
def test_a_measured_network_has_its_own_figures() -> None:
    coefficients = memory_of(SMALL)
    assert (coefficients.fixed_bytes, coefficients.measured) == (100, True)
    assert coefficients.peak((1, 2, 5)) == 100 + 640
    assert coefficients.peak((1, 1, 5), batch=3) == 100 + 800  # between two windows
    assert coefficients.peak((1, 2, 5), batch=4) == 100 + 960 + 20 * 32  # beyond them, by the last slope
    assert coefficients.working((1, 1, 5)) == 480  # below them, where what is fixed remains
    assert coefficients.working((1, 1, 1)) == 352
    assert memory_of(SMALL | {"size": "L"}, "openvino").working((96, 96, 96), 2) == 2_000_000_000


def test_below_the_smallest_window_memory_falls_at_most_in_proportion() -> None:
    bent = MemoryCoefficients(0, 90.0, points=((10, 100), (20, 1000)))
    assert [bent.working((1, 1, voxels)) for voxels in (1, 5, 10, 15, 30)] == [10, 50, 100, 550, 1900]
    assert MemoryCoefficients(0, 7.0, points=((10, 70),)).working((1, 1, 4)) == 28
    assert MemoryCoefficients(5, 7.0).peak((1, 1, 4)) == 33


@pytest.mark.usefixtures("figures")
def test_another_width_scales_activations_and_weights_but_not_image_and_logits() -> None:
    ends = 8 * 4  # four channels and four logits a voxel
    assert memory_of(SMALL | {"width": 64}).fixed_bytes == 400
    assert memory_of(SMALL | {"width": 64}).working((1, 2, 5)) == 10 * ends + 2 * (640 - 10 * ends)
    narrow = memory_of(SMALL | {"width": 8})
    assert (narrow.fixed_bytes, narrow.measured) == (25, True)
    assert narrow.working((1, 2, 5)) == 10 * ends + (640 - 10 * ends) // 4


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize(("change", "like"), [({"size": "L", "kernel": 5}, 1), ({"grn": True}, 0)])
def test_for_another_change_activations_are_counted_and_the_likest_of_the_family_tells_what_is_beyond(
    change: dict, like: int
) -> None:
    network = SMALL | change
    coefficients = memory_of(network)
    assert not coefficients.measured
    counted = activation_bytes(network, 4, 4, (64, 64, 64)) / 64**3
    scale = 1.25 * counted * 96**3 / _PAPER["activation_bytes"]
    expected = tuple((voxels, int(taken * scale)) for voxels, taken in FIGURES[like]["torch"]["working"])
    assert coefficients.points == expected


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize("network", NOBODYS)
@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_where_nothing_can_be_counted_the_guess_is_above_everything(network: dict, backend: str) -> None:
    coefficients = memory_of(network, backend)
    assert not coefficients.measured
    assert coefficients.per_voxel > 5000
    assert memory_of(network | {"width": 64}, backend).per_voxel == 2 * coefficients.per_voxel
    assert memory_of(network | {"width": "64"}, backend) == coefficients


def test_an_unknown_backend_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no backend"):
        memory_of(SMALL, "abacus")


# Working memory of networks that the registry does not list, one window of 64³ voxels, four channels in and four out,
# as scripts/measure_one_network.py measures it.
WIDE_KERNEL = {"name": "mednext", "size": "S", "kernel": 7, "width": 16, "dim": 3}
NNUNET = {
    "name": "nnunet-unet", "architecture": "PlainConvUNet", "dim": 3, "features": [32, 64, 128, 256, 320],
    "kernels": [[3, 3, 3]] * 5, "strides": [[1, 1, 1]] + [[2, 2, 2]] * 4, "blocks": [2] * 5, "decoder_blocks": [2] * 4,
}  # fmt: skip
UNLISTED = [
    (WIDE_KERNEL, "torch", 155_541_504),
    (NNUNET, "torch", 348_078_080),
    (NNUNET, "openvino", 138_485_760),
]
# And of the bundled model's, which differs from a listed one in its width.
BUNDLED = [("torch", 146_587_648), ("openvino", 125_558_784)]


@pytest.mark.parametrize(("network", "backend", "taken"), UNLISTED)
def test_the_figure_of_an_unlisted_network_is_cautious_and_no_more_than_twice_what_it_took(
    network: dict, backend: str, taken: int
) -> None:
    assert taken <= memory_of(network, backend).working((64, 64, 64)) <= 2 * taken


@pytest.mark.parametrize(("backend", "taken"), BUNDLED)
def test_the_figure_of_another_width_is_within_a_tenth_of_what_was_measured(backend: str, taken: int) -> None:
    coefficients = memory_of(SMALL | {"width": 16}, backend)
    assert coefficients.measured
    assert coefficients.working((64, 64, 64)) == pytest.approx(taken, rel=0.1)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_the_guess_from_activations_alone_is_above_every_shipped_figure(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for row in memory._measured() if "working" in row.get(backend, {})]
    monkeypatch.setattr(memory, "_measured", lambda: ())
    memory._counted.cache_clear()
    over = []
    for row in rows:
        guess = memory_of(row["network"], backend)
        assert not guess.measured
        for voxels, taken in row[backend]["working"]:
            assert taken <= guess.working((1, 1, voxels)), (row["name"], voxels)
        assert row[backend]["fixed_bytes"] <= guess.fixed_bytes, row["name"]
        over.append(guess.working((1, 1, voxels)) / taken)
    memory._counted.cache_clear()
    # MedNeXt's fused path keeps less than its layers on paper, and packs no weights.
    assert statistics.median(over) < 3
    assert max(over) < 5


def test_shipped_figures_are_of_networks_that_exist_and_were_measured_in_order() -> None:
    rows = memory._measured()
    assert {row["name"] for row in rows} <= set(names())
    for row in rows:
        for backend in ("torch", "openvino"):
            voxels = [point[0] for point in row.get(backend, {}).get("working", [])]
            assert voxels == sorted(set(voxels)), row["name"]
