"""Give the encoder of :class:`ConvNeXtUNet` the weights of a published ConvNeXt classifier.

Files of torchvision (``features.0.0.weight``, ``features.1.0.block.0.weight``, ``…layer_scale``) and of timm
(``stem.0.weight``, ``stages.0.blocks.0.conv_dw.weight``, ``…gamma``) are understood. The classifier is left out;
whatever else does not fit is refused by name. Two things are changed, always in the same stated way:

- *Channels.* A kernel of the first convolution that was learned on red, green and blue becomes one for C channels: the
  mean over the three, times 3/C, in every channel. C equal channels then give the response that the grey image had as
  RGB. With three channels nothing is changed.
- *Dimension.* Kernels become 3D along a new first axis D, see :func:`inflated`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..checkpoints.safe_pickle import load_torch
from ..errors import InputError
from ..models.checksums import sha256_of
from ..models.weights import load_weights
from .convnext_unet import ConvNeXtUNet

INFLATIONS = ("centre", "mean")
_FIRST = "stem.0.weight"
_RGB = 3
_BLOCK_PARTS = {
    "layer_scale": "gamma",
    "block.0": "conv_dw",
    "block.2": "norm",
    "block.3": "mlp.fc1",
    "block.5": "mlp.fc2",
}


@dataclass(frozen=True)
class EncoderWeights:
    """What was loaded, for a model's lineage.

    Attributes:
        file: Name of the file, without its folder.
        sha256: Of the file.
        naming: ``"torchvision"`` or ``"timm"``.
        tensors: How many were loaded.
        ignored: Names of the classifier's tensors.
        inflation: How kernels became 3D; empty in 2D.
    """

    file: str
    sha256: str
    naming: str
    tensors: int
    ignored: tuple[str, ...]
    inflation: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content."""
        return asdict(self)


def load_encoder_weights(network: ConvNeXtUNet, path: Path, *, inflation: str = "centre") -> EncoderWeights:
    """Load a classifier's weights into the encoder of ``network``; the decoder stays as it is.

    Args:
        network: The network; nothing of it is changed if an error is raised.
        path: A ``.safetensors`` file, or a ``.pth`` or ``.pt`` file, of which only tensors are read.
        inflation: See :func:`inflated`; without a meaning in 2D.

    Raises:
        InputError: If the file cannot be read, is no ConvNeXt, or a tensor does not fit; the message names it.
    """
    path = Path(path)
    tensors, naming, ignored = encoder_tensors(_read(path))
    own = network.encoder.state_dict()
    fitted = {name: _fitted(name, tensor, own.get(name), inflation) for name, tensor in tensors.items()}
    missing = [name for name in own if name not in fitted and not _is_counter(name)]
    wrong = [f"{name} has no place in the network" for name in tensors if name not in own]
    wrong += [f"{name} is missing in the file" for name in missing]
    wrong += [
        f"{name} has shape {tuple(tensors[name].shape)}, the network has {tuple(own[name].shape)}"
        for name, tensor in fitted.items()
        if name in own and tensor.shape != own[name].shape
    ]
    wrong += [f"{name} holds values that are not finite numbers" for name in fitted if not _is_finite(fitted[name])]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise InputError(
            f"The weights in {path.name} do not fit the encoder.", reason=f"{wrong[0]}{more}.",
            remedy="Choose the network of the file's size (tiny: convnext-unet-t, small: -s, base: -b) with its kernel "
            "(7 as published), depths and a norm, or train without encoder weights.", code="wrong-weights",
        )  # fmt: skip
    network.encoder.load_state_dict(own | fitted)
    in_3d = own[_FIRST].dim() == 5
    return EncoderWeights(path.name, sha256_of(path), naming, len(fitted), ignored, inflation if in_3d else "")


def encoder_tensors(state_dict: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], str, tuple[str, ...]]:
    """Return a classifier's tensors under the encoder's names, whose naming it had, and what belongs to its head.

    Args:
        state_dict: As torchvision or timm name it.

    Raises:
        InputError: If it is neither.
    """
    if "features.0.0.weight" in state_dict:
        naming, heads, rename = "torchvision", ("classifier.",), _from_torchvision
    elif _FIRST in state_dict and any(name.startswith("stages.0.blocks.0.conv_dw.") for name in state_dict):
        naming, heads, rename = "timm", ("head.", "norm_pre."), str
    else:
        raise InputError(
            "The file does not hold a ConvNeXt.",
            reason=f"It has neither “features.0.0.weight” (torchvision) nor “{_FIRST}” (timm), but for example "
            f"“{next(iter(state_dict), 'nothing at all')}”.",
            remedy="Take the weights of torchvision.models.convnext_tiny or of timm's convnext_tiny, for example.",
            code="no-convnext",
        )
    ignored = tuple(name for name in state_dict if name.startswith(heads))
    return {rename(name): tensor for name, tensor in state_dict.items() if name not in ignored}, naming, ignored


def inflated(kernel: torch.Tensor, depth: int, how: str) -> torch.Tensor:
    """Return a 2D kernel ``(O, I, h, w)`` as a 3D one ``(O, I, depth, h, w)``.

    Args:
        kernel: The 2D kernel.
        depth: Extent along the new axis.
        how: ``"mean"``: repeated and divided by ``depth`` (Carreira & Zisserman 2017, arXiv:1705.07750): a volume that
            is constant along the new axis gives the 2D response, but for the planes whose padding the kernel sees.
            ``"centre"``: all in the middle plane: every plane gives the 2D response, borders included, and the network
            learns to look along the new axis. A kernel of even extent (the stem and the halvings) has no middle plane
            and is always repeated; these have no padding.
    """
    if how not in INFLATIONS:
        raise ValueError(f"no inflation is called {how!r}; there are {', '.join(INFLATIONS)}")
    if how == "mean" or depth % 2 == 0:
        return (kernel / depth).unsqueeze(2).repeat(1, 1, depth, 1, 1)
    result = kernel.new_zeros((*kernel.shape[:2], depth, *kernel.shape[2:]))
    result[:, :, depth // 2] = kernel
    return result


def for_channels(kernel: torch.Tensor, channels: int) -> torch.Tensor:
    """Return a first kernel ``(O, 3, …)`` for another number of channels: the mean over RGB times 3/C in each."""
    if kernel.shape[1] == channels or kernel.shape[1] != _RGB:
        return kernel
    mean = kernel.mean(dim=1, keepdim=True) * (_RGB / channels)
    return mean.repeat(1, channels, *(1,) * (kernel.dim() - 2))


def _fitted(name: str, tensor: torch.Tensor, own: torch.Tensor | None, inflation: str) -> torch.Tensor:
    """Return ``tensor`` in the shape of ``own`` where that is only another way to write it; otherwise as it is."""
    if own is None:
        return tensor
    if name == _FIRST:
        tensor = for_channels(tensor, own.shape[1])
    if tensor.dim() == 4 and own.dim() == 5 and max(tensor.shape[2:]) > 1:
        return inflated(tensor, own.shape[2], inflation)
    # A linear layer is a 1×1 convolution, and a scale (C, 1, 1) is one (C).
    return tensor.reshape(own.shape) if _squeezed(tensor) == _squeezed(own) else tensor


def _squeezed(tensor: torch.Tensor) -> tuple[int, ...]:
    shape = tuple(tensor.shape)
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _is_counter(name: str) -> bool:
    """Say whether a tensor is a batch norm's own, which a file with layer norm has not."""
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _from_torchvision(name: str) -> str:
    match = re.fullmatch(r"features\.(\d)\.(\d+)\.(.+)", name)
    if not match:
        return name
    part, index, rest = int(match[1]), match[2], match[3]
    if part == 0:
        return f"stem.{index}.{rest}"
    if part % 2 == 0:
        return f"stages.{part // 2}.downsample.{index}.{rest}"
    for theirs, ours in _BLOCK_PARTS.items():
        if rest == theirs or rest.startswith(theirs + "."):
            return f"stages.{part // 2}.blocks.{index}.{ours}{rest.removeprefix(theirs)}"
    return name


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_weights(path)
    content = load_torch(path)
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        content = {}
    return {str(name): value.float() for name, value in content.items() if isinstance(value, torch.Tensor)}
