"""*Prepare*: from a study as the scanners left it to one that a model can take.

It works on whole images in physical space, before ``images.prepare.prepare`` brings them onto the network's grid. The
images it was given are never changed, and the reference channel stays where it is, so that the result of a segmentation
lies on the voxels that the user chose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import SimpleITK as sitk

from ..images.study import Study
from ..models.metadata import Metadata
from ..progress import Reporter
from .align_step import AlignedChannel, ChannelPair, checked, moved
from .cache import PrepareCache, fingerprint
from .expectations import expectations
from .mask_step import brain_masked
from .options import PreparationOptions
from .rigid import RigidTransform
from .steps import DONE, SKIPPED, Finding, Step, Watch

_STAGE = "align"


@dataclass(frozen=True)
class PreparedStudy:
    """A study that is ready for a model.

    Attributes:
        study: Its channels; where nothing had to be done they are the images that were given.
        steps: What was done, in order.
        findings: What the model does not expect, with what mends it.
        transforms: By channel, from the reference's space to where the channel lay; only of channels that were moved.
        brain_mask: The mask that was used, on its own grid, or None.
    """

    study: Study
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    transforms: dict[str, RigidTransform] = field(default_factory=dict)
    brain_mask: sitk.Image | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``report.json`` says about it: ``preparation`` and ``expectations``."""
        return {
            "preparation": {
                "steps": [step.to_dict() for step in self.steps],
                "transforms": {name: transform.to_dict() for name, transform in self.transforms.items()},
            },
            "expectations": [finding.to_dict() for finding in self.findings],
        }

    @property
    def warnings(self) -> list[str]:
        """What the user should know, one sentence and its remedy each."""
        return [f"{finding.sentence} {finding.remedy}" for finding in self.findings]


def prepare_study(
    study: Study, metadata: Metadata | None, options: PreparationOptions, reporter: Reporter | None = None
) -> PreparedStudy:
    """Align the channels, remove what is not brain, and compare the study with what the model expects.

    Args:
        study: Channels in physical space; none of them is changed.
        metadata: The model's, or None if the study is prepared for no model in particular.
        options: What is wanted.
        reporter: Hears of progress and can cancel.

    Raises:
        InputError: If a brain mask cannot be used.
        RunCancelled: If the user cancelled.
    """
    reporter = reporter or Reporter()
    cache = PrepareCache(enabled=options.use_cache)
    outcomes = _align(study, options, cache, reporter.part(0.0, 0.5))
    channels = {name: outcomes[name].image if name in outcomes else image for name, image in study.channels.items()}
    steps = [outcome.step for outcome in outcomes.values()]
    if options.register == "off" and len(study.channels) > 1:
        steps.append(Step(_STAGE, SKIPPED, 0.0, "Whether the channels are aligned was not looked at."))
    reporter.progress("brain mask", 0.5, "removing what is not brain")
    prepared, step, mask = brain_masked(Study(channels, study.reference), options, cache, reporter.part(0.5, 0.9))
    steps.append(step)
    findings = [finding for outcome in outcomes.values() for finding in outcome.findings]
    reporter.progress("expectations", 0.9, "comparing the study with what the model expects")
    watch = Watch()
    if options.expectations:
        aligned = all(outcome.aligned for outcome in outcomes.values())
        found = expectations(prepared, metadata, aligned=aligned)
        findings += found
        told = "Nothing unusual was found." if not found else f"Unusual: {', '.join(f.name for f in found)}."
        steps.append(Step("expectations", DONE, watch.seconds, told))
    else:
        steps.append(Step("expectations", SKIPPED, 0.0, "The study was not compared with what the model expects."))
    reporter.progress("expectations", 1.0, "done")
    transforms = {name: o.transform for name, o in outcomes.items() if o.transform != RigidTransform()}
    return PreparedStudy(prepared, tuple(steps), tuple(findings), transforms, mask)


def _align(
    study: Study, options: PreparationOptions, cache: PrepareCache, reporter: Reporter
) -> dict[str, AlignedChannel]:
    others = [name for name in study.channels if name != study.reference]
    if options.register == "off" or not others:
        return {}
    fixed = study.channels[study.reference]
    fixed_hash = fingerprint(fixed)
    work = moved if options.register == "rigid" else checked
    outcomes = {}
    for number, name in enumerate(others):
        part = reporter.part(number / len(others), (number + 1) / len(others))
        part.progress(_STAGE, 0.0, f"{name} to {study.reference}")
        image = study.channels[name]
        pair = ChannelPair(study.reference, fixed, fixed_hash, name, image, fingerprint(image))
        outcomes[name] = work(pair, cache, part)
    return outcomes
