"""A tiny model and a tiny case set, so that whole trainings take seconds."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
import torch

from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.networks.registry import build
from convnextseg_engine.synthetic.brain import synthetic_case
from convnextseg_engine.training.recipe import Recipe, read_recipe

NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 2, "dim": 3}


@pytest.fixture(scope="session")
def contract() -> LabelContract:
    return LabelContract.read(Path(str(resources.files("convnextseg_engine.data"))) / "contracts" / "brain-tumour.json")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "home", bundled=tmp_path / "nothing-bundled")


@pytest.fixture
def model(tmp_path: Path, contract: LabelContract, store: ModelStore) -> ModelFolder:
    torch.manual_seed(3)
    metadata = Metadata(
        name="tiny", version="v1", title="Tiny test model", intended_use="For tests only.", network=NETWORK,
        channels=("T1", "T1c", "T2", "FLAIR"), spacing=(4.0, 4.0, 4.0), patch=(32, 32, 32),
    )  # fmt: skip
    ModelFolder.write(tmp_path / "tiny", metadata, contract, build(NETWORK, 4, 3).state_dict(), "# Tiny\n", half=False)
    store.install(tmp_path / "tiny")
    return store.open("tiny")


@pytest.fixture
def case_set(tmp_path: Path, contract: LabelContract) -> CaseSet:
    cases = CaseSet.create(tmp_path / "cases", contract)
    for seed, split in enumerate(("train", "train", "validation", "test")):
        made = synthetic_case(100 + seed, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
        cases.add(f"case-{seed}", made.study, made.mask, split)
    return cases


@pytest.fixture
def recipe() -> Recipe:
    adapt = read_recipe("adapt")
    return replace(adapt, steps=6, warmup_steps=1, validate_every=3, checkpoint_every=2, synthetic_fraction=0.0)
