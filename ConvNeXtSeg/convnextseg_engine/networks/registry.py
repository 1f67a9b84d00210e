"""Networks by name.

A model's metadata describes its network as a dictionary, for example
``{"name": "mednext", "size": "S", "kernel": 3, "width": 16, "dim": 3}``; :func:`build` makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from ..errors import InputError
from .mednext import MedNeXt

NETWORKS: dict[str, Callable[..., nn.Module]] = {"mednext": MedNeXt}


def build(network: dict[str, Any], inputs: int, outputs: int, **overrides: Any) -> nn.Module:
    """Return a freshly initialised network.

    Args:
        network: Its ``name`` and the keyword arguments of its constructor.
        inputs: Image channels.
        outputs: Regions.
        **overrides: Arguments that win over the description, for example ``deep_supervision=True`` in training.

    Raises:
        InputError: If the name or an argument is unknown.
    """
    arguments = {key: value for key, value in network.items() if key != "name"} | overrides
    name = network.get("name")
    if not isinstance(name, str) or name not in NETWORKS:
        raise InputError(
            f"The network “{name}” is not known to this version.",
            reason=f"Known are {', '.join(sorted(NETWORKS))}.",
            remedy="Update ConvNeXtSeg, or choose another model.",
            code="unknown-network",
        )
    try:
        return NETWORKS[name](inputs, outputs, **arguments)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The network “{name}” cannot be built as described.",
            reason=str(error),
            remedy="Restore the model's metadata.json from where it came from.",
            code="bad-network",
        ) from error
