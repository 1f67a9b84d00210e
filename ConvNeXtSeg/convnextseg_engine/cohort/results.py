"""The folder that a cohort's results go to.

``cohort.json`` says what the cases were segmented with, ``CASE/`` holds one case's mask and report, and ``cohort.csv``
is the table of all. A case's folder appears as a whole or not at all, so a case is either done or not begun, whoever
was killed when.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..durable import write_json, write_text
from ..errors import InputError
from ..preparing.steps import BRAIN_MASK, CACHED, DONE
from .case import CohortCase
from .preparation import CohortPreparation
from .settings import Settings

COHORT, TABLE, REPORT, MASK = "cohort.json", "cohort.csv", "report.json", "segmentation"
_FORMAT = 1
_DOUBTS = ("expected error [mL]", "slices to look at first")
_PREPARED = ("prepared", "unusual")
_FIRST_SLICES = 3
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}-.+")
_LEFT_BEHIND_S = 24 * 3600
_UNPREPARED = CohortPreparation().decides()
_LEFT_OUT = {"brain_mask_model": "--brain-mask-model", "dilation_mm": "--brain-mask-dilation"}


@dataclass(frozen=True)
class Row:
    """One case's line in the table.

    Attributes:
        case: Its name.
        status: ``"done"``, ``"failed"`` or ``"waiting"``.
        report: The case's report; empty unless done.
        message: What a person should know: why it failed, or the warnings.
    """

    case: str
    status: str
    report: dict[str, Any]
    message: str = ""


class ResultsFolder:
    """Results of a cohort, new or begun before.

    Args:
        folder: Where; is made if need be.
        settings: What the cases are segmented with.

    Raises:
        InputError: If the folder holds something else, or results that were made with another model or other options.
    """

    def __init__(self, folder: Path, settings: Settings):
        self.path = Path(folder)
        self._uncertainty = bool(settings.options.get("uncertainty"))
        self._prepared = settings.preparation.decides() != _UNPREPARED or settings.preparation.masked
        self.path.mkdir(parents=True, exist_ok=True)
        _sweep(self.path)
        known = self.path / COHORT
        if known.is_file():
            self._check_same(_read_json(known), settings)
        elif any(self.path.iterdir()):
            raise InputError(
                f"The folder {self.path} is not empty and holds no results of a cohort.",
                reason="Nothing is written among other files.",
                remedy="Choose a new or empty folder.",
                code="not-empty",
            )
        else:
            write_json(known, {"format": _FORMAT} | settings.decides())

    def done(self, case: CohortCase) -> dict[str, Any] | None:
        """Return the report of a case that is done, or None.

        Raises:
            InputError: If its result was made from other files.
        """
        path = self.path / case.id / REPORT
        if not path.is_file():
            return None
        report = _read_json(path)
        if report.get("inputs") != case.fingerprint():
            raise InputError(
                f"The images of {case.id} have changed since its result was made.",
                reason="Names, sizes or times of its images or of its brain mask differ, or its reference does.",
                remedy=f"Delete the folder {self.path / case.id} to have it made again.",
                code="inputs-changed",
            )
        return report

    def write_table(self, rows: Sequence[Row]) -> Path:
        """Write ``cohort.csv``: a line a case, with volumes in millilitres; return its path.

        Where it was measured how sure the results are, there is also how much of each is probably wrong, and the
        slices to look at first, counted from 0 along the image's third axis. Where cases were prepared, there is also
        what was done, and what about each is not as the model expects.
        """
        volumes: list[str] = []
        for row in rows:
            for entry in (*row.report.get("labels", ()), *row.report.get("regions", ())):
                if entry["name"] not in volumes:
                    volumes.append(entry["name"])
        prepared = self._prepared or any(_preparation(row.report)[0] for row in rows)  # a CSV table can name masks
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            [
                "case",
                "status",
                *(f"{name} [mL]" for name in volumes),
                *(_DOUBTS if self._uncertainty else ()),
                *(_PREPARED if prepared else ()),
                "channels",
                "seconds",
                "model",
                "message",
            ]
        )
        for row in rows:
            found = {e["name"]: e["volume_ml"] for e in (*row.report.get("regions", ()), *row.report.get("labels", ()))}
            model = row.report.get("model", {})
            used = " ".join(row.report.get("channels", {}).get("used", ()))
            writer.writerow([
                row.case, row.status, *(found.get(name, "") for name in volumes),
                *(_doubts(row.report) if self._uncertainty else ()),
                *(_preparation(row.report) if prepared else ()),
                used, row.report.get("seconds", {}).get("total", ""),
                f"{model['name']}@{model['version']}" if model else "", _plain_cell(row.message),
            ])  # fmt: skip
        path = self.path / TABLE
        write_text(path, text.getvalue())
        return path

    def _check_same(self, before: dict[str, Any], settings: Settings) -> None:
        now = settings.decides()
        # What was begun before there was a preparation had none.
        before = {"preparation": _UNPREPARED, "brain mask": False} | before
        differing = sorted(key for key in now if before.get(key) != json.loads(json.dumps(now[key])))
        if differing:
            raise InputError(
                f"The results in {self.path} were begun with other settings ({', '.join(differing)}).",
                reason="One table must not mix two models or two ways of segmenting.",
                remedy="Choose another folder, or go on with the model and options that it was begun with"
                f"{_begun_with(before, now)}.",
                code="other-settings",
            )


def _begun_with(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say which options of the preparation to give or to leave out to go on; empty where that is not known."""
    options = []
    if before["preparation"] == _UNPREPARED:
        other = {key for key, value in now["preparation"].items() if value != _UNPREPARED[key]}
        if other & {"register", "expectations"}:
            options.append("--register off --no-expectations")
        options += [f"without {option}" for key, option in _LEFT_OUT.items() if key in other]
    if before["brain mask"] != now["brain mask"]:
        options.append("--brain-mask" if before["brain mask"] else "without --brain-mask")
    return f": {', '.join(options)}" if options else ""


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half done, but nothing that another one may still be writing."""
    for leftover in folder.glob(".*-*"):
        if _TEMPORARY.fullmatch(leftover.name) and time.time() - leftover.stat().st_mtime > _LEFT_BEHIND_S:
            shutil.rmtree(leftover, ignore_errors=True)


def _doubts(report: dict[str, Any]) -> tuple[Any, Any]:
    uncertainty = report.get("uncertainty")
    if uncertainty is None:
        return "", ""
    slices = [str(one["index"]) for one in uncertainty["slices"][:_FIRST_SLICES]]
    return uncertainty["expected_error_ml"], " ".join(slices)


def _preparation(report: dict[str, Any]) -> tuple[str, str]:
    """What was done to a case before, and the names of what is unusual about it; both empty if nothing."""
    if "preparation" not in report:
        return "", ""
    done = [f"{name} moved" for name in report["preparation"]["transforms"]]
    done += [
        step["name"]
        for step in report["preparation"]["steps"]
        if step["name"] == BRAIN_MASK and step["state"] in (DONE, CACHED)
    ]
    return ", ".join(done), " ".join(dict.fromkeys(finding["name"] for finding in report["expectations"]))


def _plain_cell(text: str) -> str:
    """Return ``text`` so that a spreadsheet program does not take it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read.", reason=str(error),
            remedy="Delete it if you do not need it, or choose another folder.", code="bad-results",
        ) from error  # fmt: skip
