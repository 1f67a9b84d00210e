"""Loaded into a test's workers with ``dask worker --preload``: holds one case, so that its worker can be killed in it.

The test puts a file ``before-CASE`` or ``after-CASE`` into the folder that ``COHORT_GATE`` names. The worker that is
about to place that case's results, or has just placed them, takes the file away, leaves ``held-by-WORKER`` and goes no
further. Nothing depends on how fast the machine is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from convnextseg_engine.cohort import segment_case


def dask_setup(worker: Any) -> None:
    gate = Path(os.environ["COHORT_GATE"])
    place = segment_case.place_folder

    def hold(moment: str, case: str) -> None:
        try:
            (gate / f"{moment}-{case}").rename(gate / f"held-by-{worker.name}")
        except FileNotFoundError:
            return
        while True:
            time.sleep(1)

    def placed(temporary: Path, final: Path) -> None:
        hold("before", final.name)
        place(temporary, final)
        hold("after", final.name)

    segment_case.place_folder = placed
