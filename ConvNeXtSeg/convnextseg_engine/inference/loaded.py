"""A model in memory, ready to segment; whoever asked for it keeps it warm."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import ConvNeXtSegError, InputError, ResourceError
from ..images.prepare import InputSpec
from ..labels.contract import LabelContract
from ..models.checksums import sha256_of
from ..models.folder import ModelFolder
from ..models.home import home_folder
from ..models.weights import load_into
from ..networks.registry import build
from .backend import Backend
from .backend_names import checked_backend_name
from .device import Device, choose_device
from .memory import is_out_of_memory
from .openvino_backend import OpenVinoBackend, openvino_version
from .torch_backend import TorchBackend


@dataclass(frozen=True)
class LoadedModel:
    """A model with its network on a device.

    Attributes:
        model: Where it came from, and what it says about itself.
        device: Where the network is, and why there.
        backend: Runs the network.
        backend_reason: Why this backend, one plain sentence.
        seconds: How long loading took.
    """

    model: ModelFolder
    device: Device
    backend: Backend
    backend_reason: str
    seconds: float

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


def load(model: ModelFolder, device: str = "auto", backend: str = "auto") -> LoadedModel:
    """Load a model's network.

    Args:
        model: The opened model folder.
        device: See :func:`~convnextseg_engine.inference.device.choose_device`.
        backend: ``"auto"`` (OpenVINO on the CPU if it is installed, else PyTorch), ``"torch"`` or ``"openvino"``.

    Raises:
        InputError: If the device or backend is unknown, they exclude each other, or the weights do not fit the network.
        ResourceError: If a device or backend that was asked for by name cannot be used.
    """
    started = time.perf_counter()
    checked_backend_name(backend, device)
    if backend == "openvino":
        chosen = Device("cpu", "OpenVINO was asked for, which runs on the CPU here.")
    else:
        chosen = choose_device(device)
    network = _network(model)
    if chosen.name != "cpu":
        try:
            placed: Backend = TorchBackend(network, chosen.name)
            reason = "PyTorch runs networks on graphics processors."
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            chosen = Device("cpu", f"{chosen.name} has too little free memory even for the network's weights.")
            network = _network(model)
    if chosen.name == "cpu":
        placed, reason = _on_cpu(model, network, backend)
    return LoadedModel(model, chosen, placed, reason, time.perf_counter() - started)


def _network(model: ModelFolder) -> nn.Module:
    metadata = model.metadata
    # Without memory until the weights give it theirs: a damaged description must not fill the computer's memory.
    with torch.device("meta"):
        network = build(metadata.network, len(metadata.channels), len(model.contract.regions))
    divisor = getattr(network, "divisor", 1)
    if any(extent % divisor for extent in metadata.patch):
        raise InputError(
            "The model's metadata.json cannot be used.",
            reason=f"Its patch {metadata.patch} is not divisible by {divisor}, as its network needs.",
            remedy="Take the model folder from its source again.",
            code="bad-metadata",
        )
    load_into(network, model.weights_path)
    return network.eval()


def _on_cpu(model: ModelFolder, network: nn.Module, backend: str) -> tuple[Backend, str]:
    if backend == "torch":
        return TorchBackend(network, "cpu"), "PyTorch was asked for."
    version = openvino_version()
    if version is None:
        if backend == "openvino":
            raise ResourceError(
                "OpenVINO is not installed.",
                remedy='Install it with: pip install "convnextseg[cpu-fast]", or leave the backend at auto.',
                code="no-openvino",
            )
        return TorchBackend(network, "cpu"), "OpenVINO, which is faster on CPUs, is not installed."
    identity = f"{sha256_of(model.weights_path)} {json.dumps(model.metadata.network, sort_keys=True)}"
    try:
        compiled = OpenVinoBackend(
            network, len(model.metadata.channels), model.metadata.patch, identity, home_folder() / "cache" / "openvino"
        )
    except Exception as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        if backend == "openvino":
            raise _openvino_failed(first_line, error) from error
        return TorchBackend(network, "cpu"), f"OpenVINO could not take over this network ({first_line})."
    return compiled, f"OpenVINO {version} is installed and is faster than PyTorch on CPUs."


def _openvino_failed(first_line: str, error: Exception) -> ConvNeXtSegError:
    return ResourceError(
        "OpenVINO could not take over this network.",
        reason=first_line,
        remedy="Leave the backend at auto, or choose torch.",
        code="out-of-memory" if is_out_of_memory(error) else "openvino-failed",
    )
