"""nnU-Net's U-Nets, plain and with residual encoder, from the package ``dynamic_network_architectures``.

The package is nnU-Net's own (Apache-2.0) and an optional extra here. A description names nothing to import: every part
is chosen from a list of this file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..errors import ResourceError
from .arguments import LARGEST_KERNEL, check_one_of, check_whole

PLAIN, RESIDUAL = ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")
NORMS = ("instance", "batch", "none")
ACTIVATIONS = ("leaky-relu", "relu")
# Beyond every plan that nnU-Net makes; a damaged description must not ask for terabytes.
_MOST_STAGES, _WIDEST, _MOST_BLOCKS, _LARGEST_STRIDE = 12, 4096, 64, 8


def dynamic_unet(
    inputs: int,
    outputs: int,
    *,
    architecture: str,
    dim: int,
    features: Sequence[int],
    kernels: Sequence[Sequence[int]],
    strides: Sequence[Sequence[int]],
    blocks: Sequence[int],
    decoder_blocks: Sequence[int],
    bias: bool = True,
    norm: str = "instance",
    norm_eps: float = 1e-5,
    norm_affine: bool = True,
    activation: str = "leaky-relu",
    slope: float = 0.01,
    dropout: float | None = None,
    stem_channels: int | None = None,
    deep_supervision: bool = False,
) -> nn.Module:
    """Return a U-Net of nnU-Net's.

    Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z; residual encoder: Isensee et al. 2024,
    arXiv:2404.09556. The state dict has nnU-Net's keys, but each tensor once: nnU-Net's own lists most under two
    to four names. Those are taken when loading.

    Args:
        inputs: Image channels.
        outputs: Logits.
        architecture: One of :data:`ARCHITECTURES`.
        dim: 2 or 3.
        features: Channels of each stage.
        kernels: Odd kernel extents of each stage.
        strides: Strides into each stage.
        blocks: Convolutions (plain) or residual blocks of each stage of the encoder.
        decoder_blocks: Convolutions of each stage of the decoder, one stage less.
        bias: Whether convolutions have biases.
        norm: One of :data:`NORMS`.
        norm_eps: What the norm adds to the variance.
        norm_affine: Whether the norm has weights.
        activation: One of :data:`ACTIVATIONS`.
        slope: Of the leaky ReLU.
        dropout: Probability of dropping a channel in training; None: there is no such layer.
        stem_channels: Channels of the residual encoder's stem; None: as the first stage.
        deep_supervision: Return a list of logits, the full resolution first.

    Raises:
        ValueError: If there can be no such network.
        ResourceError: If ``dynamic_network_architectures`` is not installed.
    """
    _check(architecture, dim, features, kernels, strides, blocks, decoder_blocks)
    check_one_of("norm", norm, NORMS)
    check_one_of("activation", activation, ACTIVATIONS)
    norms = {"instance": (nn.InstanceNorm2d, nn.InstanceNorm3d), "batch": (nn.BatchNorm2d, nn.BatchNorm3d)}
    leaky = activation == "leaky-relu"
    arguments: dict[str, Any] = {
        "input_channels": inputs,
        "num_classes": outputs,
        "n_stages": len(features),
        "features_per_stage": list(features),
        "conv_op": (nn.Conv2d, nn.Conv3d)[dim - 2],
        "kernel_sizes": [list(kernel) for kernel in kernels],
        "strides": [list(stride) for stride in strides],
        ("n_conv_per_stage" if architecture == PLAIN else "n_blocks_per_stage"): list(blocks),
        "n_conv_per_stage_decoder": list(decoder_blocks),
        "conv_bias": bool(bias),
        "norm_op": None if norm == "none" else norms[norm][dim - 2],
        "norm_op_kwargs": {"eps": float(norm_eps), "affine": bool(norm_affine)},
        "dropout_op": None if dropout is None else (nn.Dropout2d, nn.Dropout3d)[dim - 2],
        "dropout_op_kwargs": None if dropout is None else {"p": float(dropout)},
        "nonlin": nn.LeakyReLU if leaky else nn.ReLU,
        "nonlin_kwargs": {"inplace": True} | ({"negative_slope": float(slope)} if leaky else {}),
        "deep_supervision": bool(deep_supervision),
    }
    if stem_channels is not None and architecture == RESIDUAL:
        check_whole("stem_channels", stem_channels, 1, _WIDEST)
        arguments["stem_channels"] = stem_channels
    network = _architectures()[architecture](**arguments)
    if not next(network.parameters()).is_meta:
        network.apply(network.initialize)
    total = tuple(math.prod(stride[axis] for stride in strides) for axis in range(dim))
    network.divisor = network.smallest = total
    network.norm_over_space = norm == "instance"
    _name_each_tensor_once(network)
    return network


def other_names(network: nn.Module) -> dict[str, str]:
    """Return the names under which nnU-Net lists a tensor of ``network`` once more: name to the one that is kept."""
    return network.other_names


def _name_each_tensor_once(network: nn.Module) -> None:
    tensors = [*network.named_parameters(remove_duplicate=False), *network.named_buffers(remove_duplicate=False)]
    kept: dict[int, str] = {}
    network.other_names = {}
    for name, tensor in tensors:
        first = kept.setdefault(id(tensor), name)
        if first != name:
            network.other_names[name] = first
    network.register_state_dict_post_hook(_without_other_names)
    network.register_load_state_dict_pre_hook(_with_other_names)


def _without_other_names(network: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    for name in network.other_names:
        state.pop(prefix + name, None)


def _with_other_names(network: nn.Module, state: dict[str, torch.Tensor], prefix: str, *_rest: Any) -> None:
    for name, first in network.other_names.items():
        if prefix + first in state:
            state.setdefault(prefix + name, state[prefix + first])


def _architectures() -> dict[str, type[nn.Module]]:
    try:
        from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
    except ImportError as error:
        raise ResourceError(
            "This model's network needs a package that is not installed.",
            reason="It is one of nnU-Net's own U-Nets, which the package dynamic_network_architectures holds.",
            remedy="Install it with: pip install dynamic-network-architectures (in 3D Slicer's Python console: "
            "slicer.util.pip_install('dynamic-network-architectures')).",
            code="no-dynamic-architectures",
        ) from error
    return {PLAIN: PlainConvUNet, RESIDUAL: ResidualEncoderUNet}


def _check(
    architecture: str,
    dim: int,
    features: Sequence[int],
    kernels: Sequence[Sequence[int]],
    strides: Sequence[Sequence[int]],
    blocks: Sequence[int],
    decoder_blocks: Sequence[int],
) -> None:
    check_one_of("architecture", architecture, ARCHITECTURES)
    check_one_of("dim", dim, (2, 3))
    stages = len(features)
    check_whole("number of stages", stages, 2, _MOST_STAGES)
    if {len(kernels), len(strides), len(blocks), len(decoder_blocks) + 1} != {stages}:
        raise ValueError(f"kernels, strides and blocks are not given for each of the {stages} stages")
    for name, values, most in (("features", features, _WIDEST), ("blocks", (*blocks, *decoder_blocks), _MOST_BLOCKS)):
        for value in values:
            check_whole(name, value, 1, most)
    for name, stage_values, most in (("kernels", kernels, LARGEST_KERNEL), ("strides", strides, _LARGEST_STRIDE)):
        for extents in stage_values:
            if len(extents) != dim:
                raise ValueError(f"“{name}” {list(extents)} does not have {dim} extents")
            for extent in extents:
                check_whole(name, extent, 1, most)
    if any(extent % 2 == 0 for kernel in kernels for extent in kernel):
        raise ValueError("“kernels” must be odd")
