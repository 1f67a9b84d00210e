"""Fixtures of the model tests: a tiny model folder, and a store in a private place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.models.store import ModelStore


@pytest.fixture(scope="session")
def contract(repository: Path) -> LabelContract:
    return LabelContract.read(repository / "ConvNeXtSeg/convnextseg_engine/data/contracts/brain-tumour.json")


@pytest.fixture(scope="session")
def metadata() -> Metadata:
    return Metadata(
        name="tiny-brain",
        version="v1",
        title="Tiny brain model",
        intended_use="Tests only. Not for clinical use.",
        network={"name": "mednext", "size": "S"},
        channels=("T1", "T1c"),
        spacing=(1.0, 1.0, 1.5),
        patch=(64, 96, 96),
        skull_stripped=True,
        licence="CC-BY-4.0",
        attribution="Nobody",
        created="2026-01-02T03:04:05+00:00",
    )


@pytest.fixture
def make_model(tmp_path: Path, contract: LabelContract, metadata: Metadata) -> Callable[..., ModelFolder]:
    """Write a model folder; ``seed`` makes its weights, other arguments change its metadata."""

    def make(folder: str = "model", seed: int = 0, **changes) -> ModelFolder:
        generator = torch.Generator().manual_seed(seed)
        weights = {"stem.weight": torch.randn(3, 2, generator=generator), "count": torch.tensor(7)}
        changed = dataclasses.replace(metadata, **changes)
        return ModelFolder.write(tmp_path / folder, changed, contract, weights, "# Tiny brain model\n")

    return make


@pytest.fixture
def bundled(tmp_path: Path, make_model) -> Path:
    """A folder of models that ship: one, called tiny-brain."""
    make_model("shipped/tiny-brain")
    return tmp_path / "shipped"


@pytest.fixture
def store(private_home: Path, bundled: Path) -> ModelStore:
    """A store of a new user, with one bundled model."""
    return ModelStore(bundled=bundled)
