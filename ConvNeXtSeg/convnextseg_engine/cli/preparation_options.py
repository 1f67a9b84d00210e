"""Options that say how a study is prepared, the same for ``segment`` and ``prepare``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .named_files import given_path

if TYPE_CHECKING:
    from ..preparing.options import PreparationOptions


def add_preparation_options(parser: argparse.ArgumentParser, *, register: str) -> None:
    """Add ``--register``, ``--brain-mask``, ``--brain-mask-model`` and what belongs to them.

    Args:
        parser: The command's.
        register: What ``--register`` is if it is not given.
    """
    group = parser.add_argument_group("preparation", "Every step can be left out; what was done stands in the report.")
    group.add_argument(
        "--register", choices=("rigid", "check", "off"), default=register,
        help="rigid: lay the channels on the reference channel; check: only say if they do not lie on it; off: neither "
        f"(default: {register})",
    )  # fmt: skip
    group.add_argument(
        "--brain-mask", metavar="FILE",
        help="set everything outside this mask to 0: an image whose non-zero voxels are brain, or a .seg.nrrd file "
        "with a segment “brain”; drawn on the reference channel, on any grid",
    )  # fmt: skip
    group.add_argument(
        "--brain-mask-model", metavar="M", help="let this model, which has a label “brain”, find the brain"
    )
    group.add_argument(
        "--brain-mask-dilation", type=float, default=0.0, metavar="MM", help="grow the brain mask first (default: 0)"
    )
    group.add_argument(
        "--no-expectations", action="store_true", help="do not compare the study with what the model expects"
    )
    group.add_argument(
        "--no-prepare-cache", action="store_true", help="neither use results of earlier preparations nor keep new ones"
    )


def brain_mask_path(arguments: argparse.Namespace) -> Path | None:
    """Return the file of ``--brain-mask``, None without; raises :class:`InputError` for an impossible path."""
    return None if arguments.brain_mask is None else given_path("--brain-mask", arguments.brain_mask)


def chosen_preparation(arguments: argparse.Namespace, device: str = "auto") -> PreparationOptions:
    """Return the options as the engine takes them; reads the brain mask.

    Args:
        arguments: What was typed.
        device: Where the brain model runs.

    Raises:
        InputError: If the mask cannot be read, or the brain model is none or cannot be found.
    """
    from ..preparing.brain_mask import read_brain_mask
    from ..preparing.brain_model import open_brain_model
    from ..preparing.options import PreparationOptions

    path = brain_mask_path(arguments)
    if arguments.brain_mask_model is not None:
        open_brain_model(arguments.brain_mask_model)  # refused before any work
    return PreparationOptions(
        register=arguments.register,
        brain_mask=None if path is None else read_brain_mask(path),
        brain_mask_model=arguments.brain_mask_model,
        dilation_mm=arguments.brain_mask_dilation,
        expectations=not arguments.no_expectations,
        use_cache=not arguments.no_prepare_cache,
        device=device,
    )
