"""From the outputs of a network that comes from nnU-Net to a mask on the grid of the user's volume.

In nnU-Net's order: outputs to the size of the cropped image, then probabilities, then labels, then uncropped. Logits
that were averaged in half precision are resampled in it as well.
"""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..images.grid import Grid
from ..images.nnunet.placement import Placement
from ..images.nnunet.preparation import SCHEMES, V1, V2
from ..labels.contract import EXCLUSIVE, LabelContract
from ..labels.regions import labels_from_regions
from .onto_reference import Restored, slices_at_a_time
from .outputs import all_probabilities_of, without_background


def restore_nnunet(
    outputs: np.ndarray, placement: Placement, target: Grid, contract: LabelContract, arithmetic: str, *, keep: bool
) -> Restored:
    """Bring network outputs onto a grid and say which label each voxel has.

    Args:
        outputs: As :func:`~convnextseg_engine.inference.windows.predict` gives them, ``(network outputs, D, H, W)``.
        placement: Where the network's input lay.
        target: Grid of the result: the canonical grid of the study's reference.
        contract: What the outputs mean.
        arithmetic: The one that they were averaged in.
        keep: Also return the probabilities on ``target``.
    """
    if arithmetic == V2:
        outputs = outputs.astype(np.float16)  # loses nothing: that is what they were computed in
    cropped = placement.cropped(outputs)
    depth, height, width = cropped.shape[1:]
    labels = np.empty(cropped.shape[1:], dtype=np.uint8)
    kept = np.empty((len(contract.regions), *labels.shape), dtype=np.float32) if keep else None
    # A few slices at a time: probabilities and their order would take several times the memory of the outputs.
    thickness = slices_at_a_time(len(cropped), (width, height, depth))
    for start in range(0, depth, thickness):
        slab = slice(start, start + thickness)
        part = np.ascontiguousarray(cropped[:, slab])
        probabilities = part if arithmetic == V1 else all_probabilities_of(part, contract)
        labels[slab] = _labels(probabilities, contract)
        if kept is not None:
            kept[:, slab] = without_background(probabilities, contract)
    mask = placement.into_volume(labels, target)
    if kept is None:
        return Restored(mask, None)
    return Restored(mask, np.stack([placement.into_volume(region, target) for region in kept]))


def check_arithmetic(arithmetic: str, contract: LabelContract, preparation: dict) -> None:
    """Refuse an arithmetic that the model's outputs do not allow.

    Raises:
        InputError: If nnU-Net v1's average of probabilities is asked for a model without a softmax, or nnU-Net's
            arithmetic for a model that does not come from there.
    """
    from_nnunet = preparation.get("scheme") in SCHEMES
    if arithmetic == "float32" or (from_nnunet and (arithmetic == V2 or contract.outputs == EXCLUSIVE)):
        return
    reason = "Its outputs do not exclude each other." if from_nnunet else "It does not come from nnU-Net."
    raise InputError(
        f"The arithmetic {arithmetic} cannot be used with this model.", reason=reason,
        remedy="Use float32, which is also the more exact one.", code="bad-option",
    )  # fmt: skip


def _labels(probabilities: np.ndarray, contract: LabelContract) -> np.ndarray:
    if contract.outputs != EXCLUSIVE:
        return labels_from_regions(probabilities, contract)
    values = np.array([0, *(label.value for label in contract.labels)], dtype=np.uint8)
    return values[probabilities.argmax(axis=0)]
