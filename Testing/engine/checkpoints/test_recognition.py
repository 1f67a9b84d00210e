"""Recognising weights builds few networks; weights that nearly fit are told which network they nearly are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from convnextseg_engine.checkpoints import fitting, state_file
from convnextseg_engine.checkpoints.answers import ImportAnswers
from convnextseg_engine.errors import InputError
from convnextseg_engine.networks.registry import NETWORKS, build, name_of, named, names

TINY = {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 3}


def _shapes(network: dict) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in build(network, 3, 2).state_dict().items()}


@pytest.mark.parametrize("family", [family.name for family in NETWORKS.values() if family.variants])
def test_every_network_of_a_family_has_its_landmark(family: str) -> None:
    known = NETWORKS[family]
    for variant in known.variants:
        for dim in variant.dims:
            described = {"name": family} | variant.arguments | {"width": 8}
            assert known.landmark in _shapes(described | ({"dim": dim} if known.takes("dim") else {}))


def test_only_the_family_of_the_weights_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _shapes(TINY)
    built = []

    def counted(network: dict, *arguments: int) -> torch.nn.Module:
        built.append(network["name"])
        return build(network, *arguments)

    monkeypatch.setattr(fitting, "build", counted)
    fitting._shapes_of.cache_clear()
    (fit,) = fitting.fits(found)
    assert fit.network == TINY
    assert set(built) == {"mednext"}
    assert len(built) <= 16  # each takes a twentieth of a second; every family took 5 seconds, 3 of them MONAI's


def test_recognising_a_mednext_does_not_import_monai() -> None:
    program = (
        "import sys, torch\n"
        "from convnextseg_engine.checkpoints.fitting import fits\n"
        "from convnextseg_engine.networks.registry import build\n"
        f"with torch.device('meta'): weights = build({TINY!r}, 3, 2).state_dict()\n"
        "assert len(fits({key: tuple(value.shape) for key, value in weights.items()})) == 1\n"
        "assert 'monai' not in sys.modules\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", [*names(), "mednext-b-k7-w16", "convunext-k3-3d", "unet-w8-2d"])
def test_the_name_of_what_a_name_stands_for_is_that_name(name: str) -> None:
    assert name_of(named(name).network) == name


def _refused(tensors: dict[str, torch.Tensor], folder: Path, network: str | None = None) -> InputError:
    torch.save(tensors, folder / "w.pth")
    with pytest.raises(InputError) as refusal:
        state_file.read(folder / "w.pth", ImportAnswers(network=network))
    return refusal.value


def _missing(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["down_1.conv2.bias"]


def _without_landmark(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["enc_block_0.0.conv1.weight"]


def _extra(tensors: dict[str, torch.Tensor]) -> None:
    tensors["ema.decay"] = torch.zeros(1)


def _misshapen(tensors: dict[str, torch.Tensor]) -> None:
    tensors["up_2.conv3.weight"] = torch.zeros(5, 7, 1, 1, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_missing, "it lacks down_1.conv2.bias"),
        (_without_landmark, "it lacks enc_block_0.0.conv1.weight"),
        (_extra, "it has besides ema.decay"),
        (_misshapen, "up_2.conv3.weight (5×7×1×1×1 instead of 16×64×1×1×1)"),
    ],
)
def test_a_mednext_that_nearly_fits_is_named_with_what_differs(change, words: str, tmp_path: Path) -> None:
    tensors = build(TINY, 3, 2).state_dict()
    change(tensors)
    error = _refused(tensors, tmp_path)
    assert error.code == "unknown-network"
    assert "The closest network is mednext-s-k3-w4 (3 channels in, 2 out)" in error.reason
    assert words in error.reason
    assert "save its whole state_dict again" in error.remedy


def test_many_differences_are_cut_short_and_the_network_that_was_named_is_compared(tmp_path: Path) -> None:
    tensors = {key: value for key, value in build(TINY, 3, 2).state_dict().items() if not key.startswith("dec_block_3")}
    error = _refused(tensors, tmp_path, "mednext-s-k3")
    assert "--network" in error.message
    assert "mednext-s-k3-w4" in error.reason
    assert "dec_block_3.0.conv1.weight" in error.reason
    assert "and 13 more" in error.reason


def test_weights_of_something_else_are_near_to_nothing(tmp_path: Path) -> None:
    error = _refused(torch.nn.TransformerEncoderLayer(8, 2).state_dict(), tmp_path)
    assert error.code == "unknown-network"
    assert "closest" not in error.reason
    assert "They are called" in error.reason
