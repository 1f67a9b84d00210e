"""The step that removes what is not brain."""

from __future__ import annotations

import SimpleITK as sitk

from ..images.study import Study
from ..models.folder import ModelFolder
from ..progress import Reporter
from .brain_mask import dilated, mask_image, masked, removes
from .brain_model import brain_by_model, chosen_channels, model_fingerprint, open_brain_model
from .cache import PrepareCache, fingerprint
from .options import PreparationOptions
from .skull import is_skull_stripped
from .steps import BRAIN_MASK, CACHED, DONE, NOT_NEEDED, SKIPPED, Step, Watch

# An image whose skull is gone loses less than this to a mask of the same brain; masks by different programs differ by
# about as much. If it loses more, the mask knows better.
_AGREES = 0.05
_NOTHING_LEFT = "The skull has been removed from all channels already."


def brain_masked(
    study: Study, options: PreparationOptions, cache: PrepareCache, reporter: Reporter
) -> tuple[Study, Step, sitk.Image | None]:
    """Return the study with 0 outside the brain, what was done, and the mask that was used.

    Raises:
        InputError: If the mask is empty or lies elsewhere, or the model does not find the brain.
    """
    watch = Watch()
    if options.brain_mask is None and options.brain_mask_model is None:
        return study, Step(BRAIN_MASK, SKIPPED, watch.seconds, "No brain mask was asked for."), None
    stripped = {name for name, image in study.channels.items() if is_skull_stripped(image)}
    if options.brain_mask is not None:
        mask, state, source = options.brain_mask, DONE, "the given mask"
    elif len(stripped) == len(study.channels):
        return (
            study,
            Step(BRAIN_MASK, NOT_NEEDED, watch.seconds, _NOTHING_LEFT),
            None,
        )
    else:
        model = open_brain_model(options.brain_mask_model)
        mask, state = _by_model(study, model, options, cache, reporter)
        source = f"the model {model.spec}"
    mask = dilated(mask, options.dilation_mm)
    channels, changed = {}, []
    for name, image in study.channels.items():
        reporter.check()
        if name in stripped and removes(image, mask) < _AGREES:
            channels[name] = image
        else:
            channels[name] = masked(image, mask, name)
            changed.append(name)
    if not changed:
        return (
            study,
            Step(BRAIN_MASK, NOT_NEEDED, watch.seconds, _NOTHING_LEFT),
            None,
        )
    grown = f", grown by {options.dilation_mm:g} mm" if options.dilation_mm else ""
    kept = [name for name in study.channels if name not in changed]
    sentence = f"{', '.join(changed)}: 0 outside the brain, by {source}{grown}."
    if kept:
        sentence += f" Already without skull: {', '.join(kept)}."
    return Study(channels, study.reference), Step(BRAIN_MASK, state, watch.seconds, sentence), mask


def _by_model(
    study: Study, model: ModelFolder, options: PreparationOptions, cache: PrepareCache, reporter: Reporter
) -> tuple[sitk.Image, str]:
    given = chosen_channels(study, model)
    grid = study.reference_grid
    key = cache.key(
        BRAIN_MASK, model=model_fingerprint(model), grid=grid.to_dict(),
        channels={name: fingerprint(study.channels[source]) for name, source in sorted(given.items())},
    )  # fmt: skip
    inside = cache.mask(key, grid.shape)
    if inside is not None:
        return mask_image(inside, grid), CACHED
    inside = brain_by_model(study, model, options.device, reporter)
    mask = mask_image(inside, grid)
    cache.keep_mask(key, inside)
    return mask, DONE
