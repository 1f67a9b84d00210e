"""A real Dask scheduler and two real workers, each a process of its own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convnextseg_engine.cohort.cluster import on_cluster
from convnextseg_engine.cohort.csv_source import cases_of_csv
from convnextseg_engine.cohort.run import run_cohort
from convnextseg_engine.cohort.settings import Settings, content_of
from convnextseg_engine.errors import InputError
from convnextseg_engine.progress import Reporter
from engine.cohort.small_cohort import write_cohort
from engine.inference.tiny_model import CHANNELS, write_tiny_model

CASES = 8
_PLAIN = ("--no-nanny", "--no-dashboard")


def _started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
        stdin=subprocess.DEVNULL,
        stdout=(folder / f"{words[0]}.log").open("ab"),
        stderr=subprocess.STDOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=folder,
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, subprocess.Popen[bytes]]]]:
    """Address of a scheduler, and its two workers by name."""
    tmp_path = tmp_path_factory.mktemp("cluster")
    file = tmp_path / "scheduler.json"
    scheduler = _started(
        tmp_path,
        "dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        str(file),
    )
    workers = {
        name: _started(
            tmp_path, "dask_worker", "--scheduler-file", str(file), "--name", name, "--nthreads", "1", *_PLAIN
        )
        for name in ("first", "second")
    }
    try:
        yield _address(file, scheduler), workers
    finally:
        for process in (*workers.values(), scheduler):
            process.kill()
            process.wait()


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    from distributed import Client

    deadline = time.monotonic() + 120
    while not file.is_file():
        assert scheduler.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with Client(scheduler_file=str(file), set_as_default=False, timeout=60) as client:
        client.wait_for_workers(2, timeout=120)
        return client.scheduler.address


def test_cluster_and_this_process_give_the_same_masks(
    tmp_path: Path, cluster: tuple[str, dict[str, subprocess.Popen[bytes]]]
) -> None:
    address, _workers = cluster
    model = write_tiny_model(tmp_path / "tiny")
    settings = Settings(str(model.path), content_of(model), "cpu", "torch", ending=".nrrd")
    cases = cases_of_csv(write_cohort(tmp_path / "in", 2), CHANNELS)
    run_cohort(cases, settings, tmp_path / "there", Reporter(), on_cluster(address))
    command = [sys.executable, "-m", "convnextseg_engine.cli", "batch", tmp_path / "in" / "cohort.csv"]
    command += ["--model", model.path, "--output", tmp_path / "here", "--format", ".nrrd", "--backend", "torch"]
    command += ["--device", "cpu"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as the workers have
    here = subprocess.run(command, env=one_thread, capture_output=True, text=True, check=False)
    assert here.returncode == 0, here.stderr
    for case in cases:
        name = f"{case.id}/segmentation.nrrd"
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


# Last of those that need two workers: afterwards there is one.
def test_a_killed_workers_cases_are_redone_and_none_is_twice(
    tmp_path: Path, cluster: tuple[str, dict[str, subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    model = write_tiny_model(tmp_path / "tiny")
    settings = Settings(str(model.path), content_of(model), "cpu", "torch")
    cases = cases_of_csv(write_cohort(tmp_path / "in", CASES), CHANNELS)
    killed: list[str] = []

    def kill_a_busy_worker(event: object) -> None:
        from distributed import Client

        if killed:
            return
        with Client(address, set_as_default=False) as client:
            for worker, tasks in client.processing().items():
                if tasks:
                    name = client.scheduler_info()["workers"][worker]["name"]
                    workers[name].kill()
                    killed.append(name)
                    return

    reporter = Reporter()
    # The first case is finished, so the workers are in the middle of others.
    reporter.on_progress = lambda event: kill_a_busy_worker(event) if event.message.endswith(" done") else None
    rows = run_cohort(cases, settings, tmp_path / "out", reporter, on_cluster(address))
    assert len(killed) == 1
    assert workers[killed[0]].wait(10) == -9
    assert [(row.status, row.message) for row in rows if row.status != "done"] == []
    with (tmp_path / "out" / "cohort.csv").open(encoding="utf-8", newline="") as file:
        assert [line["case"] for line in csv.DictReader(file)] == [case.id for case in cases]
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*") if p.is_dir()) == [case.id for case in cases]


def test_an_address_without_scheduler_is_told(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    settings = Settings(str(model.path), content_of(model), "cpu", "torch")
    cases = cases_of_csv(write_cohort(tmp_path / "in", 1), CHANNELS)
    with pytest.raises(InputError, match="no Dask scheduler at"):
        run_cohort(cases, settings, tmp_path / "out", Reporter(), on_cluster("tcp://127.0.0.1:9"))
