"""What a click costs beyond the networks themselves, once the model is in memory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.synthetic.brain import synthetic_case
from convnextseg_engine.worker.client import WorkerClient
from convnextseg_engine.worker.exchange import Exchange

# Of the time that the networks take, and in seconds; the larger counts.
_PART, _LEAST_S = 0.10, 0.5
_RUNS = 3


@pytest.mark.slow
def test_a_warm_run_takes_little_longer_than_its_networks(tmp_path: Path) -> None:
    """From the click, with the images still to be written for the worker, to the mask in this process."""
    study = synthetic_case(3, size=(64, 64, 64), spacing=(2.0, 2.0, 2.0)).study
    environment = dict(os.environ, CONVNEXTSEG_HOME=str(tmp_path / "home"))
    with WorkerClient("segment", environment=environment) as client:
        runs = [_click(client, study, tmp_path / f"run-{run}") for run in range(1 + _RUNS)]
    assert [result["loaded_now"] for result, _elapsed in runs] == [True] + [False] * _RUNS
    # Another program on the machine can only lengthen a run, so the quickest of them counts.
    overheads = [(elapsed - result["seconds"]["network"], result["seconds"]["network"]) for result, elapsed in runs[1:]]
    overhead, network = min(overheads)
    assert overhead <= max(_PART * network, _LEAST_S), f"(overhead, network) in seconds: {overheads}"


def _click(client: WorkerClient, study: Study, folder: Path) -> tuple[dict[str, Any], float]:
    """Segment as the panel does; return the worker's answer and the seconds until the mask is here."""
    started = time.perf_counter()
    folder.mkdir()
    exchange = Exchange.create(folder)
    channels = {
        name: exchange.put_array(name, sitk.GetArrayViewFromImage(image), Grid.from_image(image))
        for name, image in study.channels.items()
    }
    args = {
        "channels": channels, "reference": study.reference, "model": "demo-brain-tumour",
        "exchange": str(exchange.folder),
    }  # fmt: skip
    answer = client.call("segment", args)
    mask = np.array(exchange.open_array(answer["mask"])[0])
    elapsed = time.perf_counter() - started
    assert mask.shape == study.reference_grid.shape
    exchange.close()
    return answer, elapsed
