"""Training in two processes under torchrun: equal weights in both, and the same as one process that accumulates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from convnextseg_engine.errors import InputError
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.networks.registry import build
from convnextseg_engine.training.loop import train
from convnextseg_engine.training.ranks import Ranks
from convnextseg_engine.training.recipe import Recipe, read_recipe
from convnextseg_engine.training.samples import PatchSource, TrainingCase

NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 2, "dim": 3}
PATCH = (32, 32, 32)

_TOGETHER = """
import sys
from pathlib import Path
import torch
from engine.training.test_ranks import learn
from convnextseg_engine.training.ranks import joined
folder = Path(sys.argv[1])
with joined("cpu") as ranks:
    assert ranks.world == 2
    learned = learn(folder / "together.pt", ranks, accumulate=1)
    torch.save(learned, folder / f"rank{ranks.rank}.pt")
    assert ranks.from_first(lambda: f"told by {ranks.rank}") == "told by 0"
    assert ranks.any(ranks.rank == 1) and not ranks.any(False)
    assert ranks.mean(float(ranks.rank)) == 0.5
    from convnextseg_engine.errors import InputError
    try:
        ranks.from_first(lambda: (_ for _ in ()).throw(InputError("No.", reason="Because.", code="no")))
    except InputError as error:
        (folder / f"refused{ranks.rank}").write_text(f"{error} {error.code}")
"""


def bright_case() -> TrainingCase:
    """A case whose truth is where its image is bright."""
    image = torch.randn(1, 40, 40, 40, generator=torch.Generator().manual_seed(1)).numpy()
    regions = image > 0.5
    centres = torch.argwhere(torch.from_numpy(regions[0])).numpy()[:500]
    return TrainingCase(image, regions, (centres, centres))


def learn(checkpoint: Path, ranks: Ranks, accumulate: int) -> dict[str, torch.Tensor]:
    """Train four steps, some of them with a frozen stem, and return the weights."""
    torch.set_num_threads(1)
    recipe = replace(
        read_recipe("adapt"), steps=4, warmup_steps=1, learning_rate=0.01, epsilon=1e-3, synthetic_fraction=0.0,
        accumulate=accumulate, freeze={"stem": 2}, deep_supervision=True, checkpoint_every=2, validate_every=2,
    )  # fmt: skip
    torch.manual_seed(ranks.rank)  # whatever the others begin with, the first one's weights count
    network = build(NETWORK, 1, 1, deep_supervision=True)
    source = PatchSource([bright_case()], recipe, PATCH, ranks=ranks)
    validated = []
    train(
        network, source, recipe, checkpoint=checkpoint, ranks=ranks,
        validate=(lambda _: validated.append(1) or {"r": 0.5}) if ranks.first else None,
    )  # fmt: skip
    assert len(validated) == (2 if ranks.first else 0)
    return network.state_dict()


def torchrun(folder: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a Python command in two processes that share the work."""
    places = (Path(build.__code__.co_filename).parents[2], Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places)), "OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*launcher, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_that_accumulates(tmp_path: Path) -> None:
    (tmp_path / "together.py").write_text(_TOGETHER)
    ran = torchrun(tmp_path, "together.py", str(tmp_path))
    assert ran.returncode == 0, ran.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    alone = learn(tmp_path / "alone.pt", Ranks(), accumulate=2)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=0)
        torch.testing.assert_close(alone[name], value, rtol=1e-4, atol=1e-5)
    for rank in range(2):
        assert (tmp_path / f"refused{rank}").read_text() == "No. Because. no"
    assert (tmp_path / "together.pt").is_file()


@pytest.mark.slow
def test_the_train_command_under_torchrun_makes_one_model(
    case_set: CaseSet, private_home: Path, recipe: Recipe, tmp_path: Path
) -> None:
    quick = replace(recipe, name="quick", steps=2, validate_every=2, checkpoint_every=1)
    (tmp_path / "quick.json").write_text(json.dumps(quick.to_dict()))
    options = ["--network", "mednext-s-k3-w2", "--cases", str(case_set.folder), "--name", "both", "--recipe",
               str(tmp_path / "quick.json"), "--device", "cpu"]  # fmt: skip
    ran = torchrun(tmp_path, "-m", "convnextseg_engine.cli", "train", *options)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.count("Model both@v1") == 1
    model = ModelStore(private_home).open("both")
    assert model.metadata.lineage["steps"] == 2
    assert model.metadata.validation["test"]["rows"]


def test_one_process_asks_nobody() -> None:
    alone = Ranks()
    assert alone.first
    assert alone.from_first(lambda: 7) == 7
    assert alone.any(True)
    assert not alone.any(False)
    assert alone.mean(0.25) == 0.25
    network = torch.nn.Linear(1, 1)
    assert alone.together(network) is network
    with pytest.raises(InputError, match="No"):
        alone.from_first(lambda: (_ for _ in ()).throw(InputError("No.")))
