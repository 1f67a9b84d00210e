"""Preparing and segmenting one case of a cohort, wherever that happens: here or on a cluster's worker."""

from __future__ import annotations

import errno
import json
import secrets
import shutil
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..durable import place_folder, write_json
from ..progress import Reporter
from .case import CohortCase
from .results import MASK, REPORT
from .settings import Settings

if TYPE_CHECKING:
    from ..inference.loaded import LoadedModel

# A cluster's worker may have several threads; one case keeps all cores busy, and two would need twice the memory.
_ONE_AT_A_TIME = threading.Lock()
_PREPARING_PART = 0.15  # of a case's progress


def segment_case(
    case: CohortCase, settings: Settings, folder: Path, reporter: Reporter | None = None
) -> dict[str, Any]:
    """Segment a case and put its folder among the results.

    Args:
        case: The case.
        settings: How.
        folder: Folder of the cohort's results.
        reporter: Hears of progress and can cancel.

    Returns:
        The case's report. If another process has finished the case meanwhile, its result stays and is what counts.

    Raises:
        ConvNeXtSegError: As :func:`~convnextseg_engine.preparing.workflow.prepare_study` and
            :func:`~convnextseg_engine.inference.segment.segment`.
    """
    with _ONE_AT_A_TIME:
        return _segment_case(case, settings, Path(folder), reporter or Reporter())


def _segment_case(case: CohortCase, settings: Settings, folder: Path, reporter: Reporter) -> dict[str, Any]:
    from ..images.colour import component_of
    from ..images.files import read_image, write_image
    from ..images.study import Study
    from ..inference.options import SegmentOptions
    from ..inference.preview import write_preview
    from ..inference.report import report
    from ..inference.segment import segment
    from ..inference.study_warnings import told_once
    from ..labels.seg_nrrd import write_seg_nrrd
    from ..preparing.workflow import prepare_study

    inputs = case.fingerprint()
    started = time.perf_counter()
    study = Study({name: read_image(file, component_of(name)) for name, file in case.channels.items()}, case.reference)
    preparation = settings.preparation.options(case.brain_mask, settings.device)
    seconds = {"read": time.perf_counter() - started}
    loaded = _loaded(settings.model, settings.device, settings.backend)
    started = time.perf_counter()
    prepared = prepare_study(study, loaded.model.metadata, preparation, reporter.part(0.0, _PREPARING_PART))
    seconds["preparation"] = time.perf_counter() - started
    rest = reporter.part(_PREPARING_PART, 1.0)
    result = segment(prepared.study, loaded, rest, options=SegmentOptions.from_dict(settings.options))

    place = folder / case.id
    temporary = place.with_name(f".{secrets.token_hex(6)}-{case.id}")
    temporary.mkdir()
    try:
        mask = temporary / f"{MASK}{settings.ending}"
        if settings.ending == ".seg.nrrd":
            write_seg_nrrd(mask, result.mask, result.grid, result.contract)
        else:
            write_image(result.grid.image(result.mask), mask)
        if settings.preview:
            write_preview(temporary / "preview.png", study.channels[study.reference], result)
        told = report(result, seconds) | {"inputs": inputs, "recognised": list(case.notes)} | prepared.to_dict()
        told["warnings"] = told_once(prepared, told["warnings"])
        write_json(temporary / REPORT, told)
        place_folder(temporary, place)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) and not isinstance(error, FileExistsError):
            raise
        # A cluster may give a case to a second worker when the first one is only slow to answer.
        return json.loads((place / REPORT).read_text(encoding="utf-8"))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return told


@lru_cache(maxsize=1)
def _loaded(model: str, device: str, backend: str) -> LoadedModel:
    """Return the model, loaded once for all cases of this process."""
    from ..inference.loaded import load
    from ..models.folder import ModelFolder

    return load(ModelFolder.open(Path(model)), device, backend)
