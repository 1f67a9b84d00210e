"""A case set: a folder of corrected cases from which models learn and on which they are judged.

Layout: ``SET/case_set.json`` (the label contract), ``SET/cases/ID/`` (see ``case.py``), ``SET/replaced/`` (cases that
were exported again; nothing is ever deleted).
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..durable import place_folder, write_json
from ..errors import InputError
from ..file_lock import locked
from ..images.study import Study
from .case import RECORD, SPLITS, Case, content_hash, is_safe_name, voxel_hash, write_case_files
from .contract import LabelContract
from .findings import Finding, check_case_set

_FORMAT = 1
_RECORD = "case_set.json"


@dataclass(frozen=True)
class CaseSet:
    """An opened case set; ``contract`` is what its masks mean."""

    folder: Path
    contract: LabelContract

    @classmethod
    def create(cls, folder: Path, contract: LabelContract) -> CaseSet:
        """Make an empty set; raises :class:`InputError` if the folder holds anything already."""
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f"{folder} is not empty.", reason="A new case set needs a folder of its own.",
                remedy="Choose a new folder, or open the case set that is there.", code="exists",
            )  # fmt: skip
        try:
            (folder / "cases").mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:
            raise InputError(
                f"The folder {folder} cannot be made.", reason="Its disk is not there or takes no folders.",
                remedy="Choose another place.", code="no-place",
            ) from error  # fmt: skip
        write_json(folder / _RECORD, {"format": _FORMAT, "contract": contract.to_dict()})
        return cls(folder, contract)

    @classmethod
    def open(cls, folder: Path) -> CaseSet:
        """Open a set; raises :class:`InputError` if the folder is none."""
        folder = Path(folder)
        try:
            data = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            if data["format"] != _FORMAT:
                raise ValueError(f"its format is {data['format']!r}, this version reads {_FORMAT}")
            return cls(folder, LabelContract.from_dict(data["contract"]))
        except (OSError, KeyError, TypeError, ValueError) as error:
            reason = f"It has no {_RECORD}." if not (folder / _RECORD).is_file() else f"{_RECORD}: {error}"
            raise InputError(
                f"{folder} is not a case set.", reason=reason,
                remedy="Choose the folder into which cases were exported.", code="no-case-set",
            ) from error  # fmt: skip

    def cases(self, split: str | None = None) -> list[Case]:
        """Return the cases, by name; of one split, or all."""
        if split is not None:
            _check_split(split)
        found = [Case.read(folder, self.contract) for folder in self.case_folders()]
        return [case for case in found if split in (None, case.split)]

    def case(self, case_id: str) -> Case:
        """Return one case; raises :class:`InputError` if there is none of that name."""
        folder = self.folder / "cases" / case_id
        if not is_safe_name(case_id) or not (folder / RECORD).is_file():
            raise InputError(
                f"There is no case {case_id} in {self.folder.name}.",
                reason=f"It has {', '.join(f.name for f in self.case_folders()) or 'no cases'}.",
                remedy="Choose one of these.", code="no-case",
            )  # fmt: skip
        return Case.read(folder, self.contract)

    def case_folders(self) -> list[Path]:
        """Return the folders of the cases, by name, without reading them."""
        place = self.folder / "cases"
        return sorted(f for f in place.iterdir() if f.is_dir() and not f.name.startswith(".")) if place.is_dir() else []

    def add(
        self, case_id: str, study: Study, mask: np.ndarray, split: str, origin: dict[str, Any] | None = None,
        *, replace: bool = False,
    ) -> Case:  # fmt: skip
        """Add a case; it appears as a whole or not at all.

        Args:
            case_id: Letters, digits, dot, hyphen, underscore. Choose a pseudonym, not a patient's name.
            study: The images, each with its own grid.
            mask: Labels by the contract's values, shape ``(D, H, W)`` of the reference channel.
            split: ``"train"``, ``"validation"`` or ``"test"``.
            origin: Where it comes from, as JSON-ready values; paths in it are left out, because they may name patients.
            replace: Move an existing case of that name to ``replaced/`` instead of refusing.

        Raises:
            InputError: If the name is taken or unsafe, the mask does not fit, an image is constant, or the same image
                lies in another split under another name.
        """
        _check_split(split)
        _check_name(case_id)
        self._check_free(case_id, replace)
        self._check_mask(study, mask)
        voxels = {name: voxel_hash(image) for name, image in study.channels.items()}
        self._check_images(study)
        temporary = self.folder / f".adding-{secrets.token_hex(6)}" / case_id
        temporary.mkdir(parents=True)
        try:
            files = write_case_files(temporary, study, mask, self.contract)
            case = Case(
                temporary, self.contract, split, content_hash(study, mask), study.reference, files, voxels,
                study.reference_grid, _without_paths(origin or {}), datetime.now(UTC).isoformat(timespec="seconds"),
            )  # fmt: skip
            case.write_record()
            with self._locked():
                self._check_free(case_id, replace)
                self._check_leak(case_id, voxels, split)
                self._put_in_place(temporary)
        finally:
            shutil.rmtree(temporary.parent, ignore_errors=True)
        return self.case(case_id)

    def set_split(self, case_id: str, split: str) -> Case:
        """Move a case to another split; refused if the same image lies elsewhere under another name."""
        _check_split(split)
        with self._locked():
            case = replace(self.case(case_id), split=split)
            self._check_leak(case_id, case.voxels, split)
            case.write_record()
        return case

    def check(self) -> list[Finding]:
        """Return what is wrong with the set, errors first; reads every image and mask."""
        return check_case_set(self)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self.folder / ".lock"):
            yield

    def _check_free(self, case_id: str, replace: bool) -> None:
        for folder in self.case_folders():
            if folder.name == case_id and replace:
                continue
            if folder.name.casefold() == case_id.casefold():  # Windows and macOS take them for one
                raise InputError(
                    f"There is a case {folder.name} already.", reason="Nothing is overwritten.",
                    remedy="Choose another name, or replace it: the old one is kept in the folder “replaced”.",
                    code="exists",
                )  # fmt: skip

    def _put_in_place(self, written: Path) -> None:
        """Move a written case to its place; one that lies there goes to ``replaced/``, and back if the move fails."""
        place = self.folder / "cases" / written.name
        if not place.exists():
            return place_folder(written, place)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        aside = self.folder / "replaced" / f"{written.name}-{stamp}"
        aside.parent.mkdir(exist_ok=True)
        place.rename(aside)
        try:
            return place_folder(written, place)
        except BaseException:
            aside.rename(place)
            raise

    def _check_mask(self, study: Study, mask: np.ndarray) -> None:
        grid = study.reference_grid
        if mask.shape != grid.shape:
            raise InputError(
                f"The label does not lie on the grid of the channel {study.reference}.",
                reason=f"It has {' × '.join(map(str, mask.shape[::-1]))} voxels, "
                f"{study.reference} has {' × '.join(map(str, grid.size))}.",
                remedy="Choose the volume that was segmented as the reference.",
                code="off-grid",
            )
        unknown = sorted(set(np.unique(mask).tolist()) - {0, *(label.value for label in self.contract.labels)})
        if unknown:
            raise InputError(
                f"The label holds the value {unknown[0]}, which the case set does not know.",
                reason=f"It knows {', '.join(f'{label.name} = {label.value}' for label in self.contract.labels)}.",
                remedy="Export the label by the label contract of this set.",
                code="unknown-value",
            )

    def _check_images(self, study: Study) -> None:
        for name, image in study.channels.items():
            array = sitk.GetArrayViewFromImage(image)
            if array.min() == array.max():
                raise InputError(
                    f"The volume for channel {name} is empty.", reason=f"All its voxels are {array.min():g}.",
                    remedy="Leave the channel out, or choose the right volume.", code="empty-image",
                )  # fmt: skip

    def _check_leak(self, case_id: str, voxels: dict[str, str], split: str) -> None:
        for other in self.cases():
            shared = set(other.voxels.values()) & set(voxels.values())
            if shared and other.id != case_id and other.split != split:
                channel = next(name for name, digest in voxels.items() if digest in shared)
                raise InputError(
                    f"The {channel} image of {case_id} is also in the case {other.id}, of the split {other.split}.",
                    reason="A model judged on images that it has learned from looks better than it is.",
                    remedy=f"Put both into the same split, or leave one out. {case_id} was to go into {split}.",
                    code="leak",
                )


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise InputError(
            f"“{split}” is not a split.", remedy=f"Choose one of {', '.join(SPLITS)}.", code="unknown-split"
        )


def _check_name(case_id: str) -> None:
    if not is_safe_name(case_id):
        raise InputError(
            f"“{case_id}” cannot name a case.",
            reason="The name becomes a folder that every system must be able to hold.",
            remedy="Use up to 64 letters, digits, hyphens, dots and underscores, beginning and ending with a letter or "
            "digit. Use a pseudonym, not the patient's name.", code="bad-name",
        )  # fmt: skip


def _without_paths(origin: dict[str, Any]) -> dict[str, Any]:
    """Leave out texts that are paths: folders are often named after patients."""
    kept = {}
    for key, value in origin.items():
        if isinstance(value, dict):
            kept[key] = _without_paths(value)
        elif not (isinstance(value, Path) or (isinstance(value, str) and ("/" in value or "\\" in value))):
            kept[key] = value
    return kept
