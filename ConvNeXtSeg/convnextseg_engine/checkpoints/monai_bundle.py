"""MONAI bundles: ``configs/metadata.json``, ``configs/inference.json`` and ``models/model.pt``.

https://docs.monai.io/en/stable/mb_specification.html. Nothing of a configuration is evaluated: see ``monai_config.py``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..images.resample import OUR_AXES
from ..labels.known_labels import labels_of_region
from ..networks.registry import build
from .answers import ImportAnswers, Questions, places
from .fitting import output_axes, reordered
from .imported import INTENDED_USE, ImportedModel, sources_of
from .intensity_answer import FORMS, from_steps, intensity_from
from .monai_config import PlainConfig, read_json
from .monai_transforms import Transforms
from .output_contract import OutputMeaning, meaning_of
from .state_dicts import read_weights
from .unsafe import UnsafeCheckpoint

KIND = "a MONAI bundle"
_CONFIGS = ("inference.json", "train.json")
_WEIGHTS = ("model.safetensors", "model.pt", "model.pth")
_NETWORKS = "monai.networks.nets."
# Names that say no more than that there is an image or a label.
_SAYS_NOTHING = re.compile(r"(image|input|img|label|class|channel|output|pred)?[\s_\-]*\d*", re.IGNORECASE)
# The numbers of BraTS until 2021, as in ConvNeXtSeg's own brain tumour model: only how masks are written.
_BRATS = (("edema", 2), ("core", 1), ("enhancing", 4))


def matches(path: Path) -> bool:
    """Say whether ``path`` is the folder of a bundle."""
    return (path / "configs" / "metadata.json").is_file() and (path / "models").is_dir()


def read(path: Path, answers: ImportAnswers) -> ImportedModel:
    """Read a bundle's folder.

    Raises:
        NeedsAnswer: If channels, labels, spacing, axes, intensities or the licence are neither said nor given.
        NotPlain: If the network's description would have to be evaluated.
        UnsafeCheckpoint: If it wants a network that is not MONAI's own, or its weights are a program.
        InputError: If it is incomplete or contradicts itself.
    """
    metadata = read_json(path / "configs" / "metadata.json")
    config_file = next((file for name in _CONFIGS if (file := path / "configs" / name).is_file()), None)
    weights_file = next((file for name in _WEIGHTS if (file := path / "models" / name).is_file()), None)
    if config_file is None:
        raise _incomplete("configs/inference.json", "A bundle whose configuration is YAML must be written as JSON.")
    if weights_file is None:
        if (path / "models" / "model.ts").is_file():
            raise UnsafeCheckpoint("a TorchScript program", "The bundle has no weights besides models/model.ts.")
        raise _incomplete("models/model.pt")
    config = PlainConfig.read(config_file)
    network, inputs, outputs = _network(config)
    formats = metadata.get("network_data_format")
    formats = formats if isinstance(formats, dict) else {}
    image, pred = _only(formats.get("inputs"), "image"), _only(formats.get("outputs"), "pred")
    before, after = Transforms(config, "preprocessing", inputs), Transforms(config, "postprocessing", inputs)

    questions = Questions()
    channels = questions.need(
        answers.channels or _channels(image, inputs),
        f"The network takes {inputs} channels, and which image each of them is, the bundle does not say.",
        f"--channels {places(inputs)}",
    )
    meaning = _meaning(answers, pred, outputs, after.activation(), questions)
    axes = questions.need(
        answers.axes or before.axes(), "Towards what the axes of its arrays point, the bundle does not say.",
        "--axes RAS (or SPL)",
    )  # fmt: skip
    spacing = questions.need(
        answers.spacing or before.spacing(axes or OUR_AXES), "At which spacing it works, the bundle does not say.",
        "--spacing L,P,S",
    )  # fmt: skip
    steps = before.intensity()
    intensity = intensity_from(answers.intensity) if answers.intensity else from_steps(steps) if steps else None
    questions.need(
        intensity, "How intensities are normalised, the bundle does not say in a way that can be followed.",
        f"--intensity SCHEME ({', '.join(FORMS)})",
    )  # fmt: skip
    licence = questions.need(
        answers.licence or _text(metadata, "license") or None,
        "Under which licence its weights may be used, it does not say.", "--licence NAME (or “unknown”)",
    )  # fmt: skip
    questions.ask()

    tensors, notes = read_weights(weights_file)
    tensors = {f"network.{key}": tensor for key, tensor in tensors.items()}
    scheme, preparation = intensity
    if axes != OUR_AXES:
        preparation |= {"scheme": "anatomical", "axes": axes}
    patch = answers.patch or _window(config, image)
    if patch is None:
        patch = (96, 96, 96) if network["dim"] == 3 else (256, 256, 1)
        notes.append(f"The window of {' × '.join(map(str, patch))} voxels is ConvNeXtSeg's usual one.")
    overlap = _inferer(config).get("overlap")
    settled = isinstance(overlap, float) and 0 <= overlap <= 0.9
    return ImportedModel(
        network=network,
        state_dicts=[reordered(tensors, output_axes(network, inputs, outputs), meaning.order)],
        channels=channels,
        spacing=spacing,
        patch=patch,
        contract=meaning.contract,
        title=answers.title or _text(metadata, "name") or _text(metadata, "task") or "MONAI bundle",
        lineage={
            "kind": KIND,
            "version": _text(metadata, "version"),
            "sources": sources_of(path / "configs" / "metadata.json", config_file, weights_file),
        },
        licence=licence,
        intensity=scheme,
        preparation=preparation,
        inference={"overlap": overlap} if settled else {},
        notes=[*notes, *meaning.notes],
        skull_stripped=bool(answers.skull_stripped),
        intended_use=_text(metadata, "intended_use") or INTENDED_USE,
        attribution=" ".join(filter(None, (_text(metadata, "authors"), _text(metadata, "copyright")))),
    )


def _network(config: PlainConfig) -> tuple[dict[str, Any], int, int]:
    """Return what the registry builds, and the numbers of channels and outputs."""
    from ..networks.monai_named import ALLOWED

    name = "network_def" if config.has("network_def") else "network"
    described = config.plain(name)
    if not isinstance(described, dict) or not isinstance(described.get("_target_"), str):
        raise _incomplete(f"the entry “{name}” of its configuration")
    target = described["_target_"]
    architecture = target.rpartition(".")[2]
    if architecture not in ALLOWED or (target != architecture and not target.startswith(_NETWORKS)):
        raise UnsafeCheckpoint(
            f"the network “{target[:120]}”",
            f"Of MONAI's own networks {', '.join(ALLOWED)} are known; building anything else would run code by name.",
        )
    arguments = {key: value for key, value in described.items() if key not in ("_target_", "_desc_")}
    inputs, outputs = arguments.pop("in_channels", 1), arguments.pop("out_channels", 2)
    network = {
        "name": "monai", "architecture": architecture, "arguments": arguments, "dim": arguments.get("spatial_dims", 3),
    }  # fmt: skip
    try:
        with torch.device("meta"):
            build(network, inputs, outputs)  # refuses impossible arguments before anything else is read
    except InputError as error:
        raise InputError(
            f"The bundle's network, MONAI's {architecture}, cannot be built as described.",
            reason=error.reason,
            remedy="Take the bundle from its source again; it may be for another version of MONAI.",
            code="bad-network",
        ) from error
    return network, inputs, outputs


def _meaning(
    answers: ImportAnswers, pred: dict[str, Any], outputs: int, activation: str | None, questions: Questions
) -> OutputMeaning | None:
    labels, regions, notes = answers.labels, answers.regions, []
    names = _names(pred, outputs)
    if labels is None and names:
        first, others = names[0], names[1:]
        brats = [labels_of_region(name) for name in names]
        if first.casefold() == "background" and activation != "sigmoid":
            labels = tuple((name, number) for number, name in enumerate(others, start=1))
        elif all(brats) and activation != "softmax" and set().union(*brats) == {name for name, _ in _BRATS}:
            labels, regions = _BRATS, tuple(zip(names, brats, strict=True))
            notes = [
                "The regions are those of BraTS; masks are written with its numbers: core 1, edema 2, enhancing 4."
            ]
        elif outputs == 1:
            labels = ((first, 1),)
    if labels is None:
        said = f" (it calls them {', '.join(names)})" if names else ""
        questions.need(
            None,
            f"Which label each of its {outputs} outputs is{said}, and whether outputs exclude each other, the bundle "
            "does not say.",
            f"--labels {places(max(1, outputs - 1), numbered=True)}",
        )
        return None
    meaning = meaning_of(outputs, labels, regions)
    if meaning is None:
        questions.need(
            None, f"With {outputs} outputs and as many labels there is none for the background: each is a region.",
            '--regions "LARGEST=A+B+C,SMALLER=B+C,SMALLEST=C"',
        )  # fmt: skip
        return None
    return OutputMeaning(meaning.contract, meaning.order, [*notes, *meaning.notes])


def _names(described: dict[str, Any], count: int) -> list[str] | None:
    """Return the names in ``channel_def``, in order, if there is one of meaning for each channel."""
    listed = described.get("channel_def")
    if not isinstance(listed, dict) or set(listed) != {str(number) for number in range(count)}:
        return None
    names = [listed[str(number)] for number in range(count)]
    if not all(isinstance(name, str) and not _SAYS_NOTHING.fullmatch(name.strip()) for name in names):
        return None
    return [name.strip() for name in names]


def _channels(image: dict[str, Any], count: int) -> tuple[str, ...] | None:
    names = _names(image, count)
    if names is None and count == 1 and image.get("modality") in ("CT", "PET"):
        names = [image["modality"]]  # one such image is no other; there are many kinds of “MR”
    return tuple(names) if names and len(set(names)) == len(names) else None


def _window(config: PlainConfig, image: dict[str, Any]) -> tuple[int, int, int] | None:
    for extents in (_inferer(config).get("roi_size"), image.get("spatial_shape")):
        if isinstance(extents, list) and all(type(extent) is int and extent > 0 for extent in extents):
            if len(extents) == 3:
                return extents[0], extents[1], extents[2]
            if len(extents) == 2:
                return extents[0], extents[1], 1
    return None


def _inferer(config: PlainConfig) -> dict[str, Any]:
    try:
        described = config.plain("inferer")
    except InputError:
        return {}
    return described if isinstance(described, dict) else {}


def _only(described: Any, usual: str) -> dict[str, Any]:
    """Return the entry called ``usual``, or the only one there is."""
    entries = described if isinstance(described, dict) else {}
    entry = entries.get(usual, next(iter(entries.values())) if len(entries) == 1 else None)
    return entry if isinstance(entry, dict) else {}


def _text(metadata: dict[str, Any], name: str) -> str:
    value = metadata.get(name)
    return " ".join(value.split())[:2000] if isinstance(value, str) else ""


def _incomplete(what: str, more: str = "") -> InputError:
    return InputError(
        "The bundle is not complete.",
        reason=f"It lacks {what}. {more}".strip(),
        remedy="Take the whole bundle from its source again.",
        code="incomplete-bundle",
    )
