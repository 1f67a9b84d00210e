"""A photograph on the command line: one file for the three channels of a model for colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.networks.registry import build
from engine.inference.tiny_model import CONTRACT, tiny_metadata

NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 2}


@pytest.fixture()
def colour_model(tmp_path: Path) -> ModelFolder:
    metadata = replace(tiny_metadata(), network=NETWORK, patch=(1, 32, 32), channels=("Red", "Green", "Blue"))
    contract = LabelContract.read(CONTRACT)
    torch.manual_seed(7)
    weights = build(NETWORK, 3, len(contract.regions)).state_dict()
    return ModelFolder.write(tmp_path / "colours", metadata, contract, weights, "# For tests\n")


@pytest.fixture()
def photograph(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(20, 250, (40, 44, 3), dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(tmp_path / "photo.png"))
    return tmp_path / "photo.png"


def test_one_file_gives_all_its_colours(
    run: Callable, colour_model: ModelFolder, photograph: Path, tmp_path: Path
) -> None:
    images = [part for colour in ("Red", "Green", "Blue") for part in ("--image", f"{colour}={photograph}")]
    out = tmp_path / "mask.nrrd"
    ran = run(
        "segment", "--model", colour_model.path, "--device", "cpu", "--backend", "torch", *images, "--output", out
    )
    assert ran.status == 0, ran.err
    assert sitk.ReadImage(str(out)).GetSize() == (44, 40, 1)


def test_it_is_refused_for_a_grey_model_and_twice_for_other_channels(
    run: Callable, tiny_model: ModelFolder, photograph: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mask.nrrd"
    ran = run("segment", "--model", tiny_model.path, "--image", f"T1={photograph}", "--output", out)
    assert ran.status == 2
    assert "3 values per voxel" in ran.err
    ran = run(
        "segment", "--model", tiny_model.path, "--image", f"T1={photograph}", "--image", f"T2={photograph}",
        "--output", out,
    )  # fmt: skip
    assert "same file" in ran.err
    assert not out.exists()
