"""Which network some weights belong to, read from their names and shapes.

A class name in a file says little (any width has the same one), so nothing is read from names of classes. Which
extent of which weight is the number of channels, the width or the kernel is found by building the network twice without
memory, once with another value, and looking at what changed. Even that takes tenths of a second a network, and MONAI
seconds to import, so a family is only built if the weights hold the one by which it is known (``Family.landmark``).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from ..errors import InputError
from ..networks.family import Family
from ..networks.registry import NETWORKS, build

Shapes = dict[str, tuple[int, ...]]
OutputAxes = dict[str, tuple[int, ...]]

# Numbers to build with that no architecture has of its own accord at the same places.
INPUTS, OUTPUTS = 2, 3
# What the listed sizes do not say: response normalisation, and MONAI's shape of MedNeXt. The first that fits is the
# simplest description: the published shape where both are the same network, as for MedNeXt-S.
OPTIONS = ({}, {"grn": True}, {"shape": "monai"}, {"grn": True, "shape": "monai"})


@dataclass(frozen=True)
class Fit:
    """A network that some weights belong to.

    Attributes:
        network: What ``networks.registry.build`` takes.
        inputs: Number of image channels.
        outputs: Number of outputs.
        output_axes: See :func:`output_axes`.
    """

    network: dict[str, Any]
    inputs: int
    outputs: int
    output_axes: OutputAxes


def fits(found: Shapes) -> list[Fit]:
    """Return all networks of the registry that weights of these names and shapes belong to.

    Args:
        found: Name to shape, without heads of deep supervision.
    """
    families = [family for family in NETWORKS.values() if family.variants and family.landmark in found]
    fitting = [fit for family in families for fit in _fits_of_family(family, found)]
    # The size whose width was not changed is the simpler description where two sizes differ in nothing else.
    listed = [fit for fit in fitting if _is_listed(fit.network)]
    return listed if len({_without_size(fit.network) for fit in fitting}) == 1 and listed else fitting


def _fits_of_family(family: Family, found: Shapes) -> list[Fit]:
    sizes = described_sizes(family, found)
    for option in OPTIONS:
        if all(family.takes(argument) for argument in option):
            fitting = [fit for size in sizes if (fit := fit_of(size | option, found)) is not None]
            if fitting:
                return fitting
    return []


def described_sizes(family: Family, found: Shapes) -> list[dict[str, Any]]:
    """Return what ``networks.registry.build`` takes for each size of a family, with the dimension of the weights."""
    dim = 3 if any(len(shape) == 5 for shape in found.values()) else 2
    return [
        {"name": family.name} | variant.arguments | ({"dim": dim} if family.takes("dim") else {})
        for variant in family.variants
        if dim in variant.dims
    ]


def _is_listed(network: dict[str, Any]) -> bool:
    variants = NETWORKS[network["name"]].variants
    return any(all(network[k] == v for k, v in variant.arguments.items() if k != "kernel") for variant in variants)


def _without_size(network: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, value) for key, value in network.items() if key != "size"))


def fit_of(network: dict[str, Any], found: Shapes) -> Fit | None:
    """Return a network with width, kernel, inputs and outputs as the weights have them, or None if it cannot be theirs.

    Args:
        network: What ``networks.registry.build`` takes; its width and kernel are replaced.
        found: Name to shape.
    """
    base = shapes_of(network, INPUTS, OUTPUTS)
    if base is None or set(base) != set(found) or any(len(base[key]) != len(found[key]) for key in base):
        return None
    fit = nearest_fit(network, found)
    return fit if fit is not None and shapes_of(fit.network, fit.inputs, fit.outputs) == found else None


def nearest_fit(network: dict[str, Any], found: Shapes) -> Fit | None:
    """Return a network with width, kernel, inputs and outputs as most of the weights that show them have them.

    Args:
        network: As for :func:`fit_of`.
        found: Name to shape; weights may be missing, too many or of wrong shape.

    Returns:
        None if no weight shows one of the numbers.
    """
    base = shapes_of(network, INPUTS, OUTPUTS)
    if base is None:
        return None
    described = dict(network)
    for argument in ("kernel", "width"):
        if argument in network:
            value = network[argument]
            other = value + 2 if argument == "kernel" else 2 * value
            changed = shapes_of(network | {argument: other}, INPUTS, OUTPUTS)
            described[argument] = _value(base, changed, found, value, other) or value
    inputs = _value(base, shapes_of(network, INPUTS + 1, OUTPUTS), found, INPUTS, INPUTS + 1)
    more_outputs = shapes_of(network, INPUTS, OUTPUTS + 1)
    outputs = _value(base, more_outputs, found, OUTPUTS, OUTPUTS + 1)
    if not inputs or not outputs:
        return None
    return Fit(described, inputs, outputs, _by_name(_differing(base, more_outputs)))


def output_axes(network: dict[str, Any], inputs: int, outputs: int) -> OutputAxes:
    """Return, for the weights that belong to single outputs, name to the axes with one entry an output.

    Besides the last layer these are layers before it that are as wide as there are outputs (MONAI's UNet has such).
    """
    base = shapes_of(network, inputs, outputs) or {}
    return _by_name(_differing(base, shapes_of(network, inputs, outputs + 1)))


def reordered(tensors: dict[str, torch.Tensor], axes: OutputAxes, order: list[int]) -> dict[str, torch.Tensor]:
    """Return weights of a network whose output number ``i`` is the one that was number ``order[i]`` before.

    Args:
        tensors: Name to weight.
        axes: :func:`output_axes` of the network.
        order: A permutation.

    Raises:
        InputError: If outputs share weights in a way that has no such order.
    """
    if order == sorted(order):
        return tensors
    index = torch.tensor(order)
    result = dict(tensors)
    for key, weight_axes in axes.items():
        for axis in weight_axes:
            if key not in result or axis >= result[key].dim() or result[key].shape[axis] != len(order):
                raise InputError(
                    "The outputs of this network cannot be put into the order of its regions.",
                    reason=f"The weight {key} belongs to several outputs at once.",
                    remedy="Name the outputs so that regions come from the largest to the smallest.",
                    code="fixed-order",
                )
            result[key] = result[key].index_select(axis, index)
    return result


def _by_name(places: list[tuple[str, int]]) -> OutputAxes:
    return {key: tuple(axis for other, axis in places if other == key) for key, _ in places}


def shapes_of(network: dict[str, Any], inputs: int, outputs: int) -> Shapes | None:
    """Return name to shape of a network's weights, or None if there is no such network; takes no memory for them."""
    return _shapes_of(json.dumps(network, sort_keys=True), inputs, outputs)


@lru_cache(maxsize=256)  # the sizes of a large family take seconds to build
def _shapes_of(network: str, inputs: int, outputs: int) -> Shapes | None:
    try:
        with torch.device("meta"):
            built = build(json.loads(network), inputs, outputs)
    except InputError:
        return None
    return {key: tuple(tensor.shape) for key, tensor in built.state_dict().items()}


def _differing(base: Shapes, changed: Shapes | None) -> list[tuple[str, int]]:
    return [
        (key, axis)
        for key, shape in base.items()
        for axis, extent in enumerate(shape)
        if changed is not None and changed.get(key, shape)[axis] != extent
    ]


def _value(base: Shapes, changed: Shapes | None, found: Shapes, value: int, other: int) -> int | None:
    """Return the argument that was ``value`` for ``base``, ``other`` for ``changed``, as most of ``found`` has it."""
    shown: Counter[int] = Counter()
    for key, axis in _differing(base, changed):
        slope, rest = divmod(changed[key][axis] - base[key][axis], other - value)
        if rest == 0 and slope > 0 and axis < len(found.get(key, ())):
            result, rest = divmod(found[key][axis] - (base[key][axis] - slope * value), slope)
            if rest == 0 and result > 0:
                shown[result] += 1
    return shown.most_common(1)[0][0] if shown else None
