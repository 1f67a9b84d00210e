"""Finding the weights in what a file holds, and the names that the network gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..errors import InputError
from .safe_pickle import load_torch
from .unsafe import COMPLEX, EIGHT_BITS, DamagedCheckpoint, UnsupportedTensors

# Under which names training scripts store weights: plain PyTorch and ConvUNeXt ("model"), Lightning and nnU-Net v1
# ("state_dict"), nnU-Net v2 ("network_weights"), MONAI's CheckpointSaver ("model", "net").
WRAPPERS = ("network_weights", "state_dict", "model_state_dict", "model", "net", "network", "weights", "params")
# What DataParallel and torch.compile put before every name.
_PREFIXES = ("module.", "_orig_mod.")
# A safetensors file begins with the length of its list of tensors; a genuine list takes about 100 bytes a tensor.
_LONGEST_LIST, _LIST_SHARE = 2**20, 16

Tensors = dict[str, torch.Tensor]


def read_weights(path: Path) -> tuple[Tensors, list[str]]:
    """Return the weights of a ``.safetensors`` file or of one that ``torch.save`` wrote, and notes on what was taken.

    Raises:
        InputError: If the file is missing, damaged or unsafe, or holds no weights, or several sets of them.
    """
    if path.suffix.lower() == ".safetensors":
        return without_prefixes(_read_safetensors(path)), []
    tensors, notes = _weights_within(load_torch(path), path.name)
    return without_prefixes(tensors), notes


def without_prefixes(tensors: Tensors) -> Tensors:
    """Return the weights without the prefixes that wrapped networks give to every name."""
    while tensors:
        prefix = next((p for p in _PREFIXES if all(key.startswith(p) for key in tensors)), None)
        if prefix is None:
            break
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return tensors


def shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    """Return name to shape."""
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}


def _weights_within(content: Any, name: str) -> tuple[Tensors, list[str]]:
    if _is_weights(content):
        return content, []
    found = {key: value for key, value in content.items() if _is_weights(value)} if isinstance(content, dict) else {}
    for wrapper in WRAPPERS:
        if wrapper in found:
            others = [str(key) for key in found if key != wrapper]
            note = f"The weights stored as “{wrapper}” were taken"
            return found[wrapper], [f"{note}, not those stored as {', '.join(others)}." if others else f"{note}."]
    if len(found) == 1:
        key, tensors = next(iter(found.items()))
        return tensors, [f"The weights stored as “{key}” were taken."]
    raise InputError(
        f"The file {name} holds no weights that can be told apart."
        if found
        else f"The file {name} holds no weights of a network.",
        reason=f"It holds several sets: {', '.join(map(str, found))}."
        if found
        else "None of its parts maps names to tensors.",
        remedy="Save the network's state_dict alone, and import that file.",
        code="no-weights",
    )


def _is_weights(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(key, str) and isinstance(item, torch.Tensor) for key, item in value.items())
    )


def _read_safetensors(path: Path) -> Tensors:
    if not path.is_file():
        raise InputError(f"There is no file {path}.", remedy="Check the path.", code="no-file")
    size = path.stat().st_size
    with path.open("rb") as file:
        announced = int.from_bytes(file.read(8), "little")
    if announced > min(size, _LONGEST_LIST + size // _LIST_SHARE):
        raise DamagedCheckpoint(path.name, "Its list of tensors is longer than its content can need.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dictionary)
    except (SafetensorError, OSError, ValueError, RuntimeError, OverflowError) as error:
        raise DamagedCheckpoint(path.name, f"As a safetensors file it is broken: {_first_line(error)}.") from error

    for key, tensor in tensors.items():
        if tensor.is_complex() or (tensor.is_floating_point() and tensor.element_size() == 1):
            raise UnsupportedTensors(COMPLEX if tensor.is_complex() else EIGHT_BITS, key)
    return tensors


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
