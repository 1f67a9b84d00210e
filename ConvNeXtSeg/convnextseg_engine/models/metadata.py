"""What a model says about itself: ``metadata.json``."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from .inference_settings import problem_with

FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# Wider limits than any medical image needs; what lies beyond would only fill the computer's memory.
FINEST_MM, COARSEST_MM = 0.01, 100
LARGEST_PATCH = 512**3
_VERSION = re.compile(r"v[1-9][0-9]{0,5}")


def member_files(count: int) -> tuple[str, ...]:
    """Return the names of a model's weights files: ``model.safetensors``, ``member-2.safetensors``, …"""
    return ("model.safetensors", *(f"member-{number}.safetensors" for number in range(2, count + 1)))


def is_model_name(text: str) -> bool:
    """Say whether ``text`` can name a model: lower-case letters, digits and hyphens, so that it can name a folder."""
    return bool(_NAME.fullmatch(text))


def is_version(text: str) -> bool:
    """Say whether ``text`` is a version such as ``v2``."""
    return bool(_VERSION.fullmatch(text))


@dataclass(frozen=True)
class Metadata:
    """The content of ``metadata.json``.

    Attributes:
        name: Lower-case letters, digits and hyphens; names the model's folder in the store.
        version: ``"v1"``, ``"v2"``, …; the store gives it.
        title: One line for the model list.
        intended_use: What it may and may not be used for, in plain words.
        network: What ``networks.registry.build`` takes.
        channels: Channel names in the network's input order.
        spacing: Millimetres along L, P, S at which the network works.
        patch: Voxels of the network's input window, as ``(D, H, W)``.
        intensity: Name of the intensity scheme.
        skull_stripped: Whether the images must have the skull removed.
        lineage: Where the weights come from: base model and version, recipe, number of steps, …
        training_cases: Hashes of the cases, and of each of their images, that the weights have seen, its ancestors'
            included.
        validation: Measured figures.
        licence: SPDX name or sentence.
        attribution: Whose data and work it stands on.
        created: UTC time in ISO 8601.
        preparation: How a study becomes the network's input; empty for our own way (an anatomical grid at ``spacing``,
            normalised by ``intensity``), otherwise its ``scheme`` (``"nnunet-v2"``, ``"nnunet-v1"``) and what it needs.
        inference: Settings that belong to the model: ``overlap`` of windows, ``mirror_axes`` (of D, H, W: 0, 1, 2),
            ``arithmetic``, ``smallest_component_ml``, ``temperature``; what is absent has the program's default.
        members: Weights files; more than one make an ensemble of networks of one shape.
    """

    name: str
    version: str
    title: str
    intended_use: str
    network: dict[str, Any]
    channels: tuple[str, ...]
    spacing: tuple[float, float, float]
    patch: tuple[int, int, int]
    intensity: str = "zscore-foreground"
    skull_stripped: bool = False
    lineage: dict[str, Any] = field(default_factory=dict)
    training_cases: tuple[str, ...] = ()
    validation: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    attribution: str = ""
    created: str = ""
    preparation: dict[str, Any] = field(default_factory=dict)
    inference: dict[str, Any] = field(default_factory=dict)
    members: tuple[str, ...] = member_files(1)

    def __post_init__(self) -> None:
        for name in ("channels", "training_cases", "members"):
            if isinstance(getattr(self, name), str):
                raise _bad(f"“{name}” must be a list of texts")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "spacing", tuple(float(v) for v in self.spacing))
        object.__setattr__(self, "patch", tuple(_whole(v) for v in self.patch))
        self._check_types()
        self._check_values()

    def _check_types(self) -> None:
        for name in ("name", "version", "title", "intended_use", "intensity", "licence", "attribution", "created"):
            if not isinstance(getattr(self, name), str):
                raise _bad(f"“{name}” must be a text")
        for name in ("network", "lineage", "validation", "preparation", "inference"):
            if not isinstance(getattr(self, name), dict):
                raise _bad(f"“{name}” must be an object")
        if not isinstance(self.skull_stripped, bool):
            raise _bad("“skull_stripped” must be true or false")
        if not all(isinstance(text, str) and text for text in (*self.channels, *self.training_cases)):
            raise _bad("“channels” and “training_cases” must be lists of texts")

    def _check_values(self) -> None:
        if not is_model_name(self.name):
            raise _bad(f"“{self.name}” cannot name a model: use lower-case letters, digits and hyphens")
        if not is_version(self.version):
            raise _bad(f"“{self.version}” is not a version such as v1")
        if not self.title or not self.intended_use:
            raise _bad("“title” and “intended_use” must not be empty")
        if not self.channels or len(set(self.channels)) != len(self.channels):
            raise _bad("“channels” must name each channel once, and at least one")
        if len(self.spacing) != 3 or not all(FINEST_MM <= v <= COARSEST_MM for v in self.spacing):
            raise _bad(f"“spacing” must be three millimetre values between {FINEST_MM} and {COARSEST_MM} mm")
        if len(self.patch) != 3 or min(self.patch) < 1 or math.prod(self.patch) > LARGEST_PATCH:
            raise _bad("“patch” must be three voxel counts above 0, together no more than 512 × 512 × 512")
        if not self.network:
            raise _bad("“network” is empty")
        if not self.members or self.members != member_files(len(self.members)):
            raise _bad("“members” must be model.safetensors, member-2.safetensors, member-3.safetensors, …")
        problem = problem_with(self.inference)
        if problem:
            raise _bad(problem)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content of ``metadata.json``."""
        content = {"format": FORMAT} | dataclasses.asdict(self)
        # A model that does not differ from the usual way says nothing about it.
        for name, usual in (("preparation", {}), ("inference", {}), ("members", member_files(1))):
            if content[name] == usual:
                del content[name]
        return content

    @classmethod
    def from_dict(cls, data: Any) -> Metadata:
        """Inverse of :meth:`to_dict`; raises :class:`InputError` that names the field that is missing or wrong."""
        if not isinstance(data, dict):
            raise _bad("the file must hold one object")
        if data.get("format") != FORMAT:
            raise InputError(
                f"The model has format {data.get('format')!r}, which this version of ConvNeXtSeg does not know.",
                reason=f"It reads format {FORMAT}.",
                remedy="Update ConvNeXtSeg, or take a model that was made for this version.",
                code="unknown-format",
            )
        fields = {f.name: f for f in dataclasses.fields(cls)}
        given = {key: value for key, value in data.items() if key != "format"}
        unknown = sorted(set(given) - set(fields))
        missing = sorted(
            name
            for name, f in fields.items()
            if name not in given and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        )
        if unknown or missing:
            parts = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"unknown: {', '.join(unknown)}"] * bool(
                unknown
            )
            raise _bad("; ".join(parts))
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise _bad(str(error)) from error

    @classmethod
    def read(cls, path: Path) -> Metadata:
        """Read ``metadata.json``."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise _bad(str(error)) from error
        return cls.from_dict(data)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise _bad(f"“patch” holds {value!r}, which is not a whole number")
    return int(value)


def _bad(reason: str) -> InputError:
    return InputError(
        "The model's metadata.json cannot be used.",
        reason=f"{reason}.",
        remedy="Take the model folder from its source again.",
        code="bad-metadata",
    )
