"""Weights alone, in a ``.pth``, ``.pt`` or ``.safetensors`` file: everything else the user says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from ..images.resample import OUR_AXES
from ..networks.registry import NETWORKS, name_of, named
from .answers import ImportAnswers, NeedsAnswer, Question, Questions, places
from .closest import closest
from .fitting import Fit, Shapes, fit_of, fits, reordered
from .imported import ImportedModel, sources_of
from .intensity_answer import FORMS, intensity_from
from .monai_mednext import authors_names, is_monai_mednext
from .output_contract import meaning_of
from .state_dicts import Tensors, read_weights, shapes

KIND = "a file of weights"
SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".tar", ".model", ".safetensors")
# Heads of deep supervision serve training only; the network that segments has none.
_HEADS = {
    "out_0.conv_out.weight": ("out_1.", "out_2.", "out_3.", "out_4."),
    "heads.0.weight": ("heads.1.", "heads.2.", "heads.3.", "heads.4."),
}


def matches(path: Path) -> bool:
    """Say whether ``path`` may be a file of weights."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read(path: Path, answers: ImportAnswers) -> ImportedModel:
    """Read the file; which network it is follows from the tensors.

    Raises:
        NeedsAnswer: If channels, labels, spacing, axes, intensities, the licence, which of several networks it is, or
            which of two norms it has are not given.
        InputError: If the file is damaged, unsafe, of no known network, or contradicts an answer.
    """
    tensors, notes = read_weights(path)
    of_monai = is_monai_mednext(tensors)
    tensors, more_notes = _as_ours(tensors)
    notes += more_notes
    fit = _network(shapes(tensors), answers)
    questions = Questions()
    network = _with_norm(fit.network, answers.norm, of_monai, questions)
    channels = questions.need(
        answers.channels,
        f"The network takes {fit.inputs} channels, and which image each of them is, is not in the file.",
        f"--channels {places(fit.inputs)}",
    )
    labels = questions.need(
        answers.labels,
        f"It has {fit.outputs} outputs, and which label each integer stands for, is not in the file.",
        f"--labels {places(max(1, fit.outputs - 1), numbered=True)}",
    )
    spacing = questions.need(answers.spacing, "At which spacing it works is not in the file.", "--spacing L,P,S")
    axes = questions.need(
        answers.axes,
        "Towards what the axes of its arrays point is not in the file: SPL as nnU-Net and SimpleITK have them, RAS as "
        "MONAI and nibabel.",
        "--axes SPL (or RAS)",
    )
    intensity = questions.need(
        answers.intensity,
        "How intensities are normalised is not in the file.",
        f"--intensity SCHEME ({', '.join(FORMS)})",
    )
    licence = questions.need(answers.licence, "Its licence is not in the file.", "--licence NAME (or “unknown”)")
    meaning = meaning_of(fit.outputs, labels, answers.regions) if labels else None
    if labels and meaning is None:
        questions.need(
            None,
            f"With {fit.outputs} outputs and as many labels there is none for the background: each is a region.",
            '--regions "LARGEST=A+B+C,SMALLER=B+C,SMALLEST=C"',
        )
    questions.ask()
    if len(channels) != fit.inputs:
        raise InputError(
            f"The network takes {fit.inputs} channels, and {len(channels)} were named.",
            remedy="Name each channel once, in the order in which the network takes them.",
            code="wrong-channels",
        )
    scheme, preparation = intensity_from(intensity)
    if axes != OUR_AXES:
        preparation |= {"scheme": "anatomical", "axes": axes}
    patch = answers.patch or _usual_patch(fit, axes)
    if answers.patch is None:
        notes.append(f"The window of {' × '.join(map(str, patch))} voxels is ConvNeXtSeg's usual one for this network.")
    return ImportedModel(
        network=network,
        state_dicts=[reordered(tensors, fit.output_axes, meaning.order)],
        channels=channels,
        spacing=spacing,
        patch=patch,
        contract=meaning.contract,
        title=answers.title or f"{path.stem} ({fit.network['name']}, imported)",
        lineage={"kind": KIND, "sources": sources_of(path)},
        licence=licence,
        intensity=scheme,
        preparation=preparation,
        notes=[*notes, *meaning.notes],
        skull_stripped=bool(answers.skull_stripped),
    )


def _as_ours(tensors: Tensors) -> tuple[Tensors, list[str]]:
    """Return the weights under the names of our networks, without heads of deep supervision."""
    notes: list[str] = []
    if is_monai_mednext(tensors):
        tensors = authors_names(tensors)
        notes.append("The weights have MONAI's names of MedNeXt and were given the authors' names.")
    for first, others in _HEADS.items():
        if first in tensors and any(key.startswith(others) for key in tensors):
            tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith(others)}
            notes.append("Heads of deep supervision, which serve training only, were left out.")
    return tensors, notes


def _network(found: Shapes, answers: ImportAnswers) -> Fit:
    """Return the network that the user names, or the one that the tensors show."""
    if answers.network is not None:
        network = named(answers.network).network
        fit = fit_of(network, found)
        if fit is not None:
            return fit
        others = fits(found)
        near = None if others else closest(found, network)
        raise InputError(
            f"The weights are not those of the network that --network names, {answers.network}.",
            reason=f"By their names and shapes they are of: {_listed(others)}."
            if others
            else near.told()
            if near
            else "They have no weight in common with it.",
            remedy="Leave --network out, and the network is read from the weights."
            if others
            else "Name another network with --network (“convnextseg networks list” shows them), or take the file from "
            "its source again.",
            code="wrong-network",
        )
    possible = fits(found)
    if not possible:
        near = closest(found)
        some = sorted(found)[:3]
        raise InputError(
            "The weights belong to no network that ConvNeXtSeg has.",
            reason=near.told() if near else f"They are called {', '.join(some)}{', …' if len(found) > 3 else ''}.",
            remedy="If it is meant to be that network, save its whole state_dict again, with nothing added, and import "
            "that file; a network that was changed cannot be imported."
            if near
            else "“convnextseg networks list” shows the networks that are known. A MONAI bundle or the whole results "
            "folder of nnU-Net also says what its network is.",
            code="unknown-network",
        )
    if len(possible) > 1:
        text = "Names and shapes of the weights are the same for several networks."
        raise NeedsAnswer([Question(text, f"--network {_listed(possible)}")])
    return possible[0]


def _with_norm(network: dict[str, Any], norm: str | None, of_monai: bool, questions: Questions) -> dict[str, Any]:
    """Return the network with the norm that its user names; group and layer norm have weights of the same shapes.

    MONAI's layer norm has weights of other shapes than its group norm, so a MedNeXt of MONAI's has the latter.
    """
    if network["name"] != "mednext" or of_monai or network.get("shape") == "monai":
        if norm is None or (norm == "group" and network["name"] == "mednext"):
            return network
        raise InputError(
            f"The network cannot be given {norm} norm.",
            reason="The weights are of MONAI's MedNeXt with group norm; its layer norm has weights of other shapes."
            if network["name"] == "mednext"
            else f"Only a MedNeXt leaves its norm open; by its weights this is {name_of(network)}.",
            remedy="Leave --norm out.",
            code="wrong-norm",
        )
    questions.need(
        norm,
        "Whether the MedNeXt normalises by group or by layer is not in the file, because both have weights of the same "
        "shapes; the authors' models have group norm unless their training asked for layer norm (norm_type).",
        "--norm group (or layer)",
    )
    return network | {"norm": "layer"} if norm == "layer" else network


def _usual_patch(fit: Fit, axes: str) -> tuple[int, int, int]:
    """Return the network's default window; of a 2D network an axial slice, whichever array axis that is."""
    dim = fit.network.get("dim", 3)
    patch = NETWORKS[fit.network["name"]].patches[dim]
    if dim == 3:
        return patch
    extents = [max(patch)] * 3
    extents[next(index for index, letter in enumerate(axes) if letter in "SI")] = 1
    return extents[0], extents[1], extents[2]


def _listed(possible: list[Fit]) -> str:
    return " or ".join(dict.fromkeys(name_of(fit.network) for fit in possible))
