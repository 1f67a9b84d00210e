"""Dependencies point one way: module file → Lib → worker protocol → engine; Slicer's process never imports torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.repository.source_tree import imported_modules

SLICER_SIDE = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "mrml", "PythonQt", "ConvNeXtSegLib", "ConvNeXtSeg"}
HEAVY = {"torch", "monai", "openvino", "torchvision", "scipy"}
# The rooms of the engine that need neither torch nor monai: docs/architecture.md.
LIGHT_ROOMS = (
    "convnextseg_engine",
    "convnextseg_engine.errors",
    "convnextseg_engine.progress",
    "convnextseg_engine.durable",
    "convnextseg_engine.images.grid",
    "convnextseg_engine.images.study",
    "convnextseg_engine.images.sequences",
    "convnextseg_engine.images.colour",
    "convnextseg_engine.labels",
    "convnextseg_engine.models",
    "convnextseg_engine.synthetic",
    "convnextseg_engine.training.recipe",
    "convnextseg_engine.training.run_folder",
    "convnextseg_engine.worker.command",
    "convnextseg_engine.worker.identity",
    "convnextseg_engine.worker.killing",
    "convnextseg_engine.worker.messages",
    "convnextseg_engine.worker.session",
    "convnextseg_engine.worker.exchange",
    "convnextseg_engine.data",
)
CLOSED_ROOMS = ("convnextseg_engine.models.weights",)


def _under(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or (name.startswith(room + ".") and room != "convnextseg_engine") for room in rooms)


def _allowed_engine_import(name: str) -> bool:
    # ``from convnextseg_engine import __version__`` ends in a name, not in a room.
    in_package_itself = name.startswith("convnextseg_engine.__")
    return in_package_itself or (_under(name, LIGHT_ROOMS) and not _under(name, CLOSED_ROOMS))


def _python_files(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*.py") if "__pycache__" not in path.parts]
    assert files, f"no Python files under {folder}"
    return files


def _wrong_imports(files: list[Path], root: Path, forbidden) -> list[str]:
    return [
        f"{path.relative_to(root)}:{line} imports {name}"
        for path in files
        for name, line in imported_modules(path, root)
        if forbidden(name)
    ]


@pytest.fixture()
def module_folder(repository: Path) -> Path:
    return repository / "ConvNeXtSeg"


def test_engine_knows_nothing_of_slicer(module_folder: Path) -> None:
    files = _python_files(module_folder / "convnextseg_engine")
    assert not _wrong_imports(files, module_folder, lambda name: name.split(".")[0] in SLICER_SIDE)


def test_slicer_side_imports_only_the_light_rooms_of_the_engine(module_folder: Path) -> None:
    def forbidden(name: str) -> bool:
        top = name.split(".")[0]
        return top in HEAVY or (top == "convnextseg_engine" and not _allowed_engine_import(name))

    files = [*_python_files(module_folder / "ConvNeXtSegLib"), module_folder / "ConvNeXtSeg.py"]
    assert not _wrong_imports(files, module_folder, forbidden)


def test_light_rooms_import_nothing_heavy_when_really_imported(module_folder: Path) -> None:
    files = [
        *(module_folder / "convnextseg_engine" / "labels").glob("*.py"),
        *(module_folder / "convnextseg_engine" / "models").glob("*.py"),
    ]
    rooms = {
        ".".join(path.relative_to(module_folder).with_suffix("").parts).removesuffix(".__init__") for path in files
    }
    rooms = {room for room in rooms if not _under(room, CLOSED_ROOMS)} | set(LIGHT_ROOMS)
    code = (
        "import importlib, sys\n"
        f"for room in {sorted(rooms)!r}: importlib.import_module(room)\n"
        f"print(','.join(sorted({HEAVY!r} & set(sys.modules))))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=module_folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""


def test_module_file_is_thin_and_does_no_work_at_import(module_folder: Path) -> None:
    text = (module_folder / "ConvNeXtSeg.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250, "the module file only wires ConvNeXtSegLib together"
    tops = {name.split(".")[0] for name, _ in imported_modules(module_folder / "ConvNeXtSeg.py", module_folder)}
    standard = set(sys.stdlib_module_names)
    slicers_own = {"slicer", "qt", "ctk", "vtk", "SimpleITK", "numpy", "ConvNeXtSegLib", "convnextseg_engine"}
    assert tops <= standard | slicers_own


def test_the_walk_sees_hidden_imports(tmp_path: Path) -> None:
    package = tmp_path / "package" / "room"
    package.mkdir(parents=True)
    source = package / "file.py"
    source.write_text(
        "from ..errors import InputError\nfrom . import beside\n\n"
        "def late():\n    import torch.nn as nn\n    return nn\n"
    )
    assert dict(imported_modules(source, tmp_path)) == {
        "package.errors.InputError": 1,
        "package.room.beside": 2,
        "torch.nn": 5,
    }
