"""Networks by name.

A model's metadata describes its network as a dictionary, for example
``{"name": "mednext", "size": "S", "kernel": 3, "width": 16, "dim": 3}``; :func:`build` makes it. People write a name
such as ``mednext-b-k5`` or ``unet-2d``; :func:`named` says what it stands for.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .arguments import LARGEST_KERNEL, check_whole
from .catalogue import (
    attention_unet,
    convnext_unet,
    convunext,
    mednext,
    monai,
    nnunet,
    resunet,
    segresnet,
    unet,
    unet3d,
    unetplusplus,
)
from .family import Family, Variant
from .memory import MemoryCoefficients, memory_of

# In the order in which they are listed.
_CATALOGUE = (mednext, convunext, convnext_unet, unet3d, unet, attention_unet, unetplusplus, resunet, segresnet)
_CATALOGUE += (nnunet, monai)  # without names to train by
NETWORKS: dict[str, Family] = {entry.FAMILY.name: entry.FAMILY for entry in _CATALOGUE}

# How a network is trained, not what it is: a family that has no such thing is built without it.
TRAINING_WISHES = ("deep_supervision", "checkpointing")
# Far beyond any image's channels and any atlas's labels; a damaged description must not ask for terabytes.
_MOST_CHANNELS = 4096
_NAME = re.compile(r"(?P<stem>.+?)(?:-k(?P<kernel>\d{1,3}))?(?:-w(?P<width>\d{1,5}))?(?:-(?P<dim>[23])d)?")


@dataclass(frozen=True)
class NetworkInfo:
    """A network that has a name.

    Attributes:
        name: As it is listed, for example ``"mednext-s-k3"``.
        title: The architecture's name for people.
        network: What :func:`build` takes.
        dim: 2 or 3; a 2D network sees one slice at a time.
        patch: Default window as ``(D, H, W)``; of a 2D network one axial slice.
        divisor: What each extent (of a slice, in 2D) must be divisible by.
        smallest: The smallest extent (of a slice, in 2D).
        paper: Where it was published.
        licence: Of the weights that are known for it.
    """

    name: str
    title: str
    network: dict[str, Any]
    dim: int
    patch: tuple[int, int, int]
    divisor: int
    smallest: int
    paper: str
    licence: str

    @property
    def memory(self) -> MemoryCoefficients:
        """What inference takes with PyTorch; counted when it is asked for, which takes about a second a network."""
        return memory_of(self.network)


def build(network: dict[str, Any], inputs: int, outputs: int, **overrides: Any) -> nn.Module:
    """Return a freshly initialised network.

    Args:
        network: Its ``name`` and the keyword arguments of its constructor.
        inputs: Image channels.
        outputs: Regions.
        **overrides: Arguments that win over the description. ``deep_supervision`` and ``checkpointing`` are wishes: a
            family that has no such thing (see :func:`supports`) is built without it, so that training need not know
            the families. Anything else must be known to the family.

    Raises:
        InputError: If the name or an argument is unknown, or an argument is impossible.
    """
    family = _family(network)
    arguments = {key: value for key, value in network.items() if key != "name"}
    arguments |= {key: value for key, value in overrides.items() if family.takes(key) or key not in TRAINING_WISHES}
    try:
        check_whole("inputs", inputs, 1, _MOST_CHANNELS)
        check_whole("outputs", outputs, 1, _MOST_CHANNELS)
        return family.constructor(inputs, outputs, **arguments)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The network “{family.name}” cannot be built as described.",
            reason=str(error),
            remedy="Restore the model's metadata.json from where it came from.",
            code="bad-network",
        ) from error


def supports(network: dict[str, Any], argument: str) -> bool:
    """Say whether the network's family takes ``argument``, for example ``"deep_supervision"``.

    Raises:
        InputError: If the family is unknown.
    """
    return _family(network).takes(argument)


def names() -> tuple[str, ...]:
    """Return the names that are listed, family by family, 3D before 2D."""
    return tuple(
        _canonical(variant, kernel, None, dim)
        for family in NETWORKS.values()
        for variant in family.variants
        for dim in variant.dims
        for kernel in variant.kernels or (None,)
    )


def named(name: str) -> NetworkInfo:
    """Return what a name stands for.

    The form is ``<network>[-k<kernel>][-w<width>][-2d|-3d]``: beyond the names that are listed, any odd kernel and any
    width can be asked for where the architecture has them, for example ``mednext-b-k7`` or ``mednext-s-k3-w16``.

    Raises:
        InputError: If there is no such network; the error lists names that look alike.
    """
    match = _NAME.fullmatch(name.strip().lower())
    found = match and _variant(match["stem"])
    if not found:
        raise _unknown(name)
    family, variant = found
    dim = int(match["dim"] or variant.dims[0])
    chosen = {key: int(match[key]) for key in ("kernel", "width") if match[key]}
    if dim not in variant.dims or (variant.kernels and "kernel" not in chosen):
        raise _unknown(name)
    _check_kernel(name, variant, chosen.get("kernel"))
    for key in chosen:
        if not family.takes(key):
            raise InputError(
                f"The network “{variant.stem}” has no {key} to choose.",
                remedy=f"Write “{variant.stem}”.",
                code="unknown-network",
            )
    network = {"name": family.name} | variant.arguments | chosen | ({"dim": dim} if family.takes("dim") else {})
    if "width" in chosen or ("kernel" in chosen and chosen["kernel"] not in variant.kernels):
        try:
            with torch.device("meta"):
                build(network, 1, 1)  # takes no memory, and refuses what cannot be
        except InputError as error:
            raise InputError(
                f"There is no network “{name}”.",
                reason=error.reason,
                remedy="Choose another width or kernel, or leave them out; “convnextseg networks list” shows the usual "
                "ones.",
                code="unknown-network",
            ) from error
    other_width = chosen.get("width") if chosen.get("width") != variant.arguments.get("width") else None
    kernel = chosen.get("kernel")
    if not variant.kernels and kernel == variant.arguments.get("kernel"):
        kernel = None
    return NetworkInfo(
        _canonical(variant, kernel, other_width, dim), family.title, network, dim, family.patches[dim],
        family.divisor, family.smallest, family.paper, family.licence,
    )  # fmt: skip


def name_of(network: dict[str, Any]) -> str:
    """Return the name of a network: the inverse of :func:`named`, as far as a name can say what it is.

    A network whose size has no name has its family's name.

    Raises:
        InputError: If the family is unknown.
    """
    family = _family(network)
    for variant in family.variants:
        usual = variant.arguments
        if all(network.get(key) == value for key, value in usual.items() if key not in ("kernel", "width")):
            kernel, width = network.get("kernel"), network.get("width")
            return _canonical(
                variant,
                kernel if variant.kernels or kernel != usual.get("kernel") else None,
                width if width != usual.get("width") else None,
                network.get("dim", variant.dims[0]),
            )
    return family.name


def _check_kernel(name: str, variant: Variant, kernel: int | None) -> None:
    if kernel is None or (kernel % 2 == 1 and kernel <= LARGEST_KERNEL):
        return
    listed = [_canonical(variant, known, None, variant.dims[0]) for known in variant.kernels] or [variant.stem]
    raise InputError(
        f"There is no network “{name}”.",
        reason=f"Its kernel would be {kernel}; a kernel is odd, so that it has a middle, and {LARGEST_KERNEL} at most.",
        remedy=f"Write {' or '.join(listed)}, for example.",
        code="unknown-network",
    )


def _family(network: dict[str, Any]) -> Family:
    name = network.get("name")
    if not isinstance(name, str) or name not in NETWORKS:
        raise InputError(
            f"The network “{name}” is not known to this version.",
            reason=f"Known are {', '.join(sorted(NETWORKS))}.",
            remedy="Update ConvNeXtSeg, or choose another model.",
            code="unknown-network",
        )
    return NETWORKS[name]


def _variant(stem: str) -> tuple[Family, Variant] | None:
    for family in NETWORKS.values():
        for variant in family.variants:
            if variant.stem == stem:
                return family, variant
    return None


def _canonical(variant: Variant, kernel: int | None, width: int | None, dim: int) -> str:
    parts = [variant.stem]
    if kernel:
        parts.append(f"k{kernel}")
    if width:
        parts.append(f"w{width}")
    if dim != variant.dims[0]:
        parts.append(f"{dim}d")
    return "-".join(parts)


def _unknown(name: str) -> InputError:
    typed = name.strip().lower()
    # What only lacks its kernel is closer than any other spelling.
    longer = [listed for listed in names() if typed and listed.startswith(f"{typed}-")]
    alike = list(dict.fromkeys([*longer, *difflib.get_close_matches(typed, names(), n=5, cutoff=0.5)]))[:5]
    return InputError(
        f"There is no network “{name}”.",
        reason=f"Names that look alike: {', '.join(alike)}." if alike else "",
        remedy=(f"Write {alike[0]}, if that is meant; " if alike else "")
        + "“convnextseg networks list” shows all of them.",
        code="unknown-network",
    )
