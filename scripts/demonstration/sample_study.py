"""Slicer's own sample of a brain tumour, fetched on request and checked by its SHA-256."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

from convnextseg_engine.durable import replacing
from convnextseg_engine.errors import InputError

from .demo_study import DemoStudy

# The entry of Slicer's module Sample Data: the address holds the checksum.
_SHA256 = {"MRBrainTumor1": "998cb522173839c78657f4bc0ea907cea09fd04e44601f17c82ea27927937b95"}
_ADDRESS = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/{}"
_FILE = {"MRBrainTumor1": "RegLib_C01_1.nrrd"}
SAMPLES = tuple(_SHA256)


def sample_study(name: str, folder: Path) -> DemoStudy:
    """Fetch the sample into ``folder``, unless it is there already, and return it as a study.

    Raises:
        InputError: It could not be fetched, or what came is not what the checksum promises.
    """
    path = folder / _FILE[name]
    if not (path.is_file() and _sha256(path.read_bytes()) == _SHA256[name]):
        print(f"Fetching Slicer's sample {name} …", flush=True)
        content = _fetched(name)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    return DemoStudy(
        name=name,
        channels={"T1c": path},
        note=(
            f"{name} is one T1 image with contrast agent that still has its skull. The bundled model was made for four "
            "sequences with the skull removed, so it is NOT made for this image: expect wrong marks, for example in "
            "the scalp. The picture shows that everything runs, not what the model can do."
        ),
    )


def _fetched(name: str) -> bytes:
    try:
        with urllib.request.urlopen(_ADDRESS.format(_SHA256[name]), timeout=60) as answer:
            content = answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise InputError(
            f"Slicer's sample {name} could not be fetched.",
            reason=f"This computer did not reach github.com ({getattr(error, 'reason', error)}).",
            remedy="Check the network, or run the demonstration without --sample: it needs no network then.",
            code="no-network",
        ) from error
    if _sha256(content) != _SHA256[name]:
        raise InputError(
            f"What was fetched as {name} is not Slicer's sample.",
            reason="Its SHA-256 differs; a proxy may have answered in its place.",
            remedy="Try again from another network. Nothing was kept.",
            code="bad-checksum",
        )
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
