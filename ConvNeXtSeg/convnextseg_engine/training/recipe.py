"""Training recipes: one readable JSON file holds everything that decides how a network is trained."""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import InputError

# Smallest and largest value of each number of a recipe; None is no limit.
_LIMITS: dict[str, tuple[float, float | None]] = {
    "steps": (1, None), "batch_size": (1, None), "validate_every": (1, None), "checkpoint_every": (1, None),
    "accumulate": (1, None), "patience": (0, None),
    "warmup_steps": (0, None), "synthetic_cases": (0, None), "seed": (0, 2**32 - 1),
    "learning_rate": (0, 1), "weight_decay": (0, 1), "epsilon": (0, 1), "gradient_clip": (0, None),
    "average_decay": (0, 1), "foreground_fraction": (0, 1), "synthetic_fraction": (0, 1),
    "flip": (0, 1), "rotate_degrees": (0, 180), "scale": (0, 0.9), "noise": (0, None), "contrast": (0, 0.9),
    "brightness": (0, None), "gamma": (0, 0.9), "blur_voxels": (0, None), "channel_dropout": (0, 1),
    "flip_other_axes": (0, 1), "elastic": (0, 0.08), "low_resolution": (0, 0.9),
}  # fmt: skip
_MAY_CHANGE = (
    "name", "description", "purpose", "steps", "warmup_steps", "validate_every", "checkpoint_every", "patience",
)  # fmt: skip
# What a recipe is for, and how its rate falls after the warm-up; see Recipe.
FINETUNE, SCRATCH = PURPOSES = ("finetune", "scratch")
POLY, EXPONENTIAL = DECAYS = ("poly", "exponential")


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training sample; every entry is a range or a probability, 0 switches it off.

    Attributes:
        flip: Probability of mirroring left–right.
        rotate_degrees: Largest rotation about each axis.
        scale: Largest relative change of size.
        noise: Largest deviation of added Gaussian noise, in z-scores.
        contrast: Largest relative change of gain of a channel.
        brightness: Largest shift of a channel, in z-scores.
        gamma: Largest relative change of the contrast exponent.
        blur_voxels: Largest deviation of a Gaussian blur.
        channel_dropout: Probability of hiding each channel (one always stays).
        flip_other_axes: Probability of mirroring front–back and, independently, foot–head.
        elastic: Largest shift by a smooth random warp, as a fraction of the sample's extent along each axis; above
            a twelfth tissue would be folded over.
        low_resolution: Largest relative loss of resolution: 0.5 halves it at most.
    """

    flip: float
    rotate_degrees: float
    scale: float
    noise: float
    contrast: float
    brightness: float
    gamma: float
    blur_voxels: float
    channel_dropout: float
    flip_other_axes: float = 0.0
    elastic: float = 0.0
    low_resolution: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        name: Its name.
        description: What it is for, and where its numbers come from.
        steps: Optimiser steps.
        batch_size: Samples at a time, on each of the processes that train together.
        patch: Extent of a sample along D, H, W, in voxels of the network's grid; None takes the model's own patch. The
            network says which extents it can take.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: AdamW's weight decay.
        epsilon: AdamW's epsilon.
        warmup_steps: Steps over which the rate rises linearly; afterwards it falls as ``decay`` says.
        gradient_clip: Largest gradient norm.
        average_decay: Decay of the running average of the weights, which is what is kept; 0 keeps the last weights.
        deep_supervision: Train on coarser outputs too, weighted 1, 1/2, 1/4, …, where the network has them.
        foreground_fraction: Fraction of samples centred on a region rather than anywhere in the foreground.
        synthetic_fraction: Fraction of samples that come from synthetic studies.
        synthetic_cases: Number of different synthetic studies.
        validate_every: Steps between two validations; the best validated weights are kept.
        checkpoint_every: Steps between two checkpoints.
        seed: Seed of everything random.
        augmentation: See :class:`Augmentation`.
        purpose: ``"finetune"`` (starts from a model) or ``"scratch"`` (from a fresh network); only decides which
            recipes are offered where.
        decay: ``"poly"``, as ``(1 - t) ** 0.9``, or ``"exponential"``, to a hundredth of the peak at the end.
        accumulate: Batches whose gradients are averaged for one optimiser step.
        patience: Validations without a better one after which the training ends early; 0 trains all steps.
        freeze: Name of a part of the network to the first step in which it learns (null: it never does), for example
            ``{"encoder.stem": null, "encoder.stages.3": 500}``.
        grow_kernel: Begin with the model's kernels enlarged to this extent (UpKern); None leaves them.
    """

    name: str
    description: str
    steps: int
    batch_size: int
    patch: tuple[int, int, int] | None
    learning_rate: float
    weight_decay: float
    epsilon: float
    warmup_steps: int
    gradient_clip: float
    average_decay: float
    deep_supervision: bool
    foreground_fraction: float
    synthetic_fraction: float
    synthetic_cases: int
    validate_every: int
    checkpoint_every: int
    seed: int
    augmentation: Augmentation
    purpose: str = FINETUNE
    decay: str = POLY
    accumulate: int = 1
    patience: int = 0
    freeze: dict[str, int | None] = field(default_factory=dict)
    grow_kernel: int | None = None

    def __post_init__(self) -> None:
        for settings in (self, self.augmentation):
            for entry in fields(settings):
                problem = _problem(entry.name, entry.type, getattr(settings, entry.name))
                if problem:
                    raise _bad_recipe(self.name, problem)
        if self.synthetic_fraction > 0 and self.synthetic_cases < 1:
            raise _bad_recipe(self.name, "“synthetic_fraction” above 0 needs at least 1 for “synthetic_cases”")
        if self.patch is not None and (len(self.patch) != 3 or min(self.patch) < 1):
            raise _bad_recipe(self.name, f"the patch {self.patch} must be three numbers above 0")
        for name, known in (("purpose", PURPOSES), ("decay", DECAYS)):
            if getattr(self, name) not in known:
                raise _bad_recipe(self.name, f"“{name}” must be one of {', '.join(known)}")
        if not isinstance(self.freeze, dict) or not all(map(_is_freeze, self.freeze.items())):
            raise _bad_recipe(self.name, "“freeze” must give for each part a whole number of steps above 0, or null")
        if self.grow_kernel is not None and not _is_whole(self.grow_kernel):
            raise _bad_recipe(self.name, "“grow_kernel” must be a whole number or null")

    def with_steps(self, steps: int | None) -> Recipe:
        """Return this recipe with another number of steps; the warm-up shrinks with it, at most to a tenth."""
        if steps is None or steps == self.steps:
            return self
        return replace(self, steps=steps, warmup_steps=min(self.warmup_steps, max(1, steps // 10)))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content."""
        return asdict(self)

    def decisive(self) -> dict[str, Any]:
        """Return the entries that make one training differ from another; an entry at its default is left out.

        A run may go on for longer than first planned, or be checked more often, without becoming another run.
        """
        chosen = {key: value for key, value in _without_defaults(self).items() if key not in _MAY_CHANGE}
        return chosen | {"augmentation": _without_defaults(self.augmentation)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Recipe:
        """Return the recipe that ``data`` describes; raises :class:`InputError` for a missing or unknown entry.

        Entries that this class has a default for may be missing: recipes and runs of earlier versions lack them.
        """
        name = str(data.get("name", "?"))
        missing = sorted({entry.name for entry in fields(cls) if not _has_default(entry)} - set(data))
        unknown = sorted(set(data) - {entry.name for entry in fields(cls)})
        if missing or unknown:
            raise _bad_recipe(name, f"missing entries: {missing or 'none'}; unknown entries: {unknown or 'none'}")
        try:
            augmentation = Augmentation(**data["augmentation"])
            patch = tuple(int(n) for n in data["patch"]) if data["patch"] is not None else None
            return cls(**{**data, "augmentation": augmentation, "patch": patch})
        except (TypeError, ValueError) as error:
            raise _bad_recipe(name, str(error)) from error


def _without_defaults(settings: Recipe | Augmentation) -> dict[str, Any]:
    usual = {entry.name: _default(entry) for entry in fields(settings) if _has_default(entry)}
    return {key: value for key, value in asdict(settings).items() if key not in usual or value != usual[key]}


def _has_default(entry: Field) -> bool:
    return entry.default is not MISSING or entry.default_factory is not MISSING


def _default(entry: Field) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_freeze(entry: tuple[Any, Any]) -> bool:
    name, until = entry
    return isinstance(name, str) and bool(name) and (until is None or _is_whole(until))


def _problem(name: str, kind: str, value: Any) -> str:
    """Say what is wrong with one entry, or return an empty text; ``kind`` is its type as the class states it."""
    if kind == "str" and not isinstance(value, str):
        return f"“{name}” must be a text"
    if kind == "bool" and not isinstance(value, bool):
        return f"“{name}” must be true or false"
    if name not in _LIMITS:
        return ""
    low, high = _LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int if kind == "int" else (int, float)):
        return f"“{name}” must be a {'whole ' if kind == 'int' else ''}number"
    if not low <= value <= (math.inf if high is None else high) or not math.isfinite(value):
        return f"“{name}” must be at least {low}" + (f" and at most {high}" if high is not None else "")
    return ""


def _bad_recipe(name: str, reason: str) -> InputError:
    return InputError(
        f"The training recipe “{name}” cannot be used.", reason=reason[:1].upper() + reason[1:] + ".",
        remedy="Compare it with the recipes that ship with ConvNeXtSeg.", code="bad-recipe",
    )  # fmt: skip


def _shipped() -> Any:
    return resources.files("convnextseg_engine.data") / "recipes"


def recipe_names(purpose: str | None = None) -> list[str]:
    """Return the names of the shipped recipes, or of those for one purpose."""
    names = sorted(entry.name.removesuffix(".json") for entry in _shipped().iterdir() if entry.name.endswith(".json"))
    return [name for name in names if purpose in (None, read_recipe(name).purpose)]


def read_recipe(name_or_path: str | Path) -> Recipe:
    """Return a shipped recipe by name, or one from a JSON file.

    Raises:
        InputError: If there is none of that name, or the file is no recipe.
    """
    path = Path(name_or_path)
    source = path if path.suffix == ".json" else _shipped() / f"{name_or_path}.json"
    try:
        data = json.loads(source.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(
            f"There is no training recipe “{name_or_path}”.",
            reason=f"Shipped recipes are {', '.join(recipe_names())}.",
            remedy="Choose one of these, or give the path of a recipe file that ends in .json.",
            code="no-recipe",
        ) from None
    except ValueError as error:
        raise _bad_recipe(str(name_or_path), f"it is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise _bad_recipe(str(name_or_path), "it is not a JSON object")
    return Recipe.from_dict(data)
