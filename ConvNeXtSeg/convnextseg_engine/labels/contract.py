"""The label contract: which labels exist, how they are recognised, and which regions a network predicts.

A label is identified by its name and terminology code, never by its integer or by the order of segments: the
integer is only how this contract writes it to a mask. *Labels* are disjoint (a voxel has one); *regions* are unions
of labels, as BraTS's whole tumour, and exist in network outputs and statistics only.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

_FORMAT = 1
# Masks are written as unsigned bytes.
LARGEST_VALUE = 255

# How a network's outputs say regions; see LabelContract.outputs.
NESTED, EXCLUSIVE, ORDERED = OUTPUT_RULES = ("nested", "exclusive", "ordered")


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
    """A union of labels that a network predicts, for example whole tumour = edema + core + enhancing.

    Attributes:
        name: Short unique name.
        labels: Names of its labels.
        writes: With ordered outputs, the label that a voxel of this region gets; None otherwise.
    """

    name: str
    labels: tuple[str, ...]
    writes: str | None = None


@dataclass(frozen=True)
class LabelContract:
    """Labels and regions of a model or of a case set.

    Attributes:
        labels: The disjoint labels of a mask.
        regions: What the network predicts, in channel order.
        outputs: How the network's outputs say regions. ``"nested"``: one sigmoid output a region, from the largest
            region to the smallest, each within the ones before. ``"exclusive"``: a softmax over background and labels,
            background first; each label is a region of its own. ``"ordered"``: one sigmoid output a region, which may
            overlap in any way; each region writes one label, later regions over earlier ones (nnU-Net v2's
            ``regions_class_order``).
    """

    labels: tuple[Label, ...]
    regions: tuple[Region, ...]
    outputs: str = NESTED

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        values = [label.value for label in self.labels]
        for what, items in (("name", names), ("value", values), ("region", [r.name for r in self.regions])):
            if len(set(items)) != len(items):
                raise _bad(f"The label contract uses a {what} twice.", f"It lists {', '.join(map(str, items))}.")
        if not names or any(not 1 <= value <= LARGEST_VALUE for value in values):
            raise _bad(f"The label contract has no labels, or a value outside 1 to {LARGEST_VALUE}.")
        for region in self.regions:
            unknown = set(region.labels) - set(names)
            if unknown:
                raise _bad(f"The region “{region.name}” names labels that do not exist: {', '.join(sorted(unknown))}.")
        if self.outputs == NESTED:
            _check_nested(self.regions)
        elif self.outputs == EXCLUSIVE:
            _check_exclusive(self.labels, self.regions)
        elif self.outputs == ORDERED:
            _check_ordered(self.regions)
        else:
            raise _bad(
                f"The label contract states outputs “{self.outputs}”, which this version does not know.",
                f"It knows {', '.join(OUTPUT_RULES)}.",
            )
        if self.outputs != ORDERED and any(region.writes is not None for region in self.regions):
            raise _bad("A region says which label it writes, but the outputs are not ordered.")

    @property
    def network_outputs(self) -> int:
        """Number of channels that the network gives: one a region, and background if outputs are exclusive."""
        return len(self.regions) + (self.outputs == EXCLUSIVE)

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
        outputs = {} if self.outputs == NESTED else {"outputs": self.outputs}
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
            "regions": [_region_entry(region) for region in self.regions],
        } | outputs

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LabelContract:
        """Inverse of :meth:`to_dict`; raises :class:`InputError` if a part is missing or contradictory."""
        try:
            if data["format"] != _FORMAT:
                raise ValueError(f"its format is {data['format']!r}, this version reads {_FORMAT}")
            labels = tuple(_label(entry) for entry in data["labels"])
            regions = tuple(Region(r["name"], tuple(r["labels"]), r.get("writes")) for r in data["regions"])
            outputs = data.get("outputs", NESTED)
        except (KeyError, TypeError, ValueError) as error:
            raise _bad("The label contract cannot be read.", f"{type(error).__name__}: {error}.") from error
        return cls(labels, regions, outputs)

    @classmethod
    def read(cls, path: Path) -> LabelContract:
        """Read ``labels.json``."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


def exclusive_contract(labels: tuple[Label, ...]) -> LabelContract:
    """Return the contract of a network with a softmax over background and ``labels``, in this order."""
    return LabelContract(labels, tuple(Region(label.name, (label.name,)) for label in labels), EXCLUSIVE)


def _check_nested(regions: tuple[Region, ...]) -> None:
    for outer, inner in itertools.pairwise(regions):
        if not set(inner.labels) < set(outer.labels):
            raise _bad(
                f"The region “{inner.name}” does not lie within “{outer.name}”.",
                "Regions are listed from the largest to the smallest, each within the one before.",
            )


def _check_exclusive(labels: tuple[Label, ...], regions: tuple[Region, ...]) -> None:
    if [region.labels for region in regions] != [(label.name,) for label in labels]:
        raise _bad(
            "The regions are not the labels.",
            "With exclusive outputs there is one region for each label, in the order of the labels.",
        )


def _check_ordered(regions: tuple[Region, ...]) -> None:
    for region in regions:
        if region.writes not in region.labels:
            raise _bad(
                f"The region “{region.name}” does not say which of its labels it writes.",
                "With ordered outputs each region writes one label.",
            )


def _region_entry(region: Region) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": region.name, "labels": list(region.labels)}
    return entry if region.writes is None else entry | {"writes": region.writes}


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
