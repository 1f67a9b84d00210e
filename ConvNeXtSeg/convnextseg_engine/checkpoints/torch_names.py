"""What a PyTorch checkpoint can reach beyond plain containers: tensors, and what describes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from .allowed_names import PLAIN_NAMES
from .pickle_machine import Unsupported
from .unsafe import COMPLEX, EIGHT_BITS, NESTED, QUANTISED, SPARSE

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# What genuine files also name, to say it in the refusal; nothing of it is rebuilt.
_UNSUPPORTED = {
    SPARSE: ("torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_sparse_csr_tensor"),
    QUANTISED: (
        "torch._utils._rebuild_qtensor",
        *(f"torch.{name}Storage" for name in ("QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4")),
        *(f"torch.{name}" for name in ("qint8", "quint8", "qint32", "quint4x2", "quint2x4")),
    ),
    NESTED: ("torch._utils._rebuild_nested_tensor",),
    COMPLEX: (
        *(f"torch.Complex{name}Storage" for name in ("Float", "Double")),
        *(f"torch.complex{bits}" for bits in (32, 64, 128)),
    ),
    EIGHT_BITS: tuple(f"torch.float8_{form}" for form in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")),
}
_MOST_DIMENSIONS = 8
# One weight may stand under several names (nnU-Net's under four); a file whose tensors all share the same numbers would
# unfold when they are written out.
_MOST_SHARING = 8


def storage_id(identity: Any) -> tuple[torch.dtype, str, int]:
    """Return number type, key and count of the storage that a persistent id of PyTorch refers to.

    Raises:
        TypeError: If it is no such id.
    """
    plain = isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage"
    if not plain or (len(identity) == 6 and identity[5] is not None):
        raise TypeError("a reference to something else than numbers")
    _, dtype, key, _, count = identity[:5]
    if not isinstance(dtype, torch.dtype) or not isinstance(key, str) or type(count) is not int or count < 0:
        raise TypeError("a reference to numbers without type, name or count")
    return dtype, key, count


def torch_names(size: int) -> dict[str, Any]:
    """Return the table of names for one checkpoint.

    Args:
        size: Bytes of the file; its tensors may not refer to more than a few times as much.
    """
    rebuild = _tensor_builder(_MOST_SHARING * size)
    names = dict(PLAIN_NAMES)
    for module in ("torch", "torch.cuda"):  # old files name where the numbers were
        names |= {f"{module}.{name}": dtype for name, dtype in _STORAGES.items()}
    names["torch.storage.UntypedStorage"] = torch.uint8
    names |= {str(dtype): dtype for dtype in _STORAGES.values()}  # "torch.float32"
    names |= {name: Unsupported(kind) for kind, listed in _UNSUPPORTED.items() for name in listed}
    return names | {
        "torch._utils._rebuild_tensor": rebuild,
        "torch._utils._rebuild_tensor_v2": rebuild,
        "torch._utils._rebuild_tensor_v3": _typed(rebuild),
        "torch._utils._rebuild_parameter": _parameter,
        "torch.Size": _size,
        "torch.device": _device,
    }


def _tensor_builder(most_bytes: int) -> Callable[..., torch.Tensor]:
    left = most_bytes

    def rebuild(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor:
        nonlocal left
        if not isinstance(storage, torch.Tensor) or not isinstance(size, tuple) or not isinstance(stride, tuple):
            raise TypeError("a tensor without numbers, size or stride")
        if len(size) != len(stride) or len(size) > _MOST_DIMENSIONS:
            raise ValueError("a tensor of impossible shape")
        if not all(type(n) is int and 0 <= n < 2**48 for n in (offset, *size, *stride)):
            raise ValueError("a tensor of impossible shape")
        if math.prod(size) > storage.numel():
            raise ValueError(f"a tensor of shape {size} from {storage.numel()} numbers")
        left -= math.prod(size) * storage.element_size()
        if left < 0:
            raise ValueError("tensors that share the same numbers too often")
        return torch.as_strided(storage, size, stride, offset)  # refuses to reach beyond the storage

    return rebuild


def _typed(rebuild: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def rebuild_typed(
        storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
    ) -> torch.Tensor:
        if not isinstance(storage, torch.Tensor) or not isinstance(dtype, torch.dtype):
            raise TypeError("a tensor without numbers or type")
        return rebuild(storage.view(dtype), offset, size, stride)

    return rebuild_typed


def _parameter(data: Any, *_: Any) -> torch.Tensor:
    if not isinstance(data, torch.Tensor):
        raise TypeError("a weight that is no tensor")
    return data


def _size(values: Any = ()) -> tuple[int, ...]:
    if not isinstance(values, tuple | list):
        raise TypeError("a size that is no list")
    return tuple(values)


def _device(*parts: Any) -> str:
    return ":".join(str(part)[:20] for part in parts[:2])
