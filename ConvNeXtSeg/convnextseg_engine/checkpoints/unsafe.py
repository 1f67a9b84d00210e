"""Errors of foreign files: those that want to run code, and those that are damaged."""

from __future__ import annotations

from ..errors import InputError

CONVERT = (
    "If you trust its author, open it on the computer where it was made and save only the weights there: "
    "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors'). Then import that file."
)


class UnsafeCheckpoint(InputError):
    """The file asks for something beyond plain numbers, texts and containers, so it was not opened further."""

    code = "unsafe-checkpoint"

    def __init__(self, wanted: str, reason: str = ""):
        self.wanted = wanted
        super().__init__(
            f"The file was refused: it asks for {wanted}.",
            reason=reason or "Opening it would let the file run a program on this computer; nothing of it was run.",
            remedy=CONVERT,
        )


class DamagedCheckpoint(InputError):
    """The file is cut short, contradicts itself or is of no kind that is read."""

    code = "damaged-checkpoint"

    def __init__(self, name: str, reason: str):
        super().__init__(
            f"The file {name} cannot be read.",
            reason=reason,
            remedy="Take the file from its source again.",
        )
