"""The tensors of a model: ``model.safetensors``. The only file of this room that needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..durable import replacing
from ..errors import InputError

_HALF_MAX = torch.finfo(torch.float16).max


def save_weights(state_dict: Mapping[str, torch.Tensor], path: Path, *, half: bool = True) -> None:
    """Write tensors to a safetensors file.

    Args:
        state_dict: Name to tensor; shared tensors are written once for each name.
        path: The file.
        half: Store floating-point tensors in half precision. Integers (counters) stay as they are.

    Raises:
        InputError: If a weight is NaN or infinite, or too large for half precision.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in state_dict.items():
        tensor = tensor.detach().cpu()
        if tensor.is_floating_point():
            _check_finite(name, tensor, "was not saved")
            if half and float(tensor.abs().max() if tensor.numel() else 0.0) > _HALF_MAX:
                raise InputError(
                    f"The weight {name} is too large for half precision.", reason=f"It exceeds {_HALF_MAX:.0f}.",
                    remedy="Save the model in full precision.", code="half-overflow",
                )  # fmt: skip
            tensor = tensor.half() if half else tensor.float()
        tensors[name] = tensor.contiguous().clone()
    with replacing(path) as temporary:
        save_file(tensors, str(temporary))


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return name to tensor on the CPU, floating-point ones in fp32.

    Raises:
        InputError: If the file is damaged or holds NaN or infinite weights.
    """
    try:
        tensors = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"The weights file {Path(path).name} cannot be read.", reason=str(error),
            remedy="Take the model folder from its source again.", code="bad-weights",
        ) from error  # fmt: skip
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensors[name] = tensor.float()
            _check_finite(name, tensor, "cannot be used")
    return tensors


def load_into(network: torch.nn.Module, path: Path) -> None:
    """Give ``network``, which may be on the meta device, the tensors of a weights file; names and shapes must agree.

    Raises:
        InputError: If the file is damaged or belongs to another network; the message names a tensor that differs.
    """
    tensors = load_weights(path)
    own = network.state_dict()
    problems = [f"{name} is missing" for name in own if name not in tensors]
    problems += [f"{name} has no place in the network" for name in tensors if name not in own]
    problems += [
        f"{name} has shape {tuple(tensors[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(
            "The weights do not belong to the network that metadata.json describes.", reason=f"{problems[0]}{more}.",
            remedy="Take the model folder from its source again.", code="wrong-weights",
        )  # fmt: skip
    network.load_state_dict(tensors, assign=True)


def _check_finite(name: str, tensor: torch.Tensor, consequence: str) -> None:
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(
            f"The model {consequence}: its weights are damaged.",
            reason=f"{name} holds values that are not finite numbers.",
            remedy="If this comes from a training, lower its learning rate; otherwise take the model from its source.",
            code="weights-not-finite",
        )  # fmt: skip
