"""The folder of one training run: what was asked, how far it came, and its checkpoints.

``run.json`` is written before the first step, so that a run that was killed can be found and resumed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..durable import write_json
from ..errors import InputError
from ..file_lock import locked
from ..models.home import home_folder

_RECORD, _LOCK = "run.json", "lock"
OPEN_STATES = ("training", "stopped")


@dataclass(frozen=True)
class Run:
    """What a run was asked to do.

    Attributes:
        model: Name and version of the model it starts from, or that it makes from scratch.
        cases: Absolute path of the case set.
        recipe: The recipe, steps included.
        case_hashes: Content hashes of the cases, by split, when the run began.
        state: ``"training"``, ``"stopped"`` (by the user, keeping what there is) or ``"done"``.
        version: The candidate's version once there is one.
        started: UTC time in ISO 8601.
        new_model: What a training from scratch is to make (see ``training/from_scratch.py``); empty in fine-tuning.
    """

    model: str
    cases: str
    recipe: dict[str, Any]
    case_hashes: dict[str, list[str]]
    state: str = "training"
    version: str = ""
    started: str = ""
    new_model: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write ``run.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _RECORD, asdict(self))

    def moved_to(self, state: str, folder: Path, version: str = "") -> Run:
        """Return the run in another state, and record it."""
        moved = replace(self, state=state, version=version)
        moved.write(folder)
        return moved

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read ``run.json``; raises :class:`InputError` if the folder holds no run."""
        try:
            return cls(**json.loads((folder / _RECORD).read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder.name} is not the folder of a training run.",
                reason=f"Its {_RECORD} cannot be read ({type(error).__name__}).",
                remedy="Start the training again without resuming.",
                code="no-run",
            ) from error


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Hold a run's folder for the block; raises :class:`InputError` if another process trains in it."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder / _LOCK, timeout_s=0))
        except InputError as error:
            raise InputError(
                "This training is running already.", reason="Another process of this computer works on it.",
                remedy="Wait until it has ended or stop it; a stopped training can be resumed.", code="run-in-use",
            ) from error  # fmt: skip
        yield


def runs_folder() -> Path:
    """Return where runs lie."""
    return home_folder() / "runs"


def new_run_folder(model_name: str) -> Path:
    """Return a folder for a new run; it does not exist yet."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return runs_folder() / f"{model_name}-{stamp}"


def unfinished_run(model: str, cases: Path, *, from_scratch: bool = False) -> Path | None:
    """Return the newest run of ``model`` (name@version) on the case set ``cases`` that has not ended, or None.

    Args:
        model: The model that is fine-tuned, or made.
        cases: Folder of the case set.
        from_scratch: Look for trainings that make the model rather than for ones that start from it.
    """
    found = []
    for folder in runs_folder().glob("*/") if runs_folder().is_dir() else ():
        try:
            run = Run.read(folder)
        except InputError:
            continue
        wanted = run.model == model and run.cases == str(Path(cases).absolute()) and bool(run.new_model) == from_scratch
        if run.state in OPEN_STATES and wanted:
            found.append((run.started, folder))
    return max(found)[1] if found else None


def start_run(wanted: Run, folder: Path | None) -> tuple[Path, Run]:
    """Record a new run in ``folder``, or in a new folder of the user's, and return both.

    Raises:
        InputError: If the folder holds a run already.
    """
    folder = folder or new_run_folder(wanted.model.partition("@")[0])
    if (folder / _RECORD).exists():
        raise InputError(
            f"{folder.name} holds a training run already.", reason="Nothing is overwritten.",
            remedy="Resume it, or choose another folder.", code="exists",
        )  # fmt: skip
    run = replace(wanted, started=datetime.now(UTC).isoformat(timespec="microseconds"))
    run.write(folder)
    return folder, run


def resume_run(wanted: Run, folder: Path | None) -> tuple[Path, Run]:
    """Return the folder and the record of an interrupted run.

    Args:
        wanted: What is asked for now; model, cases and the recipe's name must be those of the run.
        folder: The run's folder; the newest unfinished run of this model on these cases by default.

    Raises:
        InputError: If there is none, or it was another training.
    """
    folder = folder or unfinished_run(wanted.model, Path(wanted.cases), from_scratch=bool(wanted.new_model))
    if folder is None:
        raise InputError(
            "There is no interrupted training to resume.",
            reason=f"No unfinished run of {wanted.model} on {Path(wanted.cases).name} was found.",
            remedy="Start a new training without resuming.",
            code="nothing-to-resume",
        )
    run = Run.read(folder)
    if run.case_hashes != wanted.case_hashes:
        raise InputError(
            "The interrupted training cannot be resumed.",
            reason="The cases have changed since it began.",
            remedy="Start a new training, so that all of it sees the same cases.",
            code="cases-changed",
        )
    if run.recipe["name"] != wanted.recipe["name"]:
        raise InputError(
            f"The interrupted training was started with the recipe “{run.recipe['name']}”, "
            f"not “{wanted.recipe['name']}”.",
            reason="A training goes on as it began.",
            remedy="Resume it with its own recipe, or start a new training.",
            code="other-recipe",
        )
    return folder, run
