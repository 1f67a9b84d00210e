"""A model in memory, ready to segment; whoever asked for it keeps it warm."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import ConvNeXtSegError, InputError, ResourceError
from ..images.prepare import InputSpec
from ..labels.contract import LabelContract
from ..models.checksums import sha256_of
from ..models.folder import ModelFolder
from ..models.home import home_folder
from ..models.weights import load_into
from ..networks.extents import Extents, check_patch, per_axis
from ..networks.registry import build
from ..networks.slicewise import SliceWise, slicing_axis
from .backend import Backend
from .backend_names import checked_backend_name
from .device import Device, choose_device
from .memory import is_out_of_memory
from .openvino_backend import OpenVinoBackend, cpu_capabilities, cpu_name, openvino_version
from .precision import PrecisionChoice, choose_precision, read_tuning
from .torch_backend import TorchBackend


@dataclass(frozen=True)
class LoadedModel:
    """A model with its networks on a device.

    Attributes:
        model: Where it came from, and what it says about itself.
        device: Where the networks are, and why there.
        backends: Run the networks: one, or one for each member of an ensemble.
        backend_reason: Why this kind of backend, one plain sentence.
        seconds: How long loading took.
        smaller_patch: A window of about half the extents that the networks take too; None if they take none.
        plain: Whether PyTorch runs them as it would by itself, which gives the very bits that other programs get.
    """

    model: ModelFolder
    device: Device
    backends: tuple[Backend, ...]
    backend_reason: str
    seconds: float
    smaller_patch: Extents | None = None
    plain: bool = False

    @property
    def backend(self) -> Backend:
        """Runs the first network; the others are of its kind."""
        return self.backends[0]

    @property
    def contract(self) -> LabelContract:
        """The model's labels and regions."""
        return self.model.contract

    @property
    def input_spec(self) -> InputSpec:
        """What the network expects."""
        return self.model.input_spec

    @property
    def identity(self) -> dict[str, str]:
        """Name, version, title and intended use, as results and reports carry them."""
        metadata = self.model.metadata
        return {
            "name": metadata.name,
            "version": metadata.version,
            "title": metadata.title,
            "intended_use": metadata.intended_use,
        }


def load(
    model: ModelFolder,
    device: str = "auto",
    backend: str = "auto",
    *,
    patch: Extents | None = None,
    plain: bool = False,
    precision: str | None = None,
) -> LoadedModel:
    """Load a model's networks.

    Args:
        model: The opened model folder.
        device: See :func:`~convnextseg_engine.inference.device.choose_device`.
        backend: ``"auto"`` (OpenVINO on the CPU if it is installed, else PyTorch), ``"torch"`` or ``"openvino"``.
        patch: Window to prepare for, (D, H, W); None for the model's own.
        plain: Take PyTorch in its default memory layout, for bits that equal those of other programs.
        precision: What to ask OpenVINO for, ``"f32"``, ``"f16"`` or ``"bf16"``; None for the best that is proved.

    Raises:
        InputError: If the device or backend is unknown, they exclude each other, or the weights or the window do not
            fit the network.
        ResourceError: If a device or backend that was asked for by name cannot be used.
    """
    started = time.perf_counter()
    checked_backend_name(backend, device)
    if backend == "openvino":
        chosen = Device("cpu", "OpenVINO was asked for, which runs on the CPU here.")
    else:
        chosen = choose_device(device)
    patch = patch or model.metadata.patch
    networks = [_network(model, weights, patch) for weights in model.weights_paths]
    smaller = _smaller_patch(networks[0], patch)
    if chosen.name != "cpu":
        try:
            placed: tuple[Backend, ...] = tuple(TorchBackend(network, chosen.name, plain=plain) for network in networks)
            reason = "PyTorch runs networks on graphics processors."
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            chosen = Device("cpu", f"{chosen.name} has too little free memory even for the network's weights.")
            networks = [_network(model, weights, patch) for weights in model.weights_paths]
    if chosen.name == "cpu" and plain:
        placed = tuple(TorchBackend(network, "cpu", plain=True) for network in networks)
        reason = "PyTorch in its default layout gives the very bits that other programs get from it."
    elif chosen.name == "cpu":
        placed, reason = _on_cpu(model, networks, backend, patch, precision)
    return LoadedModel(model, chosen, placed, reason, time.perf_counter() - started, smaller, plain)


def _network(model: ModelFolder, weights: Path, patch: Extents) -> nn.Module:
    metadata = model.metadata
    # Without memory until the weights give it theirs: a damaged description must not fill the computer's memory.
    with torch.device("meta"):
        network = build(metadata.network, len(metadata.channels), model.contract.network_outputs)
        if metadata.network.get("dim") == 2:
            try:
                network = SliceWise(network, slicing_axis(metadata.patch))
            except ValueError as error:
                raise InputError(
                    "The model's metadata.json cannot be used.",
                    reason=f"{error}.",
                    remedy="Take the model folder from its source again.",
                    code="bad-metadata",
                ) from error
    check_patch(network, patch)
    load_into(network, weights)
    return network.eval()


def _smaller_patch(network: nn.Module, patch: Extents) -> Extents | None:
    # A norm over the window's voxels says something else in a smaller window: halved windows of the bundled MedNeXt
    # gave masks with a Dice of 0.63 to the usual one. Such a network rather waits for more memory.
    if getattr(network, "norm_over_space", False):
        return None
    half = tuple(
        -(-(extent // 2) // step) * step if extent > 1 else 1
        for extent, step in zip(patch, per_axis(getattr(network, "divisor", 1)), strict=True)
    )
    if half == patch or any(new > old for new, old in zip(half, patch, strict=True)):
        return None
    try:
        check_patch(network, half)
    except InputError:
        return None
    return half


def _on_cpu(
    model: ModelFolder, networks: list[nn.Module], backend: str, patch: Extents, precision: str | None
) -> tuple[tuple[Backend, ...], str]:
    def with_torch(reason: str) -> tuple[tuple[Backend, ...], str]:
        return tuple(TorchBackend(network, "cpu") for network in networks), reason

    if backend == "torch":
        return with_torch("PyTorch was asked for.")
    version = openvino_version()
    if version is None:
        if backend == "openvino":
            raise ResourceError(
                "OpenVINO is not installed.",
                remedy='Install it with: pip install "convnextseg[cpu-fast]", or leave the backend at auto.',
                code="no-openvino",
            )
        return with_torch("OpenVINO, which is faster on CPUs, is not installed.")
    try:
        if precision is None:
            choice = choose_precision(cpu_capabilities(), read_tuning(tuning_identity(model)))
        else:
            choice = PrecisionChoice(precision, f"{precision} was asked for.")
        compiled = tuple(
            OpenVinoBackend(
                network, len(model.metadata.channels), patch, _content(model, weights),
                home_folder() / "cache" / "openvino", choice.hint,
            )
            for network, weights in zip(networks, model.weights_paths, strict=True)
        )  # fmt: skip
    except Exception as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        if backend == "openvino":
            raise _openvino_failed(first_line, error) from error
        return with_torch(f"OpenVINO could not take over this network ({first_line}).")
    return compiled, f"OpenVINO {version} is installed and is faster than PyTorch on CPUs. {choice.reason}"


def tuning_identity(model: ModelFolder) -> str:
    """Return what a comparison of precisions holds for: these weights on this CPU with this OpenVINO."""
    contents = " ".join(_content(model, weights) for weights in model.weights_paths)
    return f"{contents} {model.metadata.patch} {cpu_name()} {openvino_version()}"


def _content(model: ModelFolder, weights: Path) -> str:
    return f"{sha256_of(weights)} {json.dumps(model.metadata.network, sort_keys=True)}"


def _openvino_failed(first_line: str, error: Exception) -> ConvNeXtSegError:
    return ResourceError(
        "OpenVINO could not take over this network.",
        reason=first_line,
        remedy="Leave the backend at auto, or choose torch.",
        code="out-of-memory" if is_out_of_memory(error) else "openvino-failed",
    )
