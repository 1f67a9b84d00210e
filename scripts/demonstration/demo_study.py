"""A study that the demonstration segments: its files, and its truth where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DemoStudy:
    """Files of one study.

    Attributes:
        name: What it is called in reports.
        channels: Channel name to image file or DICOM folder; the first is the reference, on whose grid the truth lies.
        truth: File with the truth, or None.
        truth_values: Integers of a plain label map by label name; None for ``.seg.nrrd``.
        truth_source: Who says so, for example “the expert”.
        note: What the reader of the result must know; empty if nothing.
    """

    name: str
    channels: dict[str, Path]
    truth: Path | None = None
    truth_values: dict[str, int] | None = None
    truth_source: str = ""
    note: str = ""

    def image_arguments(self) -> list[str]:
        """Return the command line's ``--image`` options."""
        return [word for name, path in self.channels.items() for word in ("--image", f"{name}={path}")]

    def label_value_arguments(self) -> list[str]:
        """Return the command line's ``--label-values`` option, if the truth needs it."""
        if self.truth_values is None:
            return []
        return ["--label-values", ",".join(f"{name}={value}" for name, value in self.truth_values.items())]
