"""The real operations through a real worker: what they give is what the rooms give."""

from __future__ import annotations

import json
import os
import threading
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.errors import InputError, RunCancelled
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.networks.registry import build
from convnextseg_engine.synthetic.brain import SyntheticCase, synthetic_case
from convnextseg_engine.training.evaluate import evaluate
from convnextseg_engine.training.recipe import read_recipe
from convnextseg_engine.worker.client import WorkerClient
from convnextseg_engine.worker.exchange import Exchange
from convnextseg_engine.worker.identity import identify, is_running
from convnextseg_engine.worker.killing import wait_until_gone

NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 2}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def worker(home: Path):
    """One worker for the whole module, with its own model store."""
    # The same number of threads as here: sums are added up in another order with another number, to other last bits.
    environment = dict(os.environ, CONVNEXTSEG_HOME=str(home))
    with WorkerClient("train", environment=environment) as client:
        yield client


@pytest.fixture(scope="module")
def model(home: Path) -> ModelFolder:
    contract = LabelContract.read(
        Path(str(resources.files("convnextseg_engine.data"))) / "contracts" / "brain-tumour.json"
    )
    metadata = Metadata(
        name="tiny", version="v1", title="A random network", intended_use="For tests only.", network=NETWORK,
        channels=("T1", "T1c", "T2", "FLAIR"), spacing=(4.0, 4.0, 4.0), patch=(32, 32, 32),
    )  # fmt: skip
    torch.manual_seed(7)
    weights = build(NETWORK, 4, 3).state_dict()
    ModelFolder.write(home / "made" / "tiny", metadata, contract, weights, "# A random network\n")
    store = ModelStore(home)
    store.install(home / "made" / "tiny")
    return store.open("tiny")


@pytest.fixture(scope="module")
def made() -> SyntheticCase:
    return synthetic_case(5, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))


def set_of(folder: Path, contract: LabelContract, seed: int, *splits: str) -> CaseSet:
    case_set = CaseSet.create(folder, contract)
    for index, split in enumerate(splits):
        made = synthetic_case(seed + index, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
        case_set.add(f"case-{index}", made.study, made.mask, split)
    return case_set


@pytest.fixture(scope="module")
def cases(tmp_path_factory, model: ModelFolder) -> CaseSet:
    return set_of(tmp_path_factory.mktemp("sets") / "cases", model.contract, 70, "train", "test")


@pytest.fixture(scope="module")
def guard(tmp_path_factory, model: ModelFolder) -> CaseSet:
    return set_of(tmp_path_factory.mktemp("sets") / "guard", model.contract, 80, "test")


@pytest.fixture
def request_of(tmp_path: Path, made: SyntheticCase):
    """Arguments of a segmentation of the synthetic study, and the exchange."""
    exchange = Exchange.create(tmp_path)
    channels = {
        name: exchange.put_array(name, sitk.GetArrayViewFromImage(image), Grid.from_image(image))
        for name, image in made.study.channels.items()
    }
    yield {
        "channels": channels, "reference": made.study.reference, "model": "tiny", "device": "cpu", "backend": "torch",
        "exchange": str(exchange.folder),
    }, exchange  # fmt: skip
    exchange.close()


def test_the_first_segmentation_loads_and_the_second_is_warm(worker, model, made, request_of):
    args, exchange = request_of
    assert worker.call("ping") == {"loaded": [], "imports": {}}
    expected = segment(made.study, load(model, "cpu", "torch"))
    events = []
    first = worker.call("segment", args, events.append)
    mask, grid = exchange.open_array(first["mask"])
    assert np.array_equal(mask, expected.mask) and expected.mask.any()
    assert grid == made.study.reference_grid
    assert first["volumes_ml"] == pytest.approx(expected.volumes_ml)
    assert first["loaded_now"] is True and first["model"]["version"] == "v1" and first["device"] == "cpu"
    assert events[0].stage == "load" and events[-1].fraction == 1.0
    warm = worker.call("ping")
    assert warm["loaded"] == ["tiny@v1"] and "torch" in warm["imports"]
    second = worker.call("segment", args)
    assert second["loaded_now"] is False
    assert np.array_equal(exchange.open_array(second["mask"])[0], expected.mask)
    assert worker.call("ping") == warm, "nothing more was imported or loaded"


def test_options_of_a_run_reach_the_engine_and_doubts_come_back(worker, model, made, request_of):
    args, exchange = request_of
    options = {"uncertainty": True, "mirror": True}
    expected = segment(made.study, load(model, "cpu", "torch"), options=SegmentOptions.from_dict(options))
    plain = worker.call("segment", args)
    assert plain["uncertainty"] is None and plain["entropy"] is None
    found = worker.call("segment", args | {"options": options})
    assert found["uncertainty"] == expected.uncertainty.to_dict()
    assert "2 mirrored views" in found["plan"]
    entropy, grid = exchange.open_array(found["entropy"])
    assert np.array_equal(entropy, expected.uncertainty.entropy)
    assert grid == made.study.reference_grid
    assert np.array_equal(exchange.open_array(found["mask"])[0], expected.mask)
    with pytest.raises(InputError, match="option") as caught:
        worker.call("segment", args | {"options": {"sharpness": 2}})
    assert caught.value.code == "bad-option"


def test_bad_input_is_told_as_the_rooms_tell_it_and_the_model_stays_warm(worker, request_of):
    args, _ = request_of
    with pytest.raises(InputError) as caught:
        worker.call("segment", {**args, "reference": "PET"})
    assert caught.value.code == "no-reference"
    with pytest.raises(InputError) as caught:
        worker.call("warm", {"model": "no-such-model"})
    assert caught.value.code == "no-model"
    assert worker.call("segment", args)["loaded_now"] is False


def test_evaluating_gives_what_the_training_room_gives(worker, model, cases):
    args = {"model": "tiny", "cases": str(cases.folder), "split": "test", "device": "cpu", "backend": "torch"}
    told = worker.call("evaluate", args)
    expected = evaluate(load(model, "cpu", "torch"), cases.cases("test")).to_dict()
    assert [row["name"] for row in told["rows"]] == ["case-1"]
    assert told == expected


def test_a_training_that_loses_slicer_keeps_its_checkpoint_and_can_be_resumed(
    worker, home, model, cases, guard, tmp_path
):
    recipe = read_recipe("adapt").to_dict() | {"synthetic_fraction": 0.0, "checkpoint_every": 1000}
    (tmp_path / "quick.json").write_text(json.dumps(recipe), encoding="utf-8")
    args = {
        "model": "tiny", "cases": str(cases.folder), "recipe": str(tmp_path / "quick.json"), "steps": 2000,
        "device": "cpu", "run_folder": str(tmp_path / "run"), "guard": str(guard.folder),
    }  # fmt: skip
    trained = threading.Event()

    def notice(event) -> None:
        if "loss" in getattr(event, "values", {}):
            trained.set()

    ended: list[BaseException] = []

    def train() -> None:
        try:
            worker.call("finetune", args, notice)
        except RunCancelled as error:
            ended.append(error)

    call = threading.Thread(target=train)
    call.start()
    assert trained.wait(300)
    process = identify(worker.pid)
    worker._process._popen.stdin.close()  # as when Slicer closes
    assert wait_until_gone(process, 120)
    call.join()
    assert ended and (tmp_path / "run" / "checkpoint.pt").is_file()

    steps = []
    resumed = threading.Event()

    def stop_soon(event) -> None:
        if "loss" in getattr(event, "values", {}):
            steps.append(event.values["step"])
            if not resumed.is_set():
                resumed.set()
                worker.stop()

    result = worker.call("finetune", {**args, "resume": True}, stop_soon)
    assert steps[0] > 1, "it goes on where it was"
    assert len(steps) < 1000, "it was stopped early"
    assert result["version"] == "v2" and result["run_folder"] == args["run_folder"]
    assert result["verdict"]["outcome"] and result["verdict"]["guard_measured"]
    assert ModelStore(home).open("tiny@v2").metadata.version == "v2"


def test_the_doctor_speaks_through_the_worker(worker):
    found = worker.call("doctor")
    assert "tiny@v1" in [entry["name"] for entry in found["models"]] and found["devices"]
    assert is_running(identify(worker.pid))
