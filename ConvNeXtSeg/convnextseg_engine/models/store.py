"""The models on this computer, in immutable versions, and which version of each is current.

Layout: ``$CONVNEXTSEG_HOME/models/NAME/versions/v2/…`` with ``state.json`` and ``history.jsonl`` beside ``versions``. A
model that ships with ConvNeXtSeg appears as version ``v1`` where it lies, without being copied.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from ..durable import place_folder, write_json
from ..errors import InputError
from ..file_lock import locked
from .checksums import write_sums
from .folder import METADATA, ModelFolder
from .home import check_writable, home_folder
from .metadata import is_model_name, is_version
from .state import Event, ModelState, commit, now, read_history, read_state


@dataclass(frozen=True)
class VersionInfo:
    """One line of a model's list of versions.

    Attributes:
        name: Model name.
        version: ``"v1"``, …
        path: The model folder.
        status: ``"current"``, ``"former"`` (was current once), ``"candidate"``, or ``"damaged"``.
        bundled: Whether it ships with ConvNeXtSeg.
        title: The model's title; for a damaged one, what is wrong with it.
        created: UTC time in ISO 8601, or empty.
        verdict: What the gate said when it was added; empty if it was never judged.
        calibrated: Whether ``models calibrate`` made it: another version's weights, with temperatures.
    """

    name: str
    version: str
    path: Path
    status: str
    bundled: bool
    title: str
    created: str
    verdict: dict[str, Any] = field(default_factory=dict)
    calibrated: bool = False


class ModelStore:
    """The models of one user.

    Args:
        home: The user's ConvNeXtSeg folder; the platform's place by default.
        bundled: Folder of the models that ship; the engine's own by default.
    """

    def __init__(self, home: Path | None = None, *, bundled: Path | None = None):
        self._models = (Path(home) if home else home_folder()) / "models"
        self._bundled = (
            Path(bundled) if bundled else Path(str(resources.files("convnextseg_engine") / "data" / "models"))
        )

    def check_writable(self) -> None:
        """Refuse a store into which nothing can be written; raises :class:`InputError`.

        For the beginning of a work of hours, whose result would be lost at its end.
        """
        check_writable(self._models)

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        found = set()
        for folder in (self._bundled, self._models):
            if folder.is_dir():
                found |= {entry.name for entry in folder.iterdir() if is_model_name(entry.name) and entry.is_dir()}
        return sorted(name for name in found if self._paths(name))

    def versions(self, name: str) -> list[VersionInfo]:
        """Return the versions of a model, oldest first; raises :class:`InputError` for an unknown name."""
        paths = self._known_paths(name)
        state = read_state(self._models / name)
        current = self.current(name)
        return [self._info(name, version, path, state, current) for version, path in paths.items()]

    def first(self, name: str) -> str:
        """Return the first version, against which forgetting is measured."""
        return next(iter(self._known_paths(name)))

    def current(self, name: str) -> str:
        """Return the version that is in use."""
        return read_state(self._models / name).current or self.first(name)

    def open(self, spec: str | Path) -> ModelFolder:
        """Open a model.

        Args:
            spec: ``"name"`` (its current version), ``"name@v2"``, or the path of a model folder.

        Raises:
            InputError: If there is no such model, or its folder is damaged.
        """
        name, _, version = str(spec).partition("@")
        if is_model_name(name) and self._paths(name) and (is_version(version) or str(spec) == name):
            return ModelFolder.open(self._path(name, version or self.current(name)))
        if str(spec) and _is_folder(Path(spec)):
            return ModelFolder.open(Path(spec))
        raise _unknown(str(spec), self.names())

    def holds(self, model: ModelFolder) -> bool:
        """Say whether ``model`` is one of the versions, wherever it was opened from."""
        return self.version_of(model) is not None

    def version_of(self, model: ModelFolder) -> str | None:
        """Return which version ``model`` is, by its content and not by its number; None if it is none of them."""
        paths = self._paths(model.metadata.name)
        here = (version for version, path in paths.items() if path.resolve() == model.path.resolve())
        alike = (version for version, path in paths.items() if _same_model(path, model))
        return next(here, None) or next(alike, None)

    def install(self, folder: Path) -> str:
        """Copy a model folder into the store as the first version of a new model, and return ``"v1"``."""
        model = ModelFolder.open(folder)
        name = model.metadata.name
        with self._locked(name):
            if self._paths(name):
                raise InputError(
                    f"There is a model named {name} already.", reason="A model's first version is never replaced.",
                    remedy="Give the new one another name in its metadata.json.", code="exists",
                )  # fmt: skip
            version = self._place(model, "v1")
            commit(self._models / name, ModelState(current="v1", highest=1), Event(now(), "install", "v1"))
        return version

    def add_candidate(self, name: str, staged_folder: Path, verdict: dict[str, Any]) -> str:
        """Move a fine-tuned model into the store as the next version; it is not current until it is promoted.

        Args:
            name: The model that it is a version of.
            staged_folder: A complete model folder; gone afterwards. Its metadata gets the new version's number.
            verdict: What the gate said, as JSON-ready values.

        Returns:
            The version. A folder that was added before, as after a crash, keeps the version it got then.
        """
        staged = ModelFolder.open(staged_folder)
        json.dumps(verdict)  # what cannot be recorded must fail before anything is placed
        self._known_paths(name)
        if staged.metadata.name != name:
            raise InputError(
                f"The candidate calls itself {staged.metadata.name}, not {name}.",
                remedy="Fine-tune again with the model that you meant.", code="wrong-model",
            )  # fmt: skip
        folder = self._models / name
        with self._locked(name):
            paths, state = self._known_paths(name), read_state(folder)
            version = next((v for v, path in paths.items() if _same_model(path, staged)), None)
            if version is None:
                version = self._place(staged, f"v{max(state.highest, *(int(v[1:]) for v in paths)) + 1}")
            if version not in state.verdicts:
                event = Event(now(), "add", version, self.current(name), verdict)
                highest = max(state.highest, int(version[1:]))
                commit(folder, replace(state, verdicts=state.verdicts | {version: verdict}, highest=highest), event)
        shutil.rmtree(staged_folder)
        return version

    def promote(self, name: str, version: str, *, overruled: bool = False, note: str = "") -> None:
        """Make ``version`` the current one.

        Args:
            name: Model name.
            version: An existing version; its folder is checked first.
            overruled: Whether the person decides against the gate's verdict; it is recorded.
            note: The person's words; recorded.
        """
        ModelFolder.open(self._path(name, version))
        with self._locked(name):
            state, previous = read_state(self._models / name), self.current(name)
            if version == previous:
                raise InputError(
                    f"{name}@{version} is the current version already.", remedy="Choose another version to promote.",
                    code="already-current",
                )  # fmt: skip
            event = Event(now(), "promote", version, previous, state.verdicts.get(version, {}), overruled, note)
            commit(self._models / name, replace(state, current=version, trail=(*state.trail, previous)), event)

    def rollback(self, name: str, *, note: str = "") -> str:
        """Make the version current that was so before the present one, and return it."""
        with self._locked(name):
            state, present = read_state(self._models / name), self.current(name)
            paths = self._known_paths(name)
            trail = list(state.trail)
            while trail and trail[-1] not in paths:
                trail.pop()  # deleted by the user since
            if not trail:
                raise InputError(
                    f"There is no earlier version of {name} to go back to.",
                    reason=f"{present} is the only one that was ever current and still exists.",
                    remedy="Promote another version instead.", code="no-earlier-version",
                )  # fmt: skip
            version = trail.pop()
            ModelFolder.open(paths[version])
            event = Event(now(), "rollback", version, present, state.verdicts.get(version, {}), note=note)
            commit(self._models / name, replace(state, current=version, trail=tuple(trail)), event)
        return version

    def history(self, name: str) -> list[Event]:
        """Return every decision about a model, oldest first."""
        self._known_paths(name)
        return read_history(self._models / name)

    def _paths(self, name: str) -> dict[str, Path]:
        """Version to folder, oldest first."""
        found = {}
        if (self._bundled / name / METADATA).is_file():
            found["v1"] = self._bundled / name
        versions = self._models / name / "versions"
        if versions.is_dir():
            found |= {entry.name: entry for entry in versions.iterdir() if is_version(entry.name) and entry.is_dir()}
        return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))

    def _known_paths(self, name: str) -> dict[str, Path]:
        paths = self._paths(name) if is_model_name(name) else {}
        if not paths:
            raise _unknown(name, self.names())
        return paths

    def _path(self, name: str, version: str) -> Path:
        paths = self._known_paths(name)
        if version not in paths:
            raise InputError(
                f"There is no version {version} of {name}.", reason=f"There is {', '.join(paths)}.",
                remedy="Choose one of these; going back to an earlier one is called roll back.", code="no-version",
            )  # fmt: skip
        return paths[version]

    def _info(self, name: str, version: str, path: Path, state: ModelState, current: str) -> VersionInfo:
        was_current = version in state.trail or version == self.first(name) or any(
            version in (event.version, event.previous) and event.action in ("promote", "rollback")
            for event in read_history(self._models / name)
        )  # fmt: skip
        status = "current" if version == current else "former" if was_current else "candidate"
        verdict = state.verdicts.get(version, {})
        bundled = path.parent == self._bundled
        try:
            metadata = ModelFolder.open(path, verify=False).metadata
        except InputError as error:
            return VersionInfo(name, version, path, "damaged", bundled, str(error), "", verdict)
        calibrated = "calibration" in metadata.lineage
        return VersionInfo(name, version, path, status, bundled, metadata.title, metadata.created, verdict, calibrated)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        folder = self._models / name
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):
            yield

    def _place(self, model: ModelFolder, version: str) -> str:
        """Copy a model to its place under its version number; the copy appears as a whole or not at all."""
        place = self._models / model.metadata.name / "versions" / version
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.parent / f".{secrets.token_hex(6)}-{version}"
        try:
            shutil.copytree(model.path, temporary, copy_function=shutil.copyfile)
            write_json(temporary / METADATA, replace(model.metadata, version=version).to_dict())
            write_sums(temporary)
            place_folder(temporary, place)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        if os.name == "posix":  # there a file's owner can still delete it; on Windows read-only files cannot be deleted
            for file in place.iterdir():
                file.chmod(0o444)
        return version


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long for a path, or no path at all
        return False


def _same_model(path: Path, staged: ModelFolder) -> bool:
    """Say whether the version at ``path`` came from ``staged``: all is equal but the version number."""
    try:
        present = ModelFolder.open(path, verify=False)
    except InputError:
        return False
    if replace(present.metadata, version=staged.metadata.version) != staged.metadata:
        return False
    return all(
        one.read_bytes() == other.read_bytes()
        for one, other in zip(present.weights_paths, staged.weights_paths, strict=True)
    )


def _unknown(spec: str, names: list[str]) -> InputError:
    return InputError(
        f"There is no model “{spec}” on this computer.", reason=f"There is {', '.join(names) or 'none'}.",
        remedy="Give a model's name, a name with a version such as name@v2, or the path of a model folder.",
        code="no-model",
    )  # fmt: skip
