"""A model with calibrated probabilities: the same networks and masks, and temperatures in its metadata."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..durable import place_folder, write_json
from .checksums import write_sums
from .folder import METADATA, ModelFolder


def write_calibrated(
    model: ModelFolder, folder: Path, temperatures: dict[str, float], how: dict[str, Any]
) -> ModelFolder:
    """Write a copy of a model that brings temperatures.

    Args:
        model: The model.
        folder: Where; must not exist.
        temperatures: By region.
        how: On what they were fitted, and the errors before and after; kept in the lineage.

    Raises:
        FileExistsError: If ``folder`` exists.
    """
    metadata = replace(
        model.metadata,
        inference={**model.metadata.inference, "temperature": temperatures},
        lineage={**model.metadata.lineage, "calibration": how},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    temporary = folder.with_name(f".{secrets.token_hex(6)}-{folder.name}")
    try:
        shutil.copytree(model.path, temporary, copy_function=shutil.copyfile)
        write_json(temporary / METADATA, metadata.to_dict())
        write_sums(temporary)
        place_folder(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return ModelFolder.open(folder, verify=False)
