"""Networks that MONAI's bundles name: MONAI's own modules, from an allow-list, with plain arguments.

Which module a bundle wants is a text in a file from elsewhere. Only the names below lead anywhere, and their arguments
are numbers, texts, truth values and lists of them: nothing is imported or evaluated by name.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from monai.networks import nets
from torch import nn

Extents = int | tuple[int, ...]

_PLAIN = (str, int, float, bool, type(None))
# Published networks have at most 1024 channels and lists of 8; a damaged description must not ask for terabytes.
_LARGEST_NUMBER, _LONGEST_LIST, _DEEPEST = 4096, 32, 4


def _by_strides(arguments: dict[str, Any]) -> Extents:
    strides = [(s,) * arguments["spatial_dims"] if isinstance(s, int) else tuple(s) for s in arguments["strides"]]
    return tuple(math.prod(axis) for axis in zip(*strides, strict=True))


def _by_levels(arguments: dict[str, Any]) -> Extents:
    return 2 ** (len(arguments["blocks_down"]) - 1)


# Networks that can be built without memory, as every description from elsewhere is before its weights are read;
# SwinUNETR cannot, and UNETR takes windows of one size only. Name to MONAI's module, and what the extents of its input
# must be divisible by, from its arguments.
_ALLOWED: dict[str, tuple[type[nn.Module], Callable[[dict[str, Any]], Extents]]] = {
    "AttentionUnet": (nets.AttentionUnet, _by_strides),
    "BasicUNet": (nets.BasicUNet, lambda _: 16),
    "BasicUNetPlusPlus": (nets.BasicUNetPlusPlus, lambda _: 16),
    "DynUNet": (nets.DynUNet, _by_strides),
    "MedNeXt": (nets.MedNeXt, lambda arguments: 2 ** len(arguments["blocks_down"])),
    "SegResNet": (nets.SegResNet, _by_levels),
    "SegResNetDS": (nets.SegResNetDS, _by_levels),
    "UNet": (nets.UNet, _by_strides),
    "VNet": (nets.VNet, lambda _: 16),
}
ALLOWED = tuple(_ALLOWED)


class MonaiNetwork(nn.Module):
    """One of MONAI's networks; its weights are called as MONAI calls them, after ``network.``.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        architecture: One of :data:`ALLOWED`.
        arguments: MONAI's own, without ``in_channels`` and ``out_channels``.

    Raises:
        ValueError: If the architecture is not on the list, an argument is not plain, or MONAI refuses them.
    """

    def __init__(self, inputs: int, outputs: int, *, architecture: str, arguments: dict[str, Any], dim: int = 3):
        super().__init__()
        if not isinstance(architecture, str) or architecture not in _ALLOWED:
            raise ValueError(f"MONAI's “{architecture}” is not one of {', '.join(ALLOWED)}")
        if not isinstance(arguments, dict):
            raise ValueError("the arguments are no dictionary")
        check_plain(arguments)
        if arguments.get("spatial_dims", 3) != dim:
            raise ValueError(f"“spatial_dims” is {arguments['spatial_dims']}, and dim is {dim}")
        module, divisor_of = _ALLOWED[architecture]
        try:
            bound = inspect.signature(module).bind(in_channels=inputs, out_channels=outputs, **arguments)
            self.network = module(**bound.arguments)
            bound.apply_defaults()
            divisor = divisor_of(bound.arguments)
        except Exception as error:  # MONAI refuses in many ways, from assertions to missing keys
            first_line = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ValueError(f"MONAI's {architecture} refuses its arguments: {first_line}") from error
        self.divisor = divisor if isinstance(divisor, int) or len(set(divisor)) > 1 else divisor[0]
        self.norm_over_space = True

    @property
    def smallest(self) -> Extents:
        """The smallest extents of the input."""
        return self.divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, …)`` to logits ``(N, outputs, …)``; of several heads the one of full resolution."""
        result = self.network(x)
        if isinstance(result, list | tuple):
            result = result[0]
        return result[:, 0] if result.dim() > x.dim() else result  # DynUNet stacks its heads in training


def check_plain(value: Any, depth: int = 0) -> None:
    """Raise ValueError unless ``value`` consists of numbers, texts, truth values, lists and dictionaries of them."""
    if isinstance(value, dict | list | tuple):
        if len(value) > _LONGEST_LIST or depth > _DEEPEST:
            raise ValueError("an argument is longer or deeper than any network's")
        for part in value.values() if isinstance(value, dict) else value:
            check_plain(part, depth + 1)
    elif not isinstance(value, _PLAIN):
        raise ValueError(f"an argument is a {type(value).__name__}, which is not plain")
    elif isinstance(value, int | float) and not abs(value) <= _LARGEST_NUMBER:
        raise ValueError(f"an argument is {value}, which no network has")
    elif isinstance(value, str) and (len(value) > 64 or value.startswith(("$", "@", "%"))):
        raise ValueError(f"an argument is “{value[:64]}”, which is not plain")
