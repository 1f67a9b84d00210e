"""Segment one synthetic study and compare the memory plan's estimate with what the process really took.

``measure_memory_plan.py`` and a test run this, one process a model, so that each is as fresh as a worker. Prints
``{"estimate": bytes, "measured": bytes, "baseline": bytes, "loaded": bytes, "plan": "…"}``: the plan's figure for what
the run takes beyond what the process has when the study is prepared, and the peak of the resident memory beyond that
(Linux only: other systems let no process forget its peak).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch  # noqa: F401  (libraries count as baseline)

from convnextseg_engine.images.study import Study
from convnextseg_engine.inference import plan_run
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.synthetic.brain import synthetic_case
from measure_one_network import forget_peak, status

SPACING = 1.5  # of the models that measure_memory_plan.py writes


def measure(folder: Path, backend: str, size: tuple[int, int, int]) -> dict[str, Any]:
    """Return the figures of one run.

    Args:
        folder: The model.
        backend: ``"torch"`` or ``"openvino"``.
        size: Voxels of the synthetic study along I, J, K.
    """
    study = synthetic_study(size)
    baseline = forget_peak()
    loaded = load(ModelFolder.open(folder), "cpu", backend)
    ready = status("VmRSS")
    before: list[int] = []
    asked = plan_run.resident_bytes

    def noted() -> int | None:
        before.append(asked())
        Path("/proc/self/clear_refs").write_text("5")
        return before[-1]

    plan_run.resident_bytes = noted  # the moment from which the estimate counts
    result = segment(study, loaded)
    return {
        "estimate": result.expected_bytes - before[0],
        "measured": status("VmHWM") - before[0],
        "baseline": baseline,
        "loaded": ready - baseline,
        "before": before[0] - baseline,
        "seconds": result.seconds["network"],
        "plan": result.plan,
    }


def synthetic_study(size: tuple[int, int, int]) -> Study:
    """Return a synthetic study; of fewer slices than a brain can be made of, the middle ones."""
    made = synthetic_case(1, size=(size[0], size[1], max(size[2], 24)), spacing=(SPACING,) * 3).study
    first = (max(size[2], 24) - size[2]) // 2
    channels = {name: image[:, :, first : first + size[2]] for name, image in made.channels.items()}
    return Study(channels, made.reference)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("backend", choices=("torch", "openvino"))
    parser.add_argument("--size", type=int, nargs=3, required=True, metavar=("I", "J", "K"))
    given = parser.parse_args()
    print(json.dumps(measure(given.model, given.backend, tuple(given.size))))
