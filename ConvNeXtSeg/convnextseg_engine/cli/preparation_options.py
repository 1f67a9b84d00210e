"""Options that say how a study is prepared, the same for ``segment``, ``batch`` and ``prepare``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .named_files import given_path

if TYPE_CHECKING:
    from ..cohort.preparation import CohortPreparation
    from ..preparing.options import PreparationOptions

_ONE_MASK = {
    "metavar": "FILE",
    "help": "set everything outside this mask to 0: an image whose non-zero voxels are brain, or a .seg.nrrd file "
    "with a segment “brain”; drawn on the reference channel, on any grid",
}
_MASK_OF_EACH = {
    "metavar": "PATTERN",
    "help": "set everything outside each case's own mask to 0: the mask's path with {case} for the case's name, for "
    "example {case}/brain.nii.gz, from SOURCE's folder; a CSV table can name masks in the column “brain mask” instead. "
    "Files as for “segment”",
}


def add_preparation_options(parser: argparse.ArgumentParser, *, register: str, cohort: bool = False) -> None:
    """Add ``--register``, ``--brain-mask``, ``--brain-mask-model`` and what belongs to them.

    Args:
        parser: The command's.
        register: What ``--register`` is if it is not given.
        cohort: Whether there are many studies, each with a brain mask of its own.
    """
    group = parser.add_argument_group("preparation", "Every step can be left out; what was done stands in the report.")
    group.add_argument(
        "--register", choices=("rigid", "check", "off"), default=register,
        help="rigid: lay the channels on the reference channel; check: only say if they do not lie on it; off: neither "
        f"(default: {register})",
    )  # fmt: skip
    group.add_argument("--brain-mask", **(_MASK_OF_EACH if cohort else _ONE_MASK))
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


def check_dilation(arguments: argparse.Namespace, masked: bool) -> None:
    """Refuse ``--brain-mask-dilation`` where there is nothing to grow: it would change nothing, and nobody be told.

    Args:
        arguments: What was typed.
        masked: Whether there is a mask from a file.

    Raises:
        InputError: If there is no mask and no model that finds the brain.
    """
    if arguments.brain_mask_dilation > 0 and not masked and arguments.brain_mask_model is None:
        raise InputError(
            f"There is no brain mask that --brain-mask-dilation {arguments.brain_mask_dilation:g} could grow.",
            reason="Neither a mask nor a model that finds the brain is given.",
            remedy="Give --brain-mask or --brain-mask-model as well, or leave the option out.",
            code="bad-arguments",
        )


def chosen_preparation(arguments: argparse.Namespace, device: str = "auto") -> PreparationOptions:
    """Return the options as the engine takes them; reads the brain mask.

    Args:
        arguments: What was typed.
        device: Where the brain model runs.

    Raises:
        InputError: If the mask cannot be read or is missing where it is to be grown, or the brain model is none or
            cannot be found.
    """
    from ..preparing.brain_mask import read_brain_mask
    from ..preparing.brain_model import open_brain_model
    from ..preparing.options import PreparationOptions

    path = brain_mask_path(arguments)
    check_dilation(arguments, path is not None)
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


def chosen_for_cohort(arguments: argparse.Namespace) -> CohortPreparation:
    """Return the options as a cohort takes them, for all its cases and for computers elsewhere.

    Raises:
        InputError: If the brain model is none or cannot be found, or a wish cannot be had.
    """
    from ..cohort.preparation import CohortPreparation
    from ..cohort.settings import content_of
    from ..preparing.brain_model import open_brain_model

    model = None if arguments.brain_mask_model is None else open_brain_model(arguments.brain_mask_model)
    preparation = CohortPreparation(
        register=arguments.register,
        brain_mask_model=None if model is None else str(model.path.absolute()),
        brain_mask_content="" if model is None else content_of(model),
        masked=arguments.brain_mask is not None,
        dilation_mm=arguments.brain_mask_dilation,
        expectations=not arguments.no_expectations,
        use_cache=not arguments.no_prepare_cache,
    )
    preparation.options("", arguments.device)  # a wish that cannot be had is refused before any work
    return preparation
