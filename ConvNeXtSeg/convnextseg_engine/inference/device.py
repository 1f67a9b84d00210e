"""Which device a network runs on, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError, ResourceError

_NAMES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Device:
    """A device that answered.

    Attributes:
        name: As torch writes it: ``"cpu"``, ``"cuda:0"``, ``"mps"``.
        reason: Why it was chosen, one plain sentence.
    """

    name: str
    reason: str


def checked_device_name(wanted: str) -> str:
    """Return ``wanted`` if it is spelled like a device; needs no torch, so a typing error shows at once.

    Raises:
        InputError: If it is none of auto, cpu, cuda, cuda:N and mps.
    """
    if not _NAMES.fullmatch(wanted):
        raise InputError(
            f"The device “{wanted}” is not known.",
            remedy="Use auto, cpu, cuda, cuda:N (N counts from 0) or mps.",
            code="unknown-device",
        )
    return wanted


def choose_device(wanted: str = "auto") -> Device:
    """Return the device to run on.

    Args:
        wanted: ``"auto"`` (a GPU that answers, else the CPU), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Raises:
        InputError: If the name is not a device.
        ResourceError: If a device was asked for by name and this computer does not have it.
    """
    checked_device_name(wanted)
    if wanted == "cpu":
        return Device("cpu", "The CPU was asked for.")
    if wanted != "auto":
        name = "cuda:0" if wanted == "cuda" else wanted
        failure = _why_not(name)
        if failure:
            raise ResourceError(
                f"The device {wanted} cannot be used on this computer.",
                reason=failure,
                remedy="Choose auto or cpu, or run “convnextseg doctor” to see which devices there are.",
                code="no-device",
            )
        return Device(name, f"{name} was asked for.")
    failures = []
    for name in ("cuda:0", "mps"):
        failure = _why_not(name)
        if not failure:
            return Device(name, f"{name} is the first graphics processor that answered.")
        failures.append(failure)
    return Device("cpu", f"No graphics processor can be used. {' '.join(failures)}")


def available_devices() -> list[Device]:
    """Return every device that answers, the CPU last; ``reason`` says what it is."""
    import torch

    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    found = [Device(name, torch.cuda.get_device_name(name)) for name in names if not _why_not(name)]
    if not _why_not("mps"):
        found.append(Device("mps", "Apple graphics processor"))
    return [*found, Device("cpu", f"{torch.get_num_threads()} threads")]


def _why_not(name: str) -> str:
    """Return why ``name`` cannot be used, or an empty string after it has answered a tiny request."""
    import torch

    kind, _, index = name.partition(":")
    if kind == "mps":
        if not torch.backends.mps.is_available():
            return "There is no Apple graphics processor, or this PyTorch was built without MPS."
    elif not torch.cuda.is_available():
        return "There is no NVIDIA graphics processor, or this PyTorch was built without CUDA."
    elif int(index) >= torch.cuda.device_count():
        return f"There are {torch.cuda.device_count()} NVIDIA graphics processors, counted from 0."
    try:
        # A driver that is too old, or a card in exclusive use, shows only when something is really placed on it.
        torch.zeros(1, device=name).add_(1).item()
    except Exception as error:
        return f"{name} does not answer: {str(error).splitlines()[0] if str(error) else type(error).__name__}."
    return ""
