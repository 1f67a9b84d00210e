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


# Kinds of tensors that are no weights as they are; which numbers they stand for, only PyTorch itself could say.
SPARSE = "sparse tensors, which list only the values that are not 0"
QUANTISED = "quantised tensors, whose whole numbers stand for others"
COMPLEX = "complex numbers"
NESTED = "nested tensors, lists of tensors of different sizes"
EIGHT_BITS = "8-bit floating-point numbers"


class UnsupportedTensors(InputError):
    """Nothing is wrong or dangerous about the file, but its weights are not plain floating-point numbers."""

    code = "unsupported-tensors"

    def __init__(self, kind: str, key: str = ""):
        self.kind = kind
        super().__init__(
            f"The weights{f' {key}' if key else ''} are of a kind that cannot be imported: {kind}.",
            reason="ConvNeXtSeg's networks compute with plain (dense) floating-point weights only.",
            remedy="In the program that made the file, convert the weights to dense float32 (of a sparse tensor "
            ".to_dense(), of a quantised one .dequantize(), then .float()), save the network's state_dict again, and "
            "import that file. A network that was trained with complex weights cannot be imported.",
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
