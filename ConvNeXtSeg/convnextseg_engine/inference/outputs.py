"""From what a network says to probabilities of regions, by the contract's rule."""

from __future__ import annotations

import numpy as np
import torch

from ..labels.contract import EXCLUSIVE, LabelContract


def probabilities_of(logits: np.ndarray, contract: LabelContract) -> np.ndarray:
    """Return the probabilities of the contract's regions.

    Args:
        logits: The network's outputs, any float type, shape ``(contract.network_outputs, D, H, W)``.
        contract: Says whether outputs exclude each other (softmax) or not (sigmoid).

    Returns:
        float32, shape ``(R, D, H, W)``; background, which exclusive outputs have in front, is left out.
    """
    return without_background(all_probabilities_of(logits, contract), contract)


def all_probabilities_of(logits: np.ndarray, contract: LabelContract) -> np.ndarray:
    """Return the probabilities of all network outputs, background included, float32, shape as ``logits``."""
    outputs = torch.from_numpy(logits).float()
    return (outputs.softmax(0) if contract.outputs == EXCLUSIVE else outputs.sigmoid()).numpy()


def without_background(probabilities: np.ndarray, contract: LabelContract) -> np.ndarray:
    """Return the regions' part of the probabilities of all network outputs."""
    return probabilities[1:] if contract.outputs == EXCLUSIVE else probabilities
