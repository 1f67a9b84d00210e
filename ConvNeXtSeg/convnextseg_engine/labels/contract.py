"""The label contract: which labels exist, how they are recognised, and which regions a network predicts.

A label is identified by its name and terminology code, never by its integer or by the order of segments: the
integer is only how this contract writes it to a mask. *Labels* are disjoint (a voxel has one); *regions* are unions
of labels, as BraTS's whole tumour, and exist in network outputs and statistics only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

_FORMAT = 1


@dataclass(frozen=True)
class Code:
    """A terminology code, for example ``Code("SCT", "79654002", "Edema")``."""

    scheme: str
    value: str
    meaning: str

    def to_list(self) -> list[str]:
        """Return scheme, value and meaning, as the JSON files hold them."""
        return [self.scheme, self.value, self.meaning]


@dataclass(frozen=True)
class Label:
    """One label of a mask.

    Attributes:
        name: Short unique name, also the segment's name in Slicer, for example ``"edema"``.
        value: Integer that this contract writes to a mask, 1..255.
        category: Terminology category, for example Morphologically Altered Structure.
        type: Terminology type: what the label is.
        anatomy: Where it is, or None.
        color: Red, green, blue in 0..1.
    """

    name: str
    value: int
    category: Code
    type: Code
    anatomy: Code | None
    color: tuple[float, float, float]


@dataclass(frozen=True)
class Region:
    """A union of labels that a network predicts, for example whole tumour = edema + core + enhancing."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class LabelContract:
    """Labels and regions of a model or of a case set.

    Attributes:
        labels: The disjoint labels of a mask.
        regions: Network outputs in channel order, from the largest to the smallest; each lies within the ones before.
    """

    labels: tuple[Label, ...]
    regions: tuple[Region, ...]

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        values = [label.value for label in self.labels]
        for what, items in (("name", names), ("value", values), ("region", [r.name for r in self.regions])):
            if len(set(items)) != len(items):
                raise _bad(f"The label contract uses a {what} twice.", f"It lists {', '.join(map(str, items))}.")
        if not names or any(not 1 <= value <= 255 for value in values):
            raise _bad("The label contract has no labels, or a value outside 1 to 255.")
        for region in self.regions:
            unknown = set(region.labels) - set(names)
            if unknown:
                raise _bad(f"The region “{region.name}” names labels that do not exist: {', '.join(sorted(unknown))}.")
        for outer, inner in zip(self.regions, self.regions[1:], strict=False):
            if not set(inner.labels) < set(outer.labels):
                raise _bad(
                    f"The region “{inner.name}” does not lie within “{outer.name}”.",
                    "Regions are listed from the largest to the smallest, each within the one before.",
                )

    def label(self, name: str) -> Label:
        """Return the label called ``name``; raises :class:`InputError` with the known names otherwise."""
        for label in self.labels:
            if label.name == name:
                return label
        raise InputError(
            f"The label “{name}” is not part of the contract.",
            reason=f"It knows {', '.join(label.name for label in self.labels)}.",
            remedy="Rename it to one of these, or leave it out.",
            code="unknown-label",
        )

    def same_labels(self, other: LabelContract) -> bool:
        """Say whether masks mean the same under both contracts: equal names, codes and values, in whatever order."""
        return self._identities() == other._identities()

    def _identities(self) -> set[tuple[str, str, str, int]]:
        return {(label.name, label.type.scheme, label.type.value, label.value) for label in self.labels}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content of ``labels.json``."""
        return {
            "format": _FORMAT,
            "labels": [
                {
                    "name": label.name,
                    "value": label.value,
                    "category": label.category.to_list(),
                    "type": label.type.to_list(),
                    "anatomy": label.anatomy.to_list() if label.anatomy else None,
                    "color": list(label.color),
                }
                for label in self.labels
            ],
            "regions": [{"name": region.name, "labels": list(region.labels)} for region in self.regions],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LabelContract:
        """Inverse of :meth:`to_dict`; raises :class:`InputError` if a part is missing or contradictory."""
        try:
            if data["format"] != _FORMAT:
                raise ValueError(f"its format is {data['format']!r}, this version reads {_FORMAT}")
            labels = tuple(_label(entry) for entry in data["labels"])
            regions = tuple(Region(entry["name"], tuple(entry["labels"])) for entry in data["regions"])
        except (KeyError, TypeError, ValueError) as error:
            raise _bad("The label contract cannot be read.", f"{type(error).__name__}: {error}.") from error
        return cls(labels, regions)

    @classmethod
    def read(cls, path: Path) -> LabelContract:
        """Read ``labels.json``."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


def _bad(message: str, reason: str = "") -> InputError:
    return InputError(
        message, reason=reason, remedy="Restore the labels from where the model or the case set came from.",
        code="bad-contract",
    )  # fmt: skip


def _label(entry: dict[str, Any]) -> Label:
    anatomy = entry.get("anatomy")
    return Label(
        str(entry["name"]), int(entry["value"]), Code(*entry["category"]), Code(*entry["type"]),
        Code(*anatomy) if anatomy else None, _color(entry["color"]),
    )  # fmt: skip


def _color(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue
