"""MONAI's own networks in the registry, for weights of MONAI bundles. They have no names to train by."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..family import Family


def _constructor(
    inputs: int, outputs: int, *, architecture: str = "", arguments: dict[str, Any] | None = None, dim: int = 3
) -> nn.Module:
    from ..monai_named import MonaiNetwork  # MONAI takes seconds to import, and few models need it

    return MonaiNetwork(inputs, outputs, architecture=architecture, arguments=arguments or {}, dim=dim)


FAMILY = Family(
    name="monai",
    title="A network of MONAI",
    constructor=_constructor,
    paper="Cardoso et al., MONAI: An open-source framework for deep learning in healthcare, 2022, arXiv:2211.02701",
    variants=(),
    licence="stated by each bundle",
)
