"""Results of earlier preparations, so that the second click does not compute them again.

A result is found by the SHA-256 of everything that it depends on. The files hold numbers only: no names, dates, paths
or other things that tell whose image it was. The folder can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..durable import replacing, write_json
from ..images.grid import Grid
from ..models.home import home_folder

# Raised whenever the same input would give another result.
_FORMAT = 1
# A transform has 1 kB, a packed mask about 100 kB: some 40 MB at most.
_MOST_FILES = 400


def fingerprint(image: sitk.Image) -> str:
    """Return a hash of an image's voxels and grid."""
    digest = hashlib.sha256(f"{image.GetPixelIDTypeAsString()} {Grid.from_image(image).to_dict()}".encode())
    digest.update(np.ascontiguousarray(sitk.GetArrayViewFromImage(image)))
    return digest.hexdigest()


class PrepareCache:
    """Results by what they were made from.

    Args:
        folder: Where they lie; ``cache/prepare`` in the user's ConvNeXtSeg folder if None.
        enabled: Whether earlier results are used and new ones kept.
    """

    def __init__(self, folder: Path | None = None, *, enabled: bool = True):
        self.folder = folder if folder is not None else home_folder() / "cache" / "prepare"
        self._enabled = enabled

    def key(self, step: str, **parts: Any) -> str:
        """Return the name of a result: a hash of the step and of everything that it depends on."""
        text = json.dumps(
            {"format": _FORMAT, "step": step, "itk": sitk.Version.VersionString()} | parts, sort_keys=True
        )
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    def numbers(self, key: str) -> dict[str, Any] | None:
        """Return an earlier result made of numbers, or None."""
        try:
            found = json.loads(self._path(key, ".json").read_text(encoding="utf-8")) if self._enabled else None
        except (OSError, ValueError):
            return None  # not there, or damaged: computed again
        return found if isinstance(found, dict) else None

    def keep_numbers(self, key: str, result: dict[str, Any]) -> None:
        """Keep a result made of numbers."""
        self._keep(key, ".json", lambda path: write_json(path, result))

    def mask(self, key: str, shape: tuple[int, int, int]) -> np.ndarray | None:
        """Return an earlier mask as booleans of ``shape``, or None."""
        try:
            with np.load(self._path(key, ".npz"), allow_pickle=False) as file:
                packed = file["bits"]
            flat = np.unpackbits(packed, count=int(np.prod(shape)))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        return flat.reshape(shape).astype(bool) if self._enabled else None

    def keep_mask(self, key: str, mask: np.ndarray) -> None:
        """Keep a boolean mask."""

        def write(path: Path) -> None:
            with replacing(path) as temporary:
                np.savez_compressed(temporary, bits=np.packbits(mask))

        self._keep(key, ".npz", write)

    def _path(self, key: str, ending: str) -> Path:
        return self.folder / f"{key}{ending}"

    def _keep(self, key: str, ending: str, write: Any) -> None:
        if not self._enabled:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write(self._path(key, ending))
            self._make_room()
        except OSError:
            return  # a full or write-protected disk: the result is there, only not kept

    def _make_room(self) -> None:
        files = [path for path in self.folder.iterdir() if path.suffix in (".json", ".npz")]
        if len(files) > _MOST_FILES:
            files.sort(key=lambda path: path.stat().st_mtime)
            for path in files[: len(files) - _MOST_FILES]:
                path.unlink(missing_ok=True)
