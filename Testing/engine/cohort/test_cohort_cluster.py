"""A real Dask scheduler and two real workers, each a process of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convnextseg_engine.cohort import cluster as cluster_module
from convnextseg_engine.cohort.cluster import on_cluster
from convnextseg_engine.cohort.csv_source import cases_of_csv
from convnextseg_engine.cohort.mask_pattern import MaskPattern
from convnextseg_engine.cohort.preparation import CohortPreparation
from convnextseg_engine.cohort.run import run_cohort
from convnextseg_engine.cohort.settings import Settings, content_of
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import write_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.progress import Reporter
from engine.cohort.small_cohort import write_cohort
from engine.inference.tiny_model import CHANNELS, ball, write_tiny_model

CASES = 8
HELD_CASE = Path(__file__).with_name("held_case.py")
_PLAIN = ("--no-nanny", "--no-dashboard")
_LIMIT_S = 300  # a bound for what is broken, not for what is slow


class Cluster:
    """A scheduler, and workers by name, each a process with one thread."""

    def __init__(self, folder: Path):
        self.gate = folder / "gate"
        self.gate.mkdir()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder
        self._file = folder / "scheduler.json"
        local = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self._scheduler = self._started("dask_scheduler", *local, "--scheduler-file", str(self._file))
        self._count = 0
        self.address = ""

    def with_two_workers(self) -> Cluster:
        """Start as many workers as are missing, and wait until both are there."""
        from distributed import Client

        self.workers = {name: worker for name, worker in self.workers.items() if worker.poll() is None}
        while len(self.workers) < 2:
            self._count += 1
            name = f"worker-{self._count}"
            place = ("--scheduler-file", str(self._file), "--preload", str(HELD_CASE))
            self.workers[name] = self._started("dask_worker", *place, "--name", name, "--nthreads", "1", *_PLAIN)
        deadline = time.monotonic() + _LIMIT_S
        while not self._file.is_file():
            assert self._scheduler.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with Client(scheduler_file=str(self._file), set_as_default=False, timeout=60) as client:
            names: set[str] = set()
            while names != set(self.workers):  # one that was killed may still be listed for a moment
                assert time.monotonic() < deadline
                time.sleep(0.1)
                names = {worker["name"] for worker in client.scheduler_info()["workers"].values()}
            self.address = client.scheduler.address
        return self

    def end(self) -> None:
        for process in (*self.workers.values(), self._scheduler):
            process.kill()
            process.wait()

    def _started(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1", "COHORT_GATE": str(self.gate)},
                cwd=self._folder,
            )


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for all tests of this file."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster
    finally:
        cluster.end()


@pytest.fixture
def cluster(scheduler: Cluster) -> Cluster:
    """The cluster with two living workers."""
    return scheduler.with_two_workers()


def test_cluster_and_this_process_prepare_alike_and_give_the_same_masks(tmp_path: Path, cluster: Cluster) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    preparation = CohortPreparation(register="check", expectations=True, dilation_mm=2.0, use_cache=False, masked=True)
    content = content_of(model)
    settings = Settings(str(model.path), content, "cpu", "torch", ending=".nrrd", preparation=preparation)
    source = write_cohort(tmp_path / "in", 2)
    grid = Grid((32,) * 3, (2.0,) * 3, (-31.0,) * 3, (1, 0, 0, 0, 1, 0, 0, 0, 1))
    (tmp_path / "in" / "masks").mkdir()
    for index in range(2):
        inside = ball(grid, (0, 0, 0), 20.0 + 5 * index)
        write_image(grid.image(inside.astype("uint8")), tmp_path / "in" / "masks" / f"case-{index}.nrrd")
    pattern = "masks/{case}.nrrd"
    cases = cases_of_csv(source, CHANNELS, masks=MaskPattern.starting_at(tmp_path / "in", pattern))
    run_cohort(cases, settings, tmp_path / "there", Reporter(), on_cluster(cluster.address))
    command = [sys.executable, "-m", "convnextseg_engine.cli", "batch", source, "--brain-mask", pattern]
    command += ["--model", model.path, "--output", tmp_path / "here", "--format", ".nrrd", "--backend", "torch"]
    command += ["--device", "cpu", "--no-prepare-cache", "--brain-mask-dilation", "2"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as the workers have
    here = subprocess.run(command, env=one_thread, capture_output=True, text=True, check=False)
    assert here.returncode == 0, here.stderr
    assert (tmp_path / "here" / "cohort.json").read_bytes() == (tmp_path / "there" / "cohort.json").read_bytes()
    for case in cases:
        name = f"{case.id}/segmentation.nrrd"
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
        told = [
            json.loads((tmp_path / place / case.id / "report.json").read_text(encoding="utf-8"))
            for place in ("here", "there")
        ]
        masked = [report["preparation"]["steps"][0] for report in told]
        assert [(step["name"], step["state"]) for step in masked] == [("brain mask", "done")] * 2
        assert told[0]["expectations"] == told[1]["expectations"]
        assert told[0]["warnings"] == told[1]["warnings"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_workers_cases_are_redone_and_none_is_twice(tmp_path: Path, cluster: Cluster, moment: str) -> None:
    """A worker is killed in the middle of a case: when its results are complete but not in their place, or just are."""
    model = write_tiny_model(tmp_path / "tiny")
    settings = Settings(str(model.path), content_of(model), "cpu", "torch")
    cases = cases_of_csv(write_cohort(tmp_path / "in", CASES), CHANNELS)
    place = tmp_path / "out" / "case-3"
    (cluster.gate / f"{moment}-case-3").touch()
    killed: dict[str, bytes | None] = {}
    over = threading.Event()

    def kill_who_holds_the_case() -> None:
        while not over.wait(0.05):
            for held in cluster.gate.glob("held-by-*"):
                name = held.name.removeprefix("held-by-")
                killed[name] = (place / "report.json").read_bytes() if place.exists() else None
                cluster.workers[name].kill()
                held.unlink()
                return

    killer = threading.Thread(target=kill_who_holds_the_case)
    killer.start()
    try:
        rows = run_cohort(cases, settings, tmp_path / "out", Reporter(), on_cluster(cluster.address))
    finally:
        over.set()
        killer.join()
    ((name, report),) = killed.items()
    assert cluster.workers[name].wait(_LIMIT_S) == -9
    assert [(row.status, row.message) for row in rows if row.status != "done"] == []
    if moment == "before":
        assert report is None, "the case was begun, and nothing of it was among the results"
        assert len(list((tmp_path / "out").glob(".*-case-3"))) == 1, "what the killed worker had half done"
    else:
        assert (place / "report.json").read_bytes() == report, "what was done once stays as it was"
    with (tmp_path / "out" / "cohort.csv").open(encoding="utf-8", newline="") as file:
        assert [line["case"] for line in csv.DictReader(file)] == [case.id for case in cases]
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*") if p.is_dir()) == [case.id for case in cases]


class _FutureOfADyingWorker:
    """A future as it looks between two questions: done, then its result is lost with the worker, then done again."""

    def __init__(self, statuses: list[str]):
        self._statuses = iter(statuses)

    def done(self) -> bool:
        return True

    @property
    def status(self) -> str:
        return next(self._statuses)

    def result(self) -> dict[str, str]:
        return {"case": "x"}

    def exception(self) -> Exception:
        return OSError("of this case")


class _Running:
    status = "running"

    def scheduler_info(self) -> dict[str, dict]:
        return {"workers": {"one": {}}}


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (["lost", "pending", "finished"], "x"),
        (["error"], "of this case"),
        (["cancelled"], "The connection to the cluster was lost."),
    ],
)
def test_a_result_that_a_killed_worker_held_is_waited_for(
    statuses: list[str], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_POLL_S", 0)
    waiting = {_FutureOfADyingWorker(statuses): "x"}
    ((name, found),) = cluster_module._as_they_finish(_Running(), waiting, Reporter())
    assert name == "x"
    assert outcome in (str(found["case"]) if isinstance(found, dict) else str(found))


def test_an_address_without_scheduler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_S", 2)
    model = write_tiny_model(tmp_path / "tiny")
    settings = Settings(str(model.path), content_of(model), "cpu", "torch")
    cases = cases_of_csv(write_cohort(tmp_path / "in", 1), CHANNELS)
    with pytest.raises(InputError, match="no Dask scheduler at"):
        run_cohort(cases, settings, tmp_path / "out", Reporter(), on_cluster("tcp://127.0.0.1:9"))
