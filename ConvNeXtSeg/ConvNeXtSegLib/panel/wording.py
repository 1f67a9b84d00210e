"""Numbers and stages in words, the same in every section."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

from slicer.i18n import tr as _

from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.worker.messages import Progress


def seconds_text(seconds: float) -> str:
    """Return a duration as a person says it: ``"8 s"``, ``"3 min"``, ``"1 h 20 min"``."""
    if seconds < 90:
        return _("{n} s").format(n=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 90:
        return _("{n} min").format(n=minutes)
    return _("{h} h {m} min").format(h=minutes // 60, m=minutes % 60)


def progress_text(progress: Progress) -> str:
    """Return stage, percent and remaining time of a run."""
    parts = [stage_text(progress.stage), _("{n} %").format(n=int(progress.fraction * 100))]
    if progress.remaining_s is not None:
        parts.append(_("about {time} left").format(time=seconds_text(progress.remaining_s)))
    return " · ".join(parts)


def stage_text(stage: str) -> str:
    """Return what a stage of the engine is called in the panel."""
    names = {
        "import": _("Starting the engine"),
        "load": _("Loading the model"),
        "align": _("Comparing the images"),
        "brain mask": _("Removing what is not brain"),
        "expectations": _("Comparing the study with what the model expects"),
        "prepare": _("Preparing the images"),
        "predict": _("Segmenting"),
        "restore": _("Back to the original voxels"),
        "training": _("Training"),
        "evaluate": _("Judging the new version"),
        "judge": _("Judging the new version"),
    }
    return names.get(stage, stage[:1].upper() + stage[1:])


def device_text(device: str) -> str:
    """Return what a device is called in the panel."""
    if device == "cpu":
        return _("CPU")
    if device == "mps":
        return _("Apple GPU")
    if device.startswith("cuda"):
        return _("NVIDIA GPU {number}").format(number=device.partition(":")[2] or "0")
    return device


def volumes_html(volumes_ml: Mapping[str, float], contract: LabelContract) -> str:
    """Return the volumes of labels (with their colours) and of regions as a small table."""
    rows = [
        _volume_row(_square(label.color) + html.escape(label.name), volumes_ml[label.name]) for label in contract.labels
    ]
    rows += [
        _volume_row(f"<i>{html.escape(region.name)}</i>", volumes_ml[region.name])
        for region in contract.regions
        if len(region.labels) > 1  # a region of one label has been said already
    ]
    return f'<table cellspacing="0" cellpadding="2">{"".join(rows)}</table>'


def joined(sentences: Iterable[str]) -> str:
    """Return sentences, one a line."""
    return "\n".join(sentence for sentence in sentences if sentence)


def _volume_row(name: str, millilitres: float) -> str:
    number = _("{volume} mL").format(volume=f"{millilitres:.2f}" if millilitres < 10 else f"{millilitres:.1f}")
    return f'<tr><td>{name}</td><td align="right">&nbsp;&nbsp;&nbsp;{number}</td></tr>'


def _square(color: tuple[float, float, float]) -> str:
    code = "".join(f"{round(part * 255):02x}" for part in color)
    return f'<span style="color:#{code}">■</span> '
