"""nnU-Net v1's own U-Net (``Generic_UNet``) as version 2's ``PlainConvUNet``, which computes the same.

Version 1 splits the lowest stage and those of the decoder into two halves, and has no biases in its transposed
convolutions and heads; those become zeros. The shape is read from the tensors.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from ..networks.dynamic_architectures import PLAIN
from .fitting import Shapes

_CONV = re.compile(r"conv_blocks_(context|localization)\.(\d+)\.(?:([01])\.)?blocks\.(\d+)\.(conv|instnorm)\.(\w+)")
_OTHERS = re.compile(r"(tu|seg_outputs)\.(\d+)\.(weight|bias)")
_PARTS = {"conv": "conv", "instnorm": "norm"}

# (where, stage, convolution) as version 2 counts them.
_Place = tuple[str, int, int]


def generic_unet_network(found: Shapes) -> dict[str, Any] | None:
    """Return what ``networks.registry.build`` takes for these weights, or None if they are not that U-Net's."""
    places = _places(found)
    if places is None or "tu.0.weight" not in found:
        return None
    kernels = {place: found[key] for key, (place, part, name) in places.items() if (part, name) == ("conv", "weight")}
    encoder, decoder = [_stage(kernels, where) for where in ("encoder.stages", "decoder.stages")]
    steps = [found[f"tu.{number}.weight"][2:] for number in range(len(decoder))]
    dim = len(steps[0])
    return {
        "name": "nnunet-unet",
        "architecture": PLAIN,
        "dim": dim,
        "features": [stage[0][0] for stage in encoder],
        "kernels": [list(stage[0][2:]) for stage in encoder],
        # The decoder goes back up, so its first step is into the lowest stage.
        "strides": [[1] * dim, *(list(step) for step in reversed(steps))],
        "blocks": [len(stage) for stage in encoder],
        "decoder_blocks": [len(stage) for stage in decoder],
        "norm": "batch" if any(key.endswith("running_mean") for key in found) else "instance",
        "activation": "leaky-relu",
    }


def plain_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of ``Generic_UNet`` under the names of ``PlainConvUNet``."""
    renamed: dict[str, torch.Tensor] = {}
    for key, ((where, stage, number), part, name) in _places(state).items():
        inner = f"{stage}.0" if where == "encoder.stages" else f"{stage}"
        renamed[f"{where}.{inner}.convs.{number}.{_PARTS[part]}.{name}"] = state[key]
    for key, tensor in state.items():
        match = _OTHERS.fullmatch(key)
        if match:
            kind = "decoder.transpconvs" if match[1] == "tu" else "decoder.seg_layers"
            renamed[f"{kind}.{match[2]}.{match[3]}"] = tensor
            outputs = tensor.shape[1 if match[1] == "tu" else 0]
            renamed.setdefault(f"{kind}.{match[2]}.bias", torch.zeros(outputs))
    return renamed


def _places(found: dict[str, Any]) -> dict[str, tuple[_Place, str, str]] | None:
    """Return where version 2 has each convolution and norm; None if a name is of another network."""
    matches = {key: _CONV.fullmatch(key) for key in found if not _OTHERS.fullmatch(key)}
    if not matches or not all(matches.values()):
        return None
    first_halves: dict[tuple[str, str], int] = {}
    for match in matches.values():
        if match[3] == "0":
            half = (match[1], match[2])
            first_halves[half] = max(first_halves.get(half, 0), int(match[4]) + 1)
    places = {}
    for key, match in matches.items():
        where = "encoder.stages" if match[1] == "context" else "decoder.stages"
        before = first_halves.get((match[1], match[2]), 0) if match[3] == "1" else 0
        places[key] = ((where, int(match[2]), before + int(match[4])), match[5], match[6])
    return places


def _stage(kernels: dict[_Place, tuple[int, ...]], where: str) -> list[list[tuple[int, ...]]]:
    """Return the shapes of the convolutions' weights, stage by stage."""
    stages: dict[int, dict[int, tuple[int, ...]]] = {}
    for (place, stage, number), shape in kernels.items():
        if place == where:
            stages.setdefault(stage, {})[number] = shape
    return [[convs[number] for number in sorted(convs)] for _, convs in sorted(stages.items())]
