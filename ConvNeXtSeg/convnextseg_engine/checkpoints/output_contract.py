"""What the outputs of a foreign network mean, from the user's or the source's words."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ..errors import InputError
from ..labels.contract import LabelContract, Region, exclusive_contract
from ..labels.known_labels import label_named

Labels = tuple[tuple[str, int], ...]
Regions = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class OutputMeaning:
    """A label contract, and which of the network's outputs each of its outputs is.

    Attributes:
        contract: Labels and regions.
        order: For each output that the contract expects, its number in the network as it was read.
        notes: What was concluded, one sentence each.
    """

    contract: LabelContract
    order: list[int]
    notes: list[str]


def meaning_of(outputs: int, labels: Labels, regions: Regions | None) -> OutputMeaning | None:
    """Return what ``outputs`` outputs mean, or None if the labels alone do not say it: then regions must be named.

    Args:
        outputs: How many the network has.
        labels: Name and integer of each label; the integer is the number of its softmax output, 0 being background.
        regions: Name and labels of each region, in the order of the network's sigmoid outputs.

    Raises:
        InputError: If labels, regions and the number of outputs contradict each other.
    """
    labels = tuple((name, value) for name, value in labels if value != 0)
    known = tuple(label_named(name, value) for name, value in labels)
    if regions is not None:
        LabelContract(known, (), "nested")  # names and integers of the labels are checked before the regions
        return _of_regions(outputs, known, regions)
    if len(known) == 1 and outputs == 1:
        region = Region(known[0].name, (known[0].name,))
        return OutputMeaning(LabelContract(known, (region,)), [0], ["The one output is taken as a sigmoid."])
    if outputs == len(known) and outputs > 1:
        return None
    known = tuple(sorted(known, key=lambda label: label.value))
    if outputs != len(known) + 1 or [label.value for label in known] != list(range(1, outputs)):
        raise InputError(
            f"The network has {outputs} outputs, which do not belong to the labels that were named.",
            reason=f"Named are {', '.join(f'{label.name}={label.value}' for label in known) or 'none'}; a softmax over "
            "background and labels has one output more than labels, and the label of output 1 is named =1.",
            remedy="Name every label with the number of its output, or name the regions with --regions.",
            code="wrong-labels",
        )
    note = (
        f"The {outputs} outputs are taken as a softmax over background and the labels, in the order of their numbers."
    )
    return OutputMeaning(exclusive_contract(known), list(range(outputs)), [note])


def _of_regions(outputs: int, labels: tuple, regions: Regions) -> OutputMeaning:
    if len(regions) != outputs:
        raise InputError(
            f"The network has {outputs} outputs, and {len(regions)} regions were named.",
            remedy="Name one region for each output, in the order of the outputs.",
            code="wrong-regions",
        )
    # Outputs may come in any order (MONAI's BraTS bundle has tumour core first); contracts want the largest first.
    order = sorted(range(outputs), key=lambda index: -len(regions[index][1]))
    nested = tuple(Region(*regions[index]) for index in order)
    contract = LabelContract(labels, nested)
    for outer, inner in itertools.zip_longest(contract.regions, contract.regions[1:]):
        if len(set(outer.labels) - set(inner.labels if inner else ())) != 1:
            raise InputError(
                f"The region “{outer.name}” does not add exactly one label to the next smaller region.",
                reason="Only then do the regions say which label a voxel has.",
                remedy="Check the regions that were named.",
                code="wrong-regions",
            )
    notes = ["The outputs are taken as sigmoids of regions."]
    if order != list(range(outputs)):
        names = ", ".join(region.name for region in nested)
        notes.append(f"The outputs were put into the order {names}, from the largest to the smallest.")
    return OutputMeaning(contract, order, notes)
