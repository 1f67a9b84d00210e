"""Measure the limits of ``preparing.expectations`` on the real studies of the shared folder.

    .venv/bin/python scripts/measure_expectations.py

Prints what is found in each study as it is (nothing should be), and in how many studies two channels that changed
places, or a T1 in the place of T1c, are noticed. The cases of the test split are left out.
"""

from __future__ import annotations

import json
from pathlib import Path

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.preparing.expectations import expectations

_SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
_FILES = {"T1c": "t1ce", "T1": "t1", "T2": "t2", "FLAIR": "flair"}
_SWAPS = (("T1", "T2"), ("T2", "FLAIR"), ("T1", "FLAIR"), ("T1c", "T2"), ("T1", "T1c"))


def studies() -> dict[str, Study]:
    """Return the studies by name."""
    split = json.loads((_SHARED / "splits.json").read_text(encoding="utf-8"))["brats2021"]
    folders = [_SHARED / "brats2021" / case for case in (*split["train"], *split["validation"])]
    folders += [_SHARED / "oblique" / "BraTS2021_01661-clinical", _SHARED / "ms" / "cross_patient07_mni"]
    return {
        folder.name: Study({c: read_image(folder / f"{file}.nii.gz") for c, file in _FILES.items()}, "T1c")
        for folder in folders
    }


def found(study: Study, metadata: Metadata) -> list[str]:
    """Return the names of the findings."""
    return [finding.name for finding in expectations(study, metadata, aligned=True)]


def main() -> None:
    """Measure and print."""
    metadata = ModelStore().open("demo-brain-tumour").metadata
    counts = dict.fromkeys((*(f"{a} and {b} exchanged" for a, b in _SWAPS), "T1 given as T1c"), 0)
    known = studies()
    for name, study in known.items():
        print(f"{name}: {', '.join(found(study, metadata)) or 'nothing'}", flush=True)
        for a, b in _SWAPS:
            swapped = study.channels | {a: study.channels[b], b: study.channels[a]}
            counts[f"{a} and {b} exchanged"] += bool(found(Study(swapped, "T1c"), metadata))
        again = study.channels | {"T1c": study.channels["T1"]}
        counts["T1 given as T1c"] += "contrast" in found(Study(again, "T1c"), metadata)
    print("\n| fault | noticed |\n|---|---|")
    for fault, count in counts.items():
        print(f"| {fault} | {count} of {len(known)} |")


if __name__ == "__main__":
    main()
