"""MedNeXt, a fully ConvNeXt encoder–decoder for volumes and images.

Roy et al., "MedNeXt: Transformer-driven Scaling of ConvNets for Medical Image Segmentation", MICCAI 2023,
arXiv:2303.09975. Written from the paper and from measured behaviour; state-dict keys equal those of the authors'
release, so that published weights load with nothing renamed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .arguments import check_odd_kernel, check_one_of, check_whole
from .fused import recycled
from .fused.block import fused_block
from .fused.pointwise import pointwise
from .fused.rule import applies

# Far beyond any published MedNeXt (32 or 64 wide); a damaged description must not ask for terabytes.
_WIDEST = 1024
_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@dataclass(frozen=True)
class Size:
    """A published scaling: expansion and number of blocks for the nine stages, encoder to decoder."""

    expansion: tuple[int, ...]
    blocks: tuple[int, ...]
    checkpointed: bool


# Table 2 of the paper (S, B, M, L); M and L are trained with gradient checkpointing there.
SIZES = {
    "S": Size((2,) * 9, (2,) * 9, False),
    "B": Size((2, 3, 4, 4, 4, 4, 4, 3, 2), (2,) * 9, False),
    "M": Size((2, 3, 4, 4, 4, 4, 4, 3, 2), (3, 4, 4, 4, 4, 4, 4, 4, 3), True),
    "L": Size((3, 4, 8, 8, 8, 8, 8, 4, 3), (3, 4, 8, 8, 8, 8, 8, 4, 3), True),
}


class ChannelLayerNorm(nn.Module):
    """Layer normalisation over the channel axis at each voxel, for ``(N, C, …)`` tensors."""

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``x`` of shape ``(N, C, …)``."""
        return F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, self.eps).movedim(-1, 1)


class Block(nn.Module):
    """Depthwise convolution → norm → expansion → GELU (→ GRN) → compression, with a residual.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        expansion: Width of the inverted bottleneck as a multiple of ``inputs``.
        kernel: Odd kernel size of the depthwise convolution.
        dim: 2 or 3.
        norm: ``"group"`` (one group per channel) or ``"layer"`` (over channels, at each voxel).
        grn: Add Global Response Normalisation after the GELU (ConvNeXt V2, Woo et al. 2023).
    """

    kind = "same"
    # Take the fused path where it applies (see networks/fused); weights and results are the same either way.
    fused = True

    def __init__(
        self, inputs: int, outputs: int, expansion: int, kernel: int, dim: int, norm: str = "group", grn: bool = False
    ):
        super().__init__()
        conv = _CONV[dim]
        self.conv1 = self.depthwise(inputs, kernel, dim)
        self.norm = nn.GroupNorm(inputs, inputs) if norm == "group" else ChannelLayerNorm(inputs)
        self.conv2 = conv(inputs, expansion * inputs, 1)
        self.conv3 = conv(expansion * inputs, outputs, 1)
        self.grn = grn
        if grn:
            shape = (1, expansion * inputs) + (1,) * dim
            self.grn_gamma = nn.Parameter(torch.zeros(shape))
            self.grn_beta = nn.Parameter(torch.zeros(shape))

    @staticmethod
    def depthwise(channels: int, kernel: int, dim: int) -> nn.Module:
        """Return the depthwise convolution that begins the block."""
        return _CONV[dim](channels, channels, kernel, padding=kernel // 2, groups=channels)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's result without its residual."""
        x = F.gelu(self.conv2(self.norm(self.conv1(x))))
        if self.grn:
            x = self._respond(x)
        return self.conv3(x)

    def _respond(self, x: torch.Tensor) -> torch.Tensor:
        energy = torch.linalg.vector_norm(x, dim=tuple(range(2, x.dim())), keepdim=True)
        relative = energy / (energy.mean(dim=1, keepdim=True) + 1e-6)
        return self.grn_gamma * (x * relative) + self.grn_beta + x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, …)`` to ``(N, outputs, …)``."""
        return fused_block(self, x) if applies(self, x) else self.plain(x)

    def plain(self, x: torch.Tensor) -> torch.Tensor:
        """Return the same by plain autograd."""
        return x + self.branch(x)


class DownBlock(Block):
    """Halves the resolution: the depthwise convolution and the residual's 1×1 convolution have stride 2.

    An extent n becomes n/2.
    """

    kind = "down"

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, dim: int, norm: str, grn: bool):
        super().__init__(inputs, outputs, expansion, kernel, dim, norm, grn)
        self.res_conv = _CONV[dim](inputs, outputs, 1, stride=2)

    @staticmethod
    def depthwise(channels: int, kernel: int, dim: int) -> nn.Module:
        """Return a depthwise convolution of stride 2."""
        return _CONV[dim](channels, channels, kernel, stride=2, padding=kernel // 2, groups=channels)

    def plain(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, n…)`` to ``(N, outputs, n/2…)`` by plain autograd."""
        return self.branch(x) + self.res_conv(x)


class UpBlock(Block):
    """Doubles the resolution: transposed convolutions give 2n−1 voxels, one plane of zeros in front makes them 2n."""

    kind = "up"

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, dim: int, norm: str, grn: bool):
        super().__init__(inputs, outputs, expansion, kernel, dim, norm, grn)
        self.res_conv = _TRANSPOSED[dim](inputs, outputs, 1, stride=2)

    @staticmethod
    def depthwise(channels: int, kernel: int, dim: int) -> nn.Module:
        """Return a transposed depthwise convolution of stride 2."""
        return _TRANSPOSED[dim](channels, channels, kernel, stride=2, padding=kernel // 2, groups=channels)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        """Map ``(N, inputs, n…)`` to ``(N, outputs, 2n…)`` and add ``skip`` of that shape."""
        if applies(self, x, skip):
            return fused_block(self, x, skip)
        return self.plain(x) if skip is None else skip + self.plain(x)

    def plain(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, n…)`` to ``(N, outputs, 2n…)``; the front planes are exactly 0, without bias."""
        return F.pad(self.branch(x) + self.res_conv(x), (1, 0) * (x.dim() - 2))


class Head(nn.Module):
    """A 1×1 transposed convolution to the outputs (a plain 1×1 convolution with swapped weight axes)."""

    fused = True

    def __init__(self, inputs: int, outputs: int, dim: int):
        super().__init__()
        self.conv_out = _TRANSPOSED[dim](inputs, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, …)`` to logits ``(N, outputs, …)``."""
        return pointwise(self.conv_out, x, self.fused)


class MedNeXt(nn.Module):
    """The network.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        size: ``"S"``, ``"B"``, ``"M"`` or ``"L"``.
        kernel: Odd depthwise kernel; published are 3 and 5.
        width: Channels of the first stage; published is 32.
        dim: 2 or 3.
        norm: ``"group"`` or ``"layer"``.
        grn: Global Response Normalisation in every block but the first down-sampling one, as the reference has it.
        deep_supervision: Also return logits at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        checkpointing: Recompute stages in the backward pass to save memory; None: as the size was published.
        shape: ``"published"``, or ``"monai"`` for weights of MONAI's MedNeXt: its down-sampling blocks expand as the
            stage that they leave, not the one that they enter, and none of them has GRN.
    """

    divisor = smallest = 16
    norm_over_space = True
    fused = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        size: str = "S",
        kernel: int = 3,
        width: int = 32,
        dim: int = 3,
        norm: str = "group",
        grn: bool = False,
        deep_supervision: bool = False,
        checkpointing: bool | None = None,
        shape: str = "published",
    ):
        super().__init__()
        check_one_of("size", size, SIZES)
        check_one_of("dim", dim, _CONV)
        check_one_of("norm", norm, ("group", "layer"))
        check_one_of("shape", shape, ("published", "monai"))
        check_odd_kernel(kernel)
        check_whole("width", width, 1, _WIDEST)
        scale = SIZES[size]
        expansion, blocks = scale.expansion, scale.blocks
        widths = [width * 2**i for i in range(5)]
        monai = shape == "monai"
        self.deep_supervision = deep_supervision
        self.checkpointing = scale.checkpointed if checkpointing is None else checkpointing

        def stage(channels: int, position: int) -> nn.Sequential:
            return nn.Sequential(
                *(
                    Block(channels, channels, expansion[position], kernel, dim, norm, grn)
                    for _ in range(blocks[position])
                )
            )

        self.stem = _CONV[dim](inputs, width, 1)
        for i in range(4):
            self.add_module(f"enc_block_{i}", stage(widths[i], i))
            has_grn = grn and i > 0 and not monai
            ratio = expansion[i] if monai else expansion[i + 1]
            self.add_module(f"down_{i}", DownBlock(widths[i], widths[i + 1], ratio, kernel, dim, norm, has_grn))
        self.bottleneck = stage(widths[4], 4)
        for i in reversed(range(4)):
            self.add_module(f"up_{i}", UpBlock(widths[i + 1], widths[i], expansion[8 - i], kernel, dim, norm, grn))
            self.add_module(f"dec_block_{i}", stage(widths[i], 8 - i))
        for i in range(5 if deep_supervision else 1):
            self.add_module(f"out_{i}", Head(widths[i], outputs, dim))
        # The reference keeps an unused scalar for its own checkpointing; ours needs none, but published files have it.
        self.dummy_tensor = nn.Parameter(torch.ones(1))

    def _run(self, name: str, *inputs: torch.Tensor) -> torch.Tensor:
        module = self.get_submodule(name)
        if self.checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(module, *inputs, use_reentrant=False)
        return module(*inputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return logits.

        Args:
            x: Shape ``(N, inputs, D, H, W)`` (or ``(N, inputs, H, W)``), each extent divisible by 16.

        Returns:
            Logits ``(N, outputs, …)``, or with deep supervision a list of five, from full to 1/16 of the resolution.
        """
        x = pointwise(self.stem, x, self.fused)
        skips = []
        for i in range(4):
            x = self._run(f"enc_block_{i}", x)
            skips.append(x)
            x = self._run(f"down_{i}", x)
        x = self._run("bottleneck", x)
        logits = [self.out_4(x)] if self.deep_supervision else []
        for i in reversed(range(4)):
            x = self._run(f"up_{i}", x, skips[i])
            x = self._run(f"dec_block_{i}", x)
            if i == 0 or self.deep_supervision:
                logits.insert(0, self.get_submodule(f"out_{i}")(x))
        if not torch.is_grad_enabled():
            recycled.release()  # memory waits for the next training step, but not beyond a prediction
        return logits if self.deep_supervision else logits[0]


def set_fused(network: nn.Module, fused: bool) -> None:
    """Let all parts of ``network`` take the fused path where it applies, or always plain autograd."""
    for module in network.modules():
        if isinstance(module, (Block, Head, MedNeXt)):
            module.fused = fused
