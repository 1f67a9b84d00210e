"""One case of a case set: the images of a patient as they were, and the mask that a person stands for.

A case is a folder that Slicer can open: one ``.nrrd`` for each channel with its own voxels and grid, ``label.seg.nrrd``
on the grid of the reference channel, and ``case.json``. It holds nothing that names the patient.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..durable import write_json
from ..errors import InputError
from ..images.files import read_image, write_image
from ..images.grid import Grid
from ..images.study import Study
from .contract import LabelContract
from .label_file import read_label
from .seg_nrrd import write_seg_nrrd

FORMAT = 1
SPLITS = ("train", "validation", "test")
RECORD, LABEL = "case.json", "label.seg.nrrd"
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9]|[A-Za-z0-9]")
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """A case as ``case.json`` describes it; images and mask are read when asked for.

    Attributes:
        folder: Where it lies.
        contract: The label contract of its set.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        hash: SHA-256 over channel names, grids, voxels and mask: names the content, wherever the case lies.
        reference: The channel on whose grid the mask lies.
        files: Channel name to file name.
        voxels: Channel name to SHA-256 of the voxels alone; finds the same image under another name.
        grid: Grid of the reference channel.
        origin: Where the case comes from, for example the model and version that made the first mask.
        added: UTC time in ISO 8601.
    """

    folder: Path
    contract: LabelContract
    split: str
    hash: str
    reference: str
    files: dict[str, str]
    voxels: dict[str, str]
    grid: Grid
    origin: dict[str, Any]
    added: str

    @property
    def id(self) -> str:
        """The case's name within its set."""
        return self.folder.name

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(self.files)

    def study(self) -> Study:
        """Read the images."""
        return Study({name: read_image(self.folder / file) for name, file in self.files.items()}, self.reference)

    def mask(self) -> np.ndarray:
        """Read the mask: uint8 ``(D, H, W)`` on the reference grid, with the contract's values."""
        return read_label(self.folder / LABEL, self.contract, self.grid)

    @classmethod
    def read(cls, folder: Path, contract: LabelContract) -> Case:
        """Read ``case.json``; raises :class:`InputError` if it is missing, damaged or leads out of the folder."""
        try:
            data = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise ValueError(f"its format is {data['format']!r}, this version reads {FORMAT}")
            files = {name: channel["file"] for name, channel in data["channels"].items()}
            voxels = {name: channel["voxels_sha256"] for name, channel in data["channels"].items()}
            if data["split"] not in SPLITS or data["reference"] not in files:
                raise ValueError("its split or its reference channel is unknown")
            if not all(is_safe_name(file.removesuffix(".nrrd")) for file in files.values()):
                raise ValueError("a file name leads out of the folder")
            return cls(
                folder, contract, data["split"], data["hash"], data["reference"], files, voxels,
                Grid.from_dict(data["grid"]), data["origin"], data["added"],
            )  # fmt: skip
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(
                f"The case {folder.name} cannot be read.", reason=f"{RECORD}: {error}",
                remedy="Restore the file from a backup, or export the case again.", code="bad-case",
            ) from error  # fmt: skip

    def write_record(self) -> None:
        """Write ``case.json``."""
        write_json(
            self.folder / RECORD,
            {
                "format": FORMAT,
                "id": self.id,
                "split": self.split,
                "hash": self.hash,
                "reference": self.reference,
                "channels": {n: {"file": self.files[n], "voxels_sha256": self.voxels[n]} for n in self.files},
                "label": LABEL,
                "grid": self.grid.to_dict(),
                "origin": self.origin,
                "added": self.added,
            },
        )


def write_case_files(folder: Path, study: Study, mask: np.ndarray, contract: LabelContract) -> dict[str, str]:
    """Write images and label to an empty folder and return channel name to file name."""
    files = _file_names(study.channels)
    for name, image in study.channels.items():
        write_image(image, folder / files[name])
    write_seg_nrrd(folder / LABEL, mask, study.reference_grid, contract)
    return files


def content_hash(study: Study, mask: np.ndarray) -> str:
    """Return the SHA-256 over channel names, grids, voxels and mask."""
    digest = hashlib.sha256()
    for name in sorted(study.channels):
        image = study.channels[name]
        head = {"channel": name, "type": image.GetPixelIDTypeAsString(), "grid": Grid.from_image(image).to_dict()}
        digest.update(json.dumps(head, sort_keys=True).encode())
        digest.update(_little_endian(sitk.GetArrayViewFromImage(image)))
    digest.update(json.dumps({"mask": study.reference}).encode())
    digest.update(np.ascontiguousarray(mask, dtype=np.uint8))
    return digest.hexdigest()


def voxel_hash(image: sitk.Image) -> str:
    """Return the SHA-256 over shape and voxels as float32, so that a copy in another format or type is recognised."""
    array = sitk.GetArrayViewFromImage(image)
    digest = hashlib.sha256(str(array.shape).encode())
    digest.update(_little_endian(array.astype(np.float32)))
    return digest.hexdigest()


def is_safe_name(text: str) -> bool:
    """Say whether ``text`` can name a folder on every system: letters, digits, dot, hyphen, underscore."""
    return bool(_SAFE.fullmatch(text)) and not _WINDOWS_DEVICES.fullmatch(text)


def _little_endian(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _file_names(channels: dict[str, sitk.Image]) -> dict[str, str]:
    """Channel name to a file name that is safe and unique even where file names ignore case."""
    names: dict[str, str] = {}
    for index, channel in enumerate(channels, 1):
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", channel).strip("-_")[:40]
        taken = {name.casefold() for name in names.values()} | {"label.seg.nrrd", "label.nrrd"}
        if not is_safe_name(stem) or f"{stem}.nrrd".casefold() in taken:
            stem = f"{stem}-{index}".strip("-") if is_safe_name(f"{stem}-{index}") else f"channel-{index}"
        names[channel] = f"{stem}.nrrd"
    return names
