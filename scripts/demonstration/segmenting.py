"""The first part of the demonstration: one study to one mask, a picture and a report."""

from __future__ import annotations

import json
from pathlib import Path

from convnextseg_engine.durable import write_json, write_text
from convnextseg_engine.errors import InputError
from convnextseg_engine.models.store import ModelStore

from . import agreement
from .command import convnextseg
from .demo_study import DemoStudy
from .own_files import OwnFiles

RESULT, PREVIEW, REPORT, NOTES = "segmentation.seg.nrrd", "preview.png", "report.json", "notes.txt"


def bundled_model() -> str:
    """Return the first version of the model that ships, as the command line takes it."""
    store = ModelStore()
    for name in store.names():
        for version in store.versions(name):
            if version.bundled:
                return f"{name}@{version.version}"
    raise InputError(
        "No model ships with this checkout.",
        reason="The folder ConvNeXtSeg/convnextseg_engine/data/models holds none.",
        remedy="Clone the repository again.",
        code="no-model",
    )


def segment_study(study: DemoStudy, own: OwnFiles, device: str) -> Path:
    """Segment, compare with the truth where there is one, and say where everything is; return the mask's path."""
    model = bundled_model()
    own.free(RESULT, PREVIEW, REPORT, NOTES)
    result, preview, report_path = (own.folder / name for name in (RESULT, PREVIEW, REPORT))
    convnextseg(
        "segment", "--model", model, *study.image_arguments(), "--device", device, "--overwrite",
        "--output", str(result), "--preview", str(preview), "--report", str(report_path),
    )  # fmt: skip
    report = json.loads(report_path.read_text(encoding="utf-8")) | {"study": study.name}
    told = _told(report)
    if study.truth is not None:
        rows = agreement.agreement(study, result, ModelStore().open(model).contract)
        report["agreement"] = {"with": study.truth_source, "scores": rows}
        told += agreement.lines(rows, study.truth_source)
    notes = [note for note in (study.note, f"{report['model']['title']}: {report['model']['intended_use']}") if note]
    report["notes"] = notes
    write_json(report_path, report)
    write_text(own.folder / NOTES, "\n\n".join([*notes, "\n".join(told)]) + "\n")
    own.record(RESULT, PREVIEW, REPORT, NOTES)
    print(*told, sep="\n")
    print(f"The mask, for Slicer:  {result}\nA picture:             {preview}\nWhat ran:              {report_path}")
    print(*notes, sep="\n")
    return result


def _told(report: dict) -> list[str]:
    volumes = ", ".join(f"{label['name']} {label['volume_ml']:.1f} mL" for label in report["labels"])
    return [f"Marked: {volumes}.", f"Time: {report['seconds']['total']:.1f} s on {report['plan']}."]
