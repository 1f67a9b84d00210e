from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk

from convnextseg_engine.cli.main import main
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.models.folder import ModelFolder
from engine.inference.tiny_model import head, rotation, write_tiny_model


@dataclass(frozen=True)
class Ran:
    """What one call of the command left behind."""

    status: int
    out: str
    err: str

    @property
    def values(self) -> list[Any]:
        """The JSON values on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Call the command in this process."""

    def call(*argv: object) -> Ran:
        status = main([str(argument) for argument in argv])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Ran(status, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def study_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """T1c and FLAIR of one head, on two grids; the second is oblique."""
    folder = tmp_path_factory.mktemp("study")
    straight = Grid((32, 30, 36), (2.0, 2.0, 2.0), (-31.0, -29.0, -35.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    oblique = Grid((40, 42, 18), (1.7, 1.7, 4.0), (-30.0, -42.0, -40.0), rotation(12, -8, 20))
    files = {"T1c": folder / "t1c.nii.gz", "FLAIR": folder / "flair.nrrd"}
    for name, grid in (("T1c", straight), ("FLAIR", oblique)):
        sitk.WriteImage(head(grid, (8.0, 4.0, -6.0), 14.0, 400), str(files[name]))
    return files


@pytest.fixture
def segment_arguments(tiny_model: ModelFolder, study_files: dict[str, Path]) -> list[object]:
    """A quick segmentation, but for --output."""
    images = [part for name, path in study_files.items() for part in ("--image", f"{name}={path}")]
    return ["segment", "--model", tiny_model.path, "--backend", "torch", "--device", "cpu", *images]
