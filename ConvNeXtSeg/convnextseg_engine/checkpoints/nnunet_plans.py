"""nnU-Net v2's plans: what they say about a network and about the preparation of its images.

Nothing that a plan names is imported; every name is looked up in a list of this file, and one that is not there is
refused by name.
"""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..images.nnunet.preparation import ANISOTROPY, V2, IntensityRule, Preparation, ResamplingRule
from ..networks.dynamic_architectures import PLAIN, RESIDUAL

_INTENSITIES = {
    "ZScoreNormalization": "zscore",
    "CTNormalization": "ct",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale-0-1",
    "RGBTo01Normalization": "colour-0-1",
}
_STATISTICS = {"low": "percentile_00_5", "high": "percentile_99_5", "mean": "mean", "deviation": "std"}
# PyTorch's linear interpolation is a spline of order 1 with the same edges; they differ in the last digits only.
_SPLINES, _TORCH = "resample_data_or_seg_to_shape", "resample_torch_fornnunet"
_READERS = {
    "SimpleITKIO": "",
    "NibabelIO": "",
    "SimpleITKIOWithReorient": "RAS",
    "NibabelIOWithReorient": "RAS",
    "Tiff3DIO": "",
    "NaturalImage2DIO": "",
}
_NORMS = {"InstanceNorm": "instance", "BatchNorm": "batch"}
_ACTIVATIONS = {"LeakyReLU": "leaky-relu", "ReLU": "relu"}


def configuration_of(plans: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with what it inherits.

    Raises:
        InputError: If there is none of that name, it inherits itself, or is the second stage of a cascade.
    """
    found: dict[str, Any] = {}
    visited: list[str] = []
    wanted: Any = name
    while wanted is not None:
        part = plans["configurations"].get(wanted)
        if part is None or wanted in visited:
            known = ", ".join(plans["configurations"])
            raise refused(
                f"the configuration “{wanted}” {'is not there' if part is None else 'inherits itself'}", known
            )
        visited.append(wanted)
        found = part | found
        wanted = part.get("inherits_from")
    if found.get("previous_stage"):
        raise InputError(
            "This is the second stage of a cascade, which cannot be imported.",
            reason=f"The configuration “{name}” takes the result of “{found['previous_stage']}” as input.",
            remedy="Import 3d_fullres or 3d_lowres, which stand alone.",
            code="cascade",
        )
    return found


def network_of(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return what ``networks.registry.build`` takes.

    Raises:
        InputError: If the plan names a network, norm or activation that is not known; it says which.
    """
    dim = len(configuration["patch_size"])
    if "architecture" not in configuration:
        return _network_of_early_plan(configuration, dim)
    described = configuration["architecture"]
    arguments = described["arch_kwargs"]
    architecture = str(described["network_class_name"]).rpartition(".")[2]
    if architecture not in (PLAIN, RESIDUAL):
        raise refused(f"its network is {described['network_class_name']}", f"{PLAIN} and {RESIDUAL}")
    norm, activation, dropout = (_class(arguments.get(key)) for key in ("norm_op", "nonlin", "dropout_op"))
    options = {key: arguments.get(f"{key}_kwargs") or {} for key in ("norm_op", "nonlin", "dropout_op")}
    if arguments.get("nonlin_first") or arguments.get("block") or arguments.get("bottleneck_channels"):
        raise refused("its network has another order of layers or other blocks", "nnU-Net's own plans")
    stages = int(arguments["n_stages"])
    network: dict[str, Any] = {
        "name": "nnunet-unet",
        "architecture": architecture,
        "dim": dim,
        "features": _each(arguments["features_per_stage"], stages),
        "kernels": [_extents(kernel, dim) for kernel in arguments["kernel_sizes"]],
        "strides": [_extents(stride, dim) for stride in arguments["strides"]],
        "blocks": _each(arguments["n_conv_per_stage" if architecture == PLAIN else "n_blocks_per_stage"], stages),
        "decoder_blocks": _each(arguments["n_conv_per_stage_decoder"], stages - 1),
        "bias": bool(arguments.get("conv_bias", False)),
        "norm": _known(norm.rstrip("123d"), _NORMS) if norm else "none",
        "norm_eps": float(options["norm_op"].get("eps", 1e-5)),
        "norm_affine": bool(options["norm_op"].get("affine", norm.startswith("BatchNorm"))),
        "activation": _known(activation, _ACTIVATIONS),
        "slope": float(options["nonlin"].get("negative_slope", 0.01)),
    }
    if dropout:
        network["dropout"] = float(options["dropout_op"].get("p", 0.5))
    if arguments.get("stem_channels"):
        network["stem_channels"] = int(arguments["stem_channels"])
    return network


def preparation_of(plans: dict[str, Any], configuration: dict[str, Any], channels: int) -> Preparation:
    """Return how images are prepared.

    Raises:
        InputError: If the plan names a preprocessor, a normalisation, a resampling or a reader that is not known.
    """
    if configuration.get("preprocessor_name", "DefaultPreprocessor") != "DefaultPreprocessor":
        raise refused(f"its preprocessor is {configuration['preprocessor_name']}", "DefaultPreprocessor")
    reader = plans.get("image_reader_writer", "SimpleITKIO")
    spacing = [float(value) for value in configuration["spacing"]]
    return Preparation(
        V2,
        tuple(int(axis) for axis in plans["transpose_forward"]),
        (None, *spacing) if len(spacing) == 2 else tuple(spacing),
        tuple(_intensity(plans, configuration, channel) for channel in range(channels)),
        _resampling(configuration, "data"),
        _resampling(configuration, "probabilities"),
        _known(reader, _READERS),
    )


def refused(what: str, known: str) -> InputError:
    """Return the error for a plan that asks for something that is not known."""
    return InputError(
        "This nnU-Net model cannot be imported.",
        reason=f"In its plans, {what}; known here: {known}.",
        remedy="Use it with nnU-Net itself, or ask its author for a model with nnU-Net's own parts.",
        code="unknown-plan",
    )


def _intensity(plans: dict[str, Any], configuration: dict[str, Any], channel: int) -> IntensityRule:
    scheme = _known(configuration["normalization_schemes"][channel], _INTENSITIES)
    masked = bool(configuration["use_mask_for_norm"][channel])
    if scheme != "ct":
        return IntensityRule(scheme, masked and scheme == "zscore")
    # The second name is that of early plans.
    measured = plans.get("foreground_intensity_properties_per_channel")
    measured = measured or plans["foreground_intensity_properties_by_modality"]
    return IntensityRule(scheme, **{own: float(measured[str(channel)][key]) for own, key in _STATISTICS.items()})


def _resampling(configuration: dict[str, Any], what: str) -> ResamplingRule:
    function = configuration[f"resampling_fn_{what}"]
    options = configuration[f"resampling_fn_{what}_kwargs"]
    separate, anisotropy = options.get("force_separate_z"), options.get("separate_z_anisotropy_threshold", ANISOTROPY)
    if function == _SPLINES:
        return ResamplingRule(int(options.get("order", 3)), int(options.get("order_z", 0)), separate, anisotropy)
    if function == _TORCH and options.get("mode", "linear") == "linear":
        return ResamplingRule(1, 0, separate, anisotropy)
    raise refused(f"its resampling is {function}", f"{_SPLINES} and {_TORCH}")


def _network_of_early_plan(configuration: dict[str, Any], dim: int) -> dict[str, Any]:
    """Plans before version 2.3 describe the U-Net by a base width and its pooling."""
    architecture = str(configuration["UNet_class_name"])
    if architecture not in (PLAIN, RESIDUAL):
        raise refused(f"its network is {architecture}", f"{PLAIN} and {RESIDUAL}")
    blocks = [int(count) for count in configuration["n_conv_per_stage_encoder"]]
    base, widest = int(configuration["UNet_base_num_features"]), int(configuration["unet_max_num_features"])
    return {
        "name": "nnunet-unet",
        "architecture": architecture,
        "dim": dim,
        "features": [min(base * 2**stage, widest) for stage in range(len(blocks))],
        "kernels": [_extents(kernel, dim) for kernel in configuration["conv_kernel_sizes"]],
        "strides": [_extents(stride, dim) for stride in configuration["pool_op_kernel_sizes"]],
        "blocks": blocks,
        "decoder_blocks": [int(count) for count in configuration["n_conv_per_stage_decoder"]],
        "bias": True,
        "norm": "instance",
        "activation": "leaky-relu",
    }


def _class(path: Any) -> str:
    return str(path).rpartition(".")[2] if path else ""


def _known(name: str, table: dict[str, str]) -> str:
    if name not in table:
        raise refused(f"“{name}” is asked for", ", ".join(table))
    return table[name]


def _each(value: Any, count: int) -> list[int]:
    return [int(v) for v in value] if isinstance(value, list | tuple) else [int(value)] * count


def _extents(value: Any, dim: int) -> list[int]:
    return _each(value, dim)
