"""Quick validation during training: Dice per region on the network's own grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from torch import nn

from ..inference.outputs import probabilities_of
from ..labels.contract import LabelContract
from ..labels.regions import labels_from_regions, regions_of
from ..progress import Reporter
from .samples import TrainingCase

# Windows of a 2D network are small: one by one their overhead would cost more than their voxels.
_SLICES_AT_A_TIME = 8


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the Dice coefficient of two boolean arrays; 1 if both are empty."""
    total = int(predicted.sum()) + int(truth.sum())
    return 2.0 * int((predicted & truth).sum()) / total if total else 1.0


def validation_of(
    cases: Sequence[TrainingCase], contract: LabelContract, patch: tuple[int, int, int], device: str, reporter: Reporter
) -> Callable[[nn.Module], dict[str, float]] | None:
    """Return a function that gives a network's mean Dice per region over ``cases``, or None without cases."""
    if not cases:
        return None

    at_a_time = _SLICES_AT_A_TIME if 1 in patch else 1

    def validate(network: nn.Module) -> dict[str, float]:
        scores: dict[str, list[float]] = {region.name: [] for region in contract.regions}

        def window(batch: torch.Tensor) -> torch.Tensor:
            reporter.check()
            logits = network(batch.contiguous(memory_format=torch.channels_last_3d))
            return logits[0] if isinstance(logits, list) else logits

        with torch.inference_mode():
            for case in cases:
                image = torch.from_numpy(case.image)[None].to(device)
                logits = sliding_window_inference(image, patch, at_a_time, window, overlap=0.25, mode="gaussian")
                mask = labels_from_regions(probabilities_of(logits[0].cpu().numpy(), contract), contract)
                for region, predicted, truth in zip(
                    contract.regions, regions_of(mask, contract), case.regions, strict=True
                ):
                    scores[region.name].append(dice(predicted, truth))
        return {name: float(np.mean(values)) for name, values in scores.items()}

    return validate
