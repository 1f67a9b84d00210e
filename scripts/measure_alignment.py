"""Measure how well misaligned channels are noticed and brought back, on the real images of the shared folder.

    .venv/bin/python scripts/measure_alignment.py [--motions N] [--json F] [--only CHECK|REGISTER]

Each channel of a case is compared with the first one: as it is (aligned), and after seeded random motions of 3 mm, of
3°, and of up to 15 mm with up to 15°. Prints the tables of docs/prepare.md. The cases of the test split are left out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.durable import write_json
from convnextseg_engine.images.files import read_image
from convnextseg_engine.preparing.alignment import check_alignment
from convnextseg_engine.preparing.registration import register, spread_points
from convnextseg_engine.preparing.rigid import RigidTransform

_SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
_FILES = {"T1c": "t1ce", "T1": "t1", "T2": "t2", "FLAIR": "flair"}
# Kind of motion: (least, most) mm and (least, most) degrees.
_MOTIONS = {"3 mm": ((3, 3), (0, 0)), "3°": ((0, 0), (3, 3)), "3–15 mm, 3–15°": ((3, 15), (3, 15))}


def pairs(data: Path) -> Iterator[tuple[str, str, sitk.Image, sitk.Image]]:
    """Yield case, channel, reference image and channel image."""
    split = json.loads((data / "splits.json").read_text(encoding="utf-8"))["brats2021"]
    folders = [data / "brats2021" / case for case in (*split["train"], *split["validation"])]
    folders += [data / "oblique" / "BraTS2021_01661-clinical", data / "ms" / "cross_patient07_mni"]
    for folder in folders:
        images = {name: read_image(folder / f"{file}.nii.gz") for name, file in _FILES.items()}
        for name in ("T1", "T2", "FLAIR"):
            yield folder.name, name, images["T1c"], images[name]


def random_motion(chance: np.random.Generator, centre: np.ndarray, kind: str) -> RigidTransform:
    """Return a motion around ``centre`` with a random axis and direction, and sizes from ``_MOTIONS[kind]``."""
    (least_mm, most_mm), (least_deg, most_deg) = _MOTIONS[kind]
    axis, direction = (v / np.linalg.norm(v) for v in chance.normal(size=(2, 3)))
    turn = sitk.VersorRigid3DTransform()
    turn.SetCenter(centre.tolist())
    turn.SetRotation(axis.tolist(), float(np.deg2rad(chance.uniform(least_deg, most_deg))))
    turn.SetTranslation((direction * chance.uniform(least_mm, most_mm)).tolist())
    return RigidTransform.from_itk(turn)


def error(found: RigidTransform, applied: RigidTransform, centre: np.ndarray) -> tuple[float, float]:
    """Return mm at the centre and degrees by which ``found`` misses ``applied``."""
    back = applied.inverse()
    rest = RigidTransform(
        tuple((back.rotation @ found.rotation).ravel().tolist()),
        tuple(back.apply(np.array([found.offset]))[0].tolist()),
    )
    return rest.shift_mm(centre[None]), rest.angle_deg


def measure(data: Path, motions: int, only: str | None) -> list[dict[str, Any]]:
    """Return one row a pair and motion."""
    chance = np.random.default_rng(20210)
    rows = []
    for case, channel, fixed, moving in pairs(data):
        points = spread_points(fixed)
        for kind in ("none", *_MOTIONS):
            for number in range(1 if kind == "none" else motions):
                applied = RigidTransform() if kind == "none" else random_motion(chance, points.mean(axis=0), kind)
                moved = applied.inverse().brought_back(moving)
                row = {"case": case, "channel": channel, "motion": kind, "number": number}
                if only != "register":
                    started = time.process_time()
                    found = check_alignment(fixed, moved)
                    row |= {"noticed": not found.aligned, "displacement_mm": found.displacement_mm, "gain": found.gain,
                            "check_s": time.process_time() - started}  # fmt: skip
                if only != "check" and kind != "3 mm" and number == 0:
                    started = time.process_time()
                    result = register(fixed, moved)
                    mm, degrees = error(result.transform, applied, points.mean(axis=0))
                    row |= {"error_mm": mm, "error_deg": degrees, "register_s": time.process_time() - started,
                            "information": result.information_after, "overlap": result.overlap_after}  # fmt: skip
                rows.append(row)
                print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}), flush=True)
    return rows


def tables(rows: list[dict[str, Any]]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| motion | pairs | noticed | found displacement (lowest … highest) | CPU seconds (median) |",
        "|---|---|---|---|---|",
    ]
    for kind in ("none", *_MOTIONS):
        chosen = [row for row in rows if row["motion"] == kind and "noticed" in row]
        if chosen:
            found = [row["displacement_mm"] for row in chosen]
            lines.append(
                f"| {kind} | {len(chosen)} | {sum(row['noticed'] for row in chosen)} | {min(found):.2f} … "
                f"{max(found):.2f} mm | {np.median([row['check_s'] for row in chosen]):.1f} |"
            )
    lines += ["", "| motion | pairs | error in mm: median, highest | error in °: median, highest | within 1 mm and 1° |"
              " CPU seconds (median) |", "|---|---|---|---|---|---|"]  # fmt: skip
    for kind in ("none", *_MOTIONS):
        chosen = [row for row in rows if row["motion"] == kind and "error_mm" in row]
        if chosen:
            mm, degrees = ([row[name] for row in chosen] for name in ("error_mm", "error_deg"))
            good = sum(a <= 1 and b <= 1 for a, b in zip(mm, degrees, strict=True))
            lines.append(
                f"| {kind} | {len(chosen)} | {np.median(mm):.2f}, {max(mm):.2f} | {np.median(degrees):.2f}, "
                f"{max(degrees):.2f} | {good} of {len(chosen)} | {np.median([r['register_s'] for r in chosen]):.1f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=_SHARED)
    parser.add_argument("--motions", type=int, default=2, help="random motions of each kind a pair (default: 2)")
    parser.add_argument("--only", choices=("check", "register"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = measure(arguments.data, arguments.motions, arguments.only)
    print(tables(rows))
    if arguments.json:
        write_json(arguments.json, {"rows": rows})


if __name__ == "__main__":
    main()
