"""Options of one run that win over what the model says of itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..models.inference_settings import ARITHMETICS

if TYPE_CHECKING:
    from ..inference.options import SegmentOptions


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--mirror``, ``--overlap``, ``--arithmetic`` and ``--smallest-component-ml``."""
    group = parser.add_argument_group("how the network is run (default: as the model says)")
    group.add_argument(
        "--mirror", action=argparse.BooleanOptionalAction, default=None,
        help="let the network also see each window mirrored, and average; each mirrored axis doubles the time",
    )  # fmt: skip
    group.add_argument(
        "--overlap", type=float, metavar="SHARE",
        help="share of a window by which neighbouring windows overlap, 0 to 0.9 (usually 0.5)",
    )  # fmt: skip
    group.add_argument(
        "--arithmetic", choices=ARITHMETICS,
        help="how windows are added up; nnunet-v2 and nnunet-v1 repeat what nnU-Net computes, for imported models",
    )  # fmt: skip
    group.add_argument(
        "--smallest-component-ml", type=float, metavar="ML",
        help="leave out islands of a region that are smaller than this many millilitres (voxels that share a face, an "
        "edge or a corner belong together)",
    )  # fmt: skip


def chosen_options(
    arguments: argparse.Namespace, *, keep_probabilities: bool = False, uncertainty: bool = False
) -> SegmentOptions:
    """Return the options as the engine takes them."""
    from ..inference.options import SegmentOptions

    return SegmentOptions(
        mirror=arguments.mirror,
        overlap=arguments.overlap,
        arithmetic=arguments.arithmetic,
        smallest_component_ml=arguments.smallest_component_ml,
        keep_probabilities=keep_probabilities,
        uncertainty=uncertainty,
        disagreement=uncertainty,
    )
