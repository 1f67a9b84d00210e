"""A U-Net whose encoder is ConvNeXt, so that it can start from a published classifier's weights.

The encoder (``convnext_encoder.py``) begins at a quarter of the resolution; two plain convolutions of the image give
the skips at full and at half resolution that a U-Net needs for sharp borders. The decoder is U-Net's (Ronneberger et
al. 2015, arXiv:1505.04597) with the norm of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .arguments import WIDEST, check_odd_kernel, check_one_of, check_whole
from .convnext_encoder import CONV, NORMS, SIZES, STAGES, ConvNeXtEncoder, norm_layer

_TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
# The largest published ConvNeXt has 27 blocks in a stage; a damaged description must not ask for millions.
_DEEPEST = 100


class DecoderStage(nn.Module):
    """Doubles the resolution, joins the skip, and convolves twice.

    Args:
        inputs: Channels from below.
        skip: Channels of the skip.
        outputs: Channels out.
        dim: 2 or 3.
        norm: See :func:`~convnextseg_engine.networks.convnext_encoder.norm_layer`.
    """

    def __init__(self, inputs: int, skip: int, outputs: int, dim: int, norm: str):
        super().__init__()
        self.up = _TRANSPOSED[dim](inputs, outputs, 2, stride=2)
        self.convs = nn.Sequential(
            _convolution(outputs + skip, outputs, dim, norm), _convolution(outputs, outputs, dim, norm)
        )

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, n…)`` and a skip ``(N, skip, 2n…)`` to ``(N, outputs, 2n…)``."""
        return self.convs(torch.cat([skip, self.up(x)], dim=1))


class ConvNeXtUNet(nn.Module):
    """The network.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        size: ``"T"``, ``"S"`` or ``"B"``: depths and width of the encoder as published.
        depths: Blocks of the four stages (the stage ratio); None: as the size was published.
        width: Channels of the first stage, divisible by 4; None: as the size was published.
        kernel: Odd depthwise kernel of the encoder; published is 7.
        dim: 2 or 3.
        norm: ``"layer"``, ``"instance"``, ``"group"``, ``"batch"`` or ``"none"``, in encoder and decoder. Published
            weights were learned with layer norm; with another norm they meet activations that they have not seen.
        deep_supervision: Also return logits at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        checkpointing: Recompute the encoder's stages in the backward pass to save memory.

    Raises:
        ValueError: If there can be no such network.
    """

    divisor = 32
    smallest = 32

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        size: str = "T",
        depths: Sequence[int] | None = None,
        width: int | None = None,
        kernel: int = 7,
        dim: int = 3,
        norm: str = "layer",
        deep_supervision: bool = False,
        checkpointing: bool = False,
    ):
        super().__init__()
        for name, value, known in (("size", size, SIZES), ("dim", dim, CONV), ("norm", norm, NORMS)):
            check_one_of(name, value, known)
        depths = tuple(SIZES[size].depths if depths is None else depths)
        width = SIZES[size].width if width is None else width
        if len(depths) != STAGES:
            raise ValueError(f"“depths” must be {STAGES} numbers, not {list(depths)}")
        for depth in depths:
            check_whole("depths", depth, 1, _DEEPEST)
        check_whole("width", width, 4, WIDEST)
        if width % 4:
            raise ValueError(f"“width” must be divisible by 4, which {width} is not")
        check_odd_kernel(kernel)
        self.norm_over_space = norm in ("instance", "batch")
        self.deep_supervision = deep_supervision
        self.encoder = ConvNeXtEncoder(inputs, depths, width, kernel, dim, norm, checkpointing)
        widths = [width // 4, width // 2, *self.encoder.widths]  # at 1, 1/2, 1/4, … 1/32 of the resolution
        self.detail = nn.ModuleList([
            _convolution(inputs, widths[0], dim, norm), _convolution(widths[0], widths[1], dim, norm, stride=2)
        ])  # fmt: skip
        levels = range(len(widths) - 1)
        self.decoder = nn.ModuleList(DecoderStage(widths[i + 1], widths[i], widths[i], dim, norm) for i in levels)
        self.heads = nn.ModuleList(CONV[dim](widths[i], outputs, 1) for i in (levels if deep_supervision else [0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return logits.

        Args:
            x: Shape ``(N, inputs, D, H, W)`` (or ``(N, inputs, H, W)``), each extent divisible by 32.

        Returns:
            Logits ``(N, outputs, …)``, or with deep supervision a list of five, from full to 1/16 of the resolution.
        """
        full = self.detail[0](x)
        *skips, x = [full, self.detail[1](full), *self.encoder(x)]
        logits = []
        for level in reversed(range(len(self.decoder))):
            x = self.decoder[level](x, skips[level])
            if level < len(self.heads):
                logits.insert(0, self.heads[level](x))
        return logits if self.deep_supervision else logits[0]


def _convolution(inputs: int, outputs: int, dim: int, norm: str, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        CONV[dim](inputs, outputs, 3, stride=stride, padding=1), norm_layer(norm, outputs, dim), nn.GELU()
    )
