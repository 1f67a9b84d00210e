"""Weights of MONAI's MedNeXt: S is the authors' network, B, M and L are built in MONAI's own shape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monai.networks.nets.mednext import MedNeXt

from convnextseg_engine.checkpoints import state_file
from convnextseg_engine.checkpoints.answers import ImportAnswers
from convnextseg_engine.networks.registry import build

ANSWERS = ImportAnswers(
    channels=("T1c", "FLAIR"), labels=(("edema", 1), ("core", 2)), spacing=(1.0, 1.0, 1.0), axes="RAS",
    intensity="zscore-nonzero", licence="Apache-2.0", patch=(32, 32, 32),
)  # fmt: skip
# Expansion and blocks of encoder, bottleneck and decoder in MONAI's create_mednext.
SHAPES = {
    "S": ((2, 2, 2, 2), (2, 2, 2, 2)),
    "B": ((2, 3, 4, 4), (2, 2, 2, 2)),
    "M": ((2, 3, 4, 4), (3, 4, 4, 4)),
    "L": ((3, 4, 8, 8), (3, 4, 8, 8)),
}


def _monai(size: str, *, dim: int = 3, grn: bool = False, supervised: bool = False) -> MedNeXt:
    torch.manual_seed(3)
    expansion, blocks = SHAPES[size]
    network = MedNeXt(
        dim, 4, 2, 3, expansion, expansion[::-1], expansion[-1], 3, supervised, True, blocks, blocks[-1], blocks[::-1],
        "group", grn,
    )  # fmt: skip
    for name, parameter in network.named_parameters():
        if "global_resp" in name:  # they begin at 0, where they do nothing
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ("S", {}), ("B", {}), ("M", {}), ("L", {}), ("S", {"supervised": True}), ("B", {"dim": 2}),
        ("B", {"grn": True}), ("S", {"grn": True}),
    ],
)  # fmt: skip
def test_every_size_gives_monais_outputs(tmp_path: Path, size: str, options: dict) -> None:
    network = _monai(size, **options)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    dim = options.get("dim", 3)
    read = state_file.read(tmp_path / "w.pt", replace(ANSWERS, patch=(32,) * 3 if dim == 3 else (32, 32, 1)))
    assert (read.network["name"], read.network["size"], read.network["dim"]) == ("mednext", size, dim)
    as_published = size == "S" and not options.get("grn")
    assert read.network.get("shape") == (None if as_published else "monai")
    model = read.write(tmp_path / "model", "monai-mednext")
    ours = build(model.metadata.network, 2, 3).eval()
    ours.load_state_dict(read.state_dicts[0])
    image = torch.randn((1, 2) + (32,) * dim)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), network(image), atol=1e-4, rtol=1e-4)


def test_weights_in_monais_shape_are_not_taken_for_the_published_one(tmp_path: Path) -> None:
    torch.save(_monai("B").state_dict(), tmp_path / "w.pt")
    read = state_file.read(tmp_path / "w.pt", ANSWERS)
    with pytest.raises(RuntimeError, match="size mismatch"):
        build({**read.network, "shape": "published"}, 2, 3).load_state_dict(read.state_dicts[0])
    assert any("MONAI" in note for note in read.notes)
