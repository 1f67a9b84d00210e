"""Files that try to run a program, fill the memory or write beside themselves. Made here, never opened unprotected."""

from __future__ import annotations

import io
import json
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

MIB = 2**20
_LEGACY_START = (
    pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
)


def calling(module: str, name: str, *arguments: str, stack: bool = False) -> bytes:
    """A pickle that calls ``module.name`` with texts; ``stack`` names it in the way of protocol 4."""
    named = (
        b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93"
        if stack
        else f"c{module}\n{name}\n".encode()
    )
    texts = b"".join(b"X" + struct.pack("<I", len(t)) + t.encode() for t in arguments)
    return (b"\x80\x04" if stack else b"") + named + b"(" + texts + b"tR."


def in_torch_zip(data: bytes, storages: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A file as torch.save writes it, with ``data`` as its pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", "little", zipfile.ZIP_STORED)
        for key, numbers in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", numbers)
        archive.writestr("archive/version", "3\n", zipfile.ZIP_STORED)
    return buffer.getvalue()


def in_legacy(data: bytes) -> bytes:
    """A file as torch.save wrote it before version 1.6."""
    return _LEGACY_START + data


def tensor_pickle(count: int, size: tuple[int, ...], stride: tuple[int, ...], copies: int = 1) -> bytes:
    """A pickle of a dictionary of tensors over one storage of ``count`` floats."""

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: object) -> object:
            return ("storage", torch.FloatStorage, "0", "cpu", count) if isinstance(item, Storage) else None

        def reducer_override(self, item: object) -> object:
            if isinstance(item, Tensor):
                return (torch._utils._rebuild_tensor_v2, (storage, 0, size, stride, False, {}))
            return NotImplemented

    class Tensor:
        pass

    storage = Storage()
    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({f"weight{index}": Tensor() for index in range(copies)})
    return buffer.getvalue()


# Ways to reach a program: module, name, what the message must name.
CALLS = [
    ("posix", "system", "posix.system"),
    ("nt", "system", "nt.system"),
    ("os", "system", "os.system"),
    ("subprocess", "Popen", "subprocess.Popen"),
    ("builtins", "eval", "builtins.eval"),
    ("__builtin__", "eval", "builtins.eval"),
    ("builtins", "exec", "builtins.exec"),
    ("builtins", "getattr", "builtins.getattr"),
    ("builtins", "__import__", "builtins.__import__"),
    ("builtins", "open", "builtins.open"),
    ("builtins", "bytearray", "builtins.bytearray"),
    ("copy_reg", "_reconstructor", "copyreg._reconstructor"),
    ("copyreg", "__newobj__", "copyreg.__newobj__"),
    ("functools", "partial", "functools.partial"),
    ("operator", "methodcaller", "operator.methodcaller"),
    ("importlib", "import_module", "importlib.import_module"),
    ("runpy", "run_path", "runpy.run_path"),
    ("pickle", "loads", "pickle.loads"),
    ("webbrowser", "open", "webbrowser.open"),
    ("torch", "load", "torch.load"),
    ("torch", "FloatTensor", "torch.FloatTensor"),
    ("torch.storage", "_load_from_bytes", "torch.storage._load_from_bytes"),
    ("torch.hub", "load", "torch.hub.load"),
    ("torch._utils", "_rebuild_wrapper_subclass", "torch._utils._rebuild_wrapper_subclass"),
    ("numpy", "load", "numpy.load"),
    ("numpy.core.multiarray", "fromfile", "numpy.core.multiarray.fromfile"),
    ("collections", "OrderedDict.fromkeys", "collections.OrderedDict.fromkeys"),
]


def _zip_of(entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED, mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compression
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _duplicated() -> bytes:
    one = _zip_of([("a/data.pkl", pickle.dumps({})), ("a/data.pkx", pickle.dumps([]))])
    return one.replace(b"a/data.pkx", b"a/data.pkl")


def _overlapping() -> bytes:
    """Many entries of the list that point to the same content, as in David Fifield's bomb."""
    content = b"\x00" * MIB
    whole = _zip_of([("a/data.pkl", content)])
    start = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    record = whole[start:end]
    records = b"".join(record.replace(b"a/data.pkl", f"a/data.{index:03d}".encode()) for index in range(200))
    tail = bytearray(whole[end:])
    struct.pack_into("<HHI", tail, 8, 200, 200, len(records))
    return whole[:start] + records + bytes(tail)


def _many_entries(count: int) -> bytes:
    return _zip_of([(f"{index:x}", b"") for index in range(count)])


def _deep_config() -> bytes:
    return b'{"network_def": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


def _doubling_config() -> bytes:
    config: dict[str, object] = {f"a{i}": [f"@a{i + 1}", f"@a{i + 1}"] for i in range(60)}
    return json.dumps(config | {"a60": 1, "network_def": {"_target_": "UNet", "channels": "@a0"}}).encode()


def bundle(inference: bytes, model: bytes = b"", metadata: bytes = b"{}") -> bytes:
    """A zipped MONAI bundle."""
    return _zip_of([
        ("b/configs/metadata.json", metadata), ("b/configs/inference.json", inference), ("b/models/model.pt", model),
    ])  # fmt: skip


def _network(**described: object) -> bytes:
    return json.dumps({"network_def": described}).encode()


# Name of the file to how its content is made. None of them may take memory, run anything or leave anything behind.
BOMBS: dict[str, Callable[[], bytes]] = {
    "lists.pkl.pth": lambda: b"(" + b"]" * (4 * MIB) + b"l.",
    "nones.pkl.pth": lambda: b"(" + b"N" * (6 * MIB) + b"l.",
    "dictionaries.pkl.pth": lambda: b"(" + b"}" * (4 * MIB) + b"l.",
    "memo.pkl.pth": lambda: b"\x80\x04N" + b"\x94" * (4 * MIB) + b".",
    "memo-index.pkl.pth": lambda: b"]r" + struct.pack("<I", 2**31) + b".",
    "text-length.pkl.pth": lambda: b"\x80\x04\x8d" + struct.pack("<Q", 2**45) + b"abc.",
    "bytes-length.pkl.pth": lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**45) + b"abc.",
    "bytearray-length.pkl.pth": lambda: b"\x80\x05\x96" + struct.pack("<Q", 2**45) + b"abc.",
    "frame-length.pkl.pth": lambda: b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
    "long-length.pkl.pth": lambda: b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.",
    "long-number.pkl.pth": lambda: b"L" + b"9" * (4 * MIB) + b"L\n.",
    "wide-text.pkl.pth": lambda: b"X" + struct.pack("<I", 8 * MIB) + "😀".encode() + b"a" * (8 * MIB - 4) + b".",
    "doubling-lists.pkl.pth": lambda: b"]q\x00" + b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(100)
    ) + b".",
    "doubling-key.pkl.pth": lambda: b"}N" + b"2\x86" * 60 + b"Ns.",
    "array-size.pkl.pth": lambda: b"\x80\x02" + pickle.dumps(bytearray(b""), 2)[2:-1] + b".",
    "storage-size.pth": lambda: in_torch_zip(tensor_pickle(2**40, (2**40,), (1,)), {"0": b"\0" * 64}),
    "storage-size-legacy.pth": lambda: in_legacy(tensor_pickle(2**40, (2**40,), (1,))),
    "expanded.pth": lambda: in_torch_zip(tensor_pickle(1, (2**30,), (0,)), {"0": b"\0" * 4}),
    "reaching-beyond.pth": lambda: in_torch_zip(tensor_pickle(16, (4, 4), (2**40, 1)), {"0": b"\0" * 64}),
    "shared.pth": lambda: in_torch_zip(
        tensor_pickle(2 * MIB, (2 * MIB,), (1,), copies=1000), {"0": b"\0" * (8 * MIB)}
    ),
    "deflated-pickle.pth": lambda: in_torch_zip(b"]" * (64 * MIB), compression=zipfile.ZIP_DEFLATED),
    "deflated-storage.pth": lambda: in_torch_zip(
        tensor_pickle(16 * MIB, (16 * MIB,), (1,)), {"0": b"\0" * (64 * MIB)}, zipfile.ZIP_DEFLATED
    ),
    "deflated-bundle.zip": lambda: _zip_of(
        [("configs/metadata.json", b"{}"), ("models/model.pt", b"\0" * (128 * MIB))], zipfile.ZIP_DEFLATED
    ),
    "overlapping.pth": _overlapping,
    "duplicated.pth": _duplicated,
    "many-entries.pth": lambda: _many_entries(60_000),
    "list-length.safetensors": lambda: struct.pack("<Q", 2**62) + b"{}",
    "list.safetensors": lambda: struct.pack("<Q", 8 * MIB) + b"[" * (8 * MIB),
    "traversal.zip": lambda: _zip_of([("../outside.txt", b"x"), ("configs/metadata.json", b"{}")]),
    "traversal-inside.zip": lambda: _zip_of([("a/../../outside.txt", b"x")]),
    "absolute.zip": lambda: _zip_of([("/tmp/convnextseg-outside.txt", b"x")]),
    "backslash.zip": lambda: _zip_of([("a\\..\\..\\outside.txt", b"x")]),
    "drive.zip": lambda: _zip_of([("C:outside.txt", b"x")]),
    "link.zip": lambda: _zip_of([("models", b"/")], mode=stat.S_IFLNK | 0o777),
    "two-cases.zip": lambda: _zip_of([("configs/a.json", b"{}"), ("Configs/A.json", b"{}")]),
    "deep-config.zip": lambda: bundle(_deep_config()),
    "doubling-config.zip": lambda: bundle(_doubling_config()),
    "expression.zip": lambda: bundle(_network(_target_="UNet", channels="$__import__('os').system('touch SENTINEL')")),
    "foreign-target.zip": lambda: bundle(_network(_target_="os.system", command="touch SENTINEL")),
    "foreign-module.zip": lambda: bundle(_network(_target_="evil.monai.networks.nets.UNet")),
    "nested-target.zip": lambda: bundle(
        _network(_target_="UNet", act={"_target_": "os.system", "command": "touch SENTINEL"})
    ),
    "huge-network.zip": lambda: bundle(_network(_target_="SegResNet", init_filters=2**40, in_channels=1)),
    "endless-network.zip": lambda: bundle(_network(_target_="SegResNet", blocks_down=[10**9, 10**9], in_channels=1)),
    "hostile-weights.zip": lambda: bundle(
        _network(_target_="SegResNet", in_channels=1, out_channels=2),
        in_torch_zip(calling("posix", "system", "touch SENTINEL")),
    ),
    "torchscript.pt": lambda: _zip_of([
        ("m/data.pkl", pickle.dumps({})), ("m/constants.pkl", b""), ("m/code/__torch__.py", b"import os"),
    ]),
    "tar.pth": lambda: _tar(),
}  # fmt: skip


def _tar() -> bytes:
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("../outside.txt")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    return buffer.getvalue()


def write_all(folder: Path) -> dict[str, str]:
    """Write every hostile file; return its name to the name that its refusal must carry, empty if none."""
    expected: dict[str, str] = {}
    for module, name, wanted in CALLS:
        for form, content in {
            "bare": calling(module, name, "touch SENTINEL"),
            "four": calling(module, name, "touch SENTINEL", stack=True),
            "legacy": in_legacy(calling(module, name, "touch SENTINEL")),
            "zip": in_torch_zip(calling(module, name, "touch SENTINEL")),
        }.items():
            file = folder / f"{module}.{name}.{form}.pth"
            file.write_bytes(content)
            expected[file.name] = wanted
    for name, make in BOMBS.items():
        (folder / name).write_bytes(make())
        expected[name] = ""
    return expected
