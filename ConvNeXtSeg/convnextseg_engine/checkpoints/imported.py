"""What a reader hands over, and how it becomes a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..labels.contract import LabelContract
from ..labels.known_labels import has_known_code
from ..models.checksums import sha256_of
from ..models.folder import ModelFolder
from ..models.metadata import Metadata
from ..networks.extents import check_patch, smallest_patch
from ..networks.registry import NETWORKS, build
from ..networks.slicewise import SliceWise, slicing_axis
from .card import model_card
from .unsafe import COMPLEX, QUANTISED, UnsupportedTensors

INTENDED_USE = (
    "Imported from another program; not for clinical use. What it was trained for, and how well it does it, only its "
    "source can say."
)


@dataclass(frozen=True)
class ImportedModel:
    """A foreign model as it was read.

    Attributes:
        network: What ``networks.registry.build`` takes.
        state_dicts: Name to tensor, one for each member of an ensemble (each fold).
        channels: Channel names in the order of the network's inputs.
        spacing: Millimetres along L, P, S.
        patch: Voxels of the input window, as ``(D, H, W)``.
        contract: Labels, and what the outputs mean.
        title: One line for the model list.
        lineage: Where it came from: ``kind`` and, from :func:`sources_of`, ``sources``.
        licence: As the source or the user states it; ``"unknown"`` if the user says so.
        intensity: Name of the intensity scheme, where ``preparation`` is empty.
        preparation: Another program's way to prepare images: see ``images/prepare.py``.
        inference: See ``models/inference_settings.py``.
        notes: What was assumed, and what the user should know, one sentence each.
        skull_stripped: Whether the images must have the skull removed.
        intended_use: What it may be used for.
        attribution: Whose work it is.
    """

    network: dict[str, Any]
    state_dicts: Sequence[dict[str, torch.Tensor]]
    channels: tuple[str, ...]
    spacing: tuple[float, float, float]
    patch: tuple[int, int, int]
    contract: LabelContract
    title: str
    lineage: dict[str, Any]
    licence: str
    intensity: str = "zscore-foreground"
    preparation: dict[str, Any] = field(default_factory=dict)
    inference: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    skull_stripped: bool = False
    intended_use: str = INTENDED_USE
    attribution: str = ""

    def write(self, path: Path, name: str) -> ModelFolder:
        """Write the model folder.

        Args:
            path: Where; must not exist.
            name: The model's name: lower-case letters, digits and hyphens.

        Raises:
            InputError: If the weights do not fit the network, or hold NaN or infinities, if the network gives another
                number of outputs than the contract has, or something that the source
                states is impossible; nothing is written then.
        """
        metadata = Metadata(
            name=name,
            version="v1",
            title=self.title,
            intended_use=self.intended_use,
            network=self.network,
            channels=self.channels,
            spacing=self.spacing,
            patch=self.patch,
            intensity=self.intensity,
            skull_stripped=self.skull_stripped,
            lineage=self.lineage | {"notes": self.all_notes()},
            licence=self.licence,
            attribution=self.attribution,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            preparation=self.preparation,
            inference=self.inference,
        )
        self._check_weights()
        # Published weights are kept bit for bit; half precision only where it loses nothing.
        half = all(_half_is_exact(tensor) for state in self.state_dicts for tensor in state.values())
        first, *more = self.state_dicts
        card = model_card(metadata, self.contract, len(self.state_dicts))
        return ModelFolder.write(path, metadata, self.contract, first, card, half=half, more_members=more)

    def all_notes(self) -> list[str]:
        """Return the reader's notes and those that follow from the contract."""
        own = [label.name for label in self.contract.labels if not has_known_code(label)]
        if not own:
            return list(self.notes)
        stated = (
            f"No public terminology code is known for {', '.join(f'“{name}”' for name in own)}: "
            "a code of ConvNeXtSeg's own, made from the name, stands there."
        )
        return [*self.notes, stated]

    def _check_weights(self) -> None:
        # On the meta device: a description that asks for terabytes takes no memory.
        with torch.device("meta"):
            network = build(self.network, len(self.channels), self.contract.network_outputs)
        own = network.state_dict()
        expected = {key: tuple(tensor.shape) for key, tensor in own.items()}
        network = self._of_volumes(network)
        check_patch(network, self.patch)
        for state in self.state_dicts:
            check_fit({key: tuple(tensor.shape) for key, tensor in state.items()}, expected)
            for key, tensor in state.items():
                if own[key].is_floating_point() and not tensor.is_floating_point():
                    raise UnsupportedTensors(COMPLEX if tensor.is_complex() else QUANTISED, key)
                check_finite(key, tensor)
        if not NETWORKS[self.network["name"]].variants:  # networks with names have the outputs that they are asked for
            self._check_outputs(network)

    def _check_outputs(self, network: torch.nn.Module) -> None:
        # A network can have any number of outputs whatever it was asked for: MONAI's SegResNet without its last layer.
        window = smallest_patch(network)
        try:
            found = _outputs_of(network, torch.empty((1, len(self.channels), *window), device="meta"))
        except (RuntimeError, NotImplementedError):  # an operation that needs numbers; by now its size is known
            small = self._of_volumes(build(self.network, len(self.channels), self.contract.network_outputs))
            try:
                found = _outputs_of(small, torch.zeros((1, len(self.channels), *window)))
            except (RuntimeError, ValueError) as error:
                raise InputError(
                    "The network cannot be run.",
                    reason=f"{str(error).splitlines()[0] if str(error) else type(error).__name__}.",
                    remedy="Check the description of the network with its source.",
                    code="bad-network",
                ) from error
        if found != self.contract.network_outputs:
            names = ", ".join(label.name for label in self.contract.labels)
            raise InputError(
                f"The network gives {found} outputs, and {self.contract.network_outputs} belong to its labels.",
                reason=f"The labels are {names}; what the other outputs are is not known."
                if found > self.contract.network_outputs
                else f"The labels are {names}.",
                remedy="Check the number of outputs in the description of the network, and the labels.",
                code="wrong-outputs",
            )

    def _of_volumes(self, network: torch.nn.Module) -> torch.nn.Module:
        if self.network.get("dim", 3) == 2:
            try:
                return SliceWise(network, slicing_axis(self.patch))
            except ValueError as error:
                raise InputError(
                    "The network is one of slices, and its window is not one voxel thick.",
                    reason=f"{str(error).capitalize()}.",
                    remedy="Give a window such as --patch 1,256,256, which slices along the first axis.",
                    code="bad-patch",
                ) from error
        return network


def _outputs_of(network: torch.nn.Module, window: torch.Tensor) -> int:
    with torch.no_grad():
        logits = network.eval()(window)
    return int((logits[0] if isinstance(logits, (list, tuple)) else logits).shape[1])


def check_fit(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> None:
    """Compare names and shapes of weights with those of the network.

    Raises:
        InputError: If they differ; the message names the first weight that does.
    """
    problems = [f"{key} is missing" for key in expected if key not in found]
    problems += [f"{key} has no place in the network" for key in found if key not in expected]
    problems += [
        f"{key} has shape {found[key]} where the network has {expected[key]}"
        for key in expected
        if key in found and found[key] != expected[key]
    ]
    if problems:
        more = f" ({len(problems) - 1} more differ)" if len(problems) > 1 else ""
        raise InputError(
            "The weights do not fit the network.",
            reason=f"{problems[0]}{more}.",
            remedy="Check the network's name and the number of channels and labels that were given.",
            code="wrong-weights",
        )


def check_finite(key: str, tensor: torch.Tensor) -> None:
    """Refuse a weight that is NaN or infinite; a mask made with it would be empty or arbitrary."""
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise InputError(
            "The weights are damaged.",
            reason=f"{key} holds values that are not finite numbers.",
            remedy="Take the file from its source again; if it is the same there, its training had failed.",
            code="weights-not-finite",
        )


def sources_of(*files: Path) -> list[dict[str, Any]]:
    """Return name, size and SHA-256 of the files that a model was read from, for its lineage."""
    return [{"file": file.name, "bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in files]


def _half_is_exact(tensor: torch.Tensor) -> bool:
    if not tensor.is_floating_point():
        return True
    return bool(torch.equal(tensor.half().to(tensor.dtype), tensor))
