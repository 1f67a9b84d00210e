"""What a side can do, and the weights that all of them share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from monai.networks.nets import MedNeXt

from convnextseg_engine.checkpoints.monai_mednext import authors_names
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.weights import load_weights


class Side(Protocol):
    """One way to segment; its network is in memory when it has been made.

    Attributes:
        does: What runs, in words.
    """

    does: str

    def network(self, windows: np.ndarray) -> None:
        """Run the network on windows ``(N, C, d, h, w)``, float32, one after the other."""
        ...

    def segment(self, files: dict[str, Path], output: Path) -> None:
        """Read the channels' files, segment and write the mask."""
        ...


def monai_network(model: ModelFolder) -> MedNeXt:
    """Return MONAI's own MedNeXt with a model's weights, as a user gets it: default memory format, fp32."""
    network = model.metadata.network
    if network["name"] != "mednext" or network["size"] != "S" or network.get("dim", 3) != 3:
        raise SystemExit("MONAI's MedNeXt has the shape of size S in 3D only: choose a model with such a network.")
    theirs = MedNeXt(
        spatial_dims=3,
        init_filters=network.get("width", 32),
        in_channels=len(model.metadata.channels),
        out_channels=model.contract.network_outputs,
        kernel_size=network["kernel"],
        use_residual_connection=True,
    )
    ours = load_weights(model.weights_path)
    keys = theirs.state_dict()
    # MONAI has no counterpart of the authors' unused scalar, the last name in the list.
    names = list(authors_names(keys))[: len(keys)]
    theirs.load_state_dict({key: ours[name] for key, name in zip(keys, names, strict=True)})
    return theirs.eval()


def labels_of(inside: torch.Tensor, model: ModelFolder) -> np.ndarray:
    """Return the mask that region probabilities ``(R, …)`` say, by the model's own rule."""
    from convnextseg_engine.labels.regions import labels_from_regions

    return labels_from_regions(inside.numpy(), model.contract)
