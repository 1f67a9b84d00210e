"""Which version of a model is current, which came before, and the log of every such decision.

``state.json`` is the truth and is replaced as a whole. ``history.jsonl`` is the log for people; the state carries the
latest event, so that a crash between the two writes is made good at the next change.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..durable import append_line, write_json
from ..errors import InputError

_FORMAT = 1
STATE, HISTORY = "state.json", "history.jsonl"


@dataclass(frozen=True)
class Event:
    """One decision about a model.

    Attributes:
        time: UTC, ISO 8601, microseconds.
        action: ``"install"``, ``"add"``, ``"promote"`` or ``"rollback"``.
        version: The version that it was about.
        previous: The version that was current before, or None.
        verdict: What the gate had said about ``version``; empty for a version that was never judged.
        overruled: Whether a person decided against the verdict.
        note: The person's words.
    """

    time: str
    action: str
    version: str
    previous: str | None = None
    verdict: dict[str, Any] = field(default_factory=dict)
    overruled: bool = False
    note: str = ""


@dataclass(frozen=True)
class ModelState:
    """The content of ``state.json``.

    Attributes:
        current: Version in use, or None if only the bundled one exists.
        trail: Versions that were current before, oldest first; rolling back takes the last.
        verdicts: Version to what the gate said about it.
        highest: Highest version number ever given; a deleted version's number is not given again.
        last_event: The latest event.
    """

    current: str | None = None
    trail: tuple[str, ...] = ()
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    highest: int = 0
    last_event: Event | None = None


def now() -> str:
    """Return the UTC time for an event."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def read_state(folder: Path) -> ModelState:
    """Return the state of the model whose store folder this is; a model without one has the empty state."""
    path = folder / STATE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise ValueError(f"its format is {data['format']!r}, this version reads {_FORMAT}")
        last = data["last_event"]
        return ModelState(
            data["current"],
            tuple(data["trail"]),
            dict(data["verdicts"]),
            int(data["highest"]),
            Event(**last) if last else None,
        )
    except FileNotFoundError:
        return ModelState()
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The record of which version of {folder.name} is current cannot be read.",
            reason=f"{path}: {error}",
            remedy=f"Restore {STATE} from a backup, or move it away: the first version is then current again. "
            f"{HISTORY} beside it says what was chosen before.",
            code="bad-state",
        ) from error


def commit(folder: Path, state: ModelState, event: Event) -> None:
    """Replace the state and log the event; call it with the model's lock held."""
    for line in _lines(folder)[1]:
        append_line(folder / HISTORY, line)
    write_json(folder / STATE, {"format": _FORMAT} | asdict(replace(state, last_event=event)))
    append_line(folder / HISTORY, _line(event))


def read_history(folder: Path) -> list[Event]:
    """Return all events, oldest first; a line that a crash cut short is left out."""
    logged, missed = _lines(folder)
    events = []
    for line in logged + missed:
        try:
            events.append(Event(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            continue
    return events


def _lines(folder: Path) -> tuple[list[str], list[str]]:
    """Return the lines of the log, and the latest event's line if a crash kept it from the log."""
    path = folder / HISTORY
    logged = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
    last = read_state(folder).last_event
    return logged, [_line(last)] if last and _line(last) not in logged else []


def _line(event: Event) -> str:
    return json.dumps(asdict(event), ensure_ascii=False)
