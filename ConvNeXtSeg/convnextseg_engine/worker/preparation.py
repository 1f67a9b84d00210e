"""The study of a request, prepared as the request asks."""

from __future__ import annotations

from typing import Any

from ..images.study import Study
from ..models.metadata import Metadata
from ..preparing.brain_mask import mask_image
from ..preparing.options import PreparationOptions
from ..preparing.workflow import PreparedStudy, prepare_study
from ..progress import Reporter
from .exchange import Exchange


def prepared_study(
    args: dict[str, Any], exchange: Exchange, metadata: Metadata | None, reporter: Reporter
) -> PreparedStudy:
    """Return the study of ``args["channels"]``, prepared by ``args["preparation"]``.

    Args:
        args: The request's arguments. ``preparation`` may have ``register``, ``brain_mask`` (an arrayref),
            ``brain_mask_model``, ``dilation_mm``, ``expectations`` and ``use_cache``; without it nothing is done.
        exchange: Where the arrays lie.
        metadata: The model's, or None.
        reporter: Hears of progress and can cancel.

    Raises:
        InputError: If an array cannot be used, or the preparation is refused.
    """
    channels = {}
    for name, ref in args["channels"].items():
        array, grid = exchange.open_array(ref)
        channels[name] = grid.image(array)
    wanted = args.get("preparation") or {"register": "off", "expectations": False}
    mask = None
    if wanted.get("brain_mask") is not None:
        array, grid = exchange.open_array(wanted["brain_mask"])
        mask = mask_image(array != 0, grid)
    options = PreparationOptions(
        register=wanted.get("register", "check"),
        brain_mask=mask,
        brain_mask_model=wanted.get("brain_mask_model") or None,
        dilation_mm=float(wanted.get("dilation_mm", 0.0)),
        expectations=bool(wanted.get("expectations", True)),
        use_cache=bool(wanted.get("use_cache", True)),
        device=args.get("device", "auto"),
    )
    return prepare_study(Study(channels, args["reference"]), metadata, options, reporter)
