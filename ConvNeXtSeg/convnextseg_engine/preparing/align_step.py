"""The step that looks whether a channel lies on the reference, and moves it there if that is wanted."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import SimpleITK as sitk

from ..progress import Reporter
from .alignment import LITTLE_OVERLAP, MISALIGNED_MM, Alignment, check_alignment
from .cache import PrepareCache
from .registration import Registration, register
from .rigid import RigidTransform
from .steps import CACHED, DONE, NOT_NEEDED, Finding, Step, Watch

# A smaller movement is within the error of the measurement (docs/prepare.md), and could make an aligned study worse.
_WORTH_MOVING_MM = 1.0
# Nobody turns further in a scanner, and images of unlike things have less in common: 0.6 nats or more were measured
# between aligned sequences of one brain.
_LARGEST_TURN_DEG = 45.0
_LEAST_INFORMATION = 0.25


@dataclass(frozen=True)
class AlignedChannel:
    """Outcome of one channel: the image to go on with, what moved it, what is to be told."""

    image: sitk.Image
    transform: RigidTransform
    step: Step
    findings: tuple[Finding, ...]
    aligned: bool


@dataclass(frozen=True)
class ChannelPair:
    """The reference channel and the channel that is compared with it; the hashes name them in the cache."""

    reference: str
    fixed: sitk.Image
    fixed_hash: str
    name: str
    moving: sitk.Image
    moving_hash: str


def checked(pair: ChannelPair, cache: PrepareCache, reporter: Reporter) -> AlignedChannel:
    """Say whether a channel lies on the reference; it stays where it is."""
    watch = Watch()
    key = cache.key("check", fixed=pair.fixed_hash, moving=pair.moving_hash)
    found, state = _alignment(cache.numbers(key)), CACHED
    if found is None:
        found, state = check_alignment(pair.fixed, pair.moving, reporter), DONE
        cache.keep_numbers(key, asdict(found))
    if found.aligned:
        sentence = f"{pair.name} lies on {pair.reference}: no movement of {MISALIGNED_MM:g} mm or more fits better."
        findings: tuple[Finding, ...] = ()
    else:
        sentence = _misaligned(pair, found)
        findings = (
            Finding(
                "alignment", (pair.reference, pair.name), sentence,
                "Let the channels be registered (--register rigid).", "--register rigid",
            ),
        )  # fmt: skip
    step = Step(f"align {pair.name}", state, watch.seconds, sentence)
    return AlignedChannel(pair.moving, RigidTransform(), step, findings, found.aligned)


def moved(pair: ChannelPair, cache: PrepareCache, reporter: Reporter) -> AlignedChannel:
    """Register a channel to the reference and move it there, unless it lies there already or the result is no good."""
    watch = Watch()
    key = cache.key("rigid", fixed=pair.fixed_hash, moving=pair.moving_hash)
    found, state = _registration(cache.numbers(key)), CACHED
    if found is None:
        found, state = register(pair.fixed, pair.moving, reporter=reporter), DONE
        cache.keep_numbers(key, asdict(found))
    name = f"align {pair.name}"
    stays = found.displacement_mm < _WORTH_MOVING_MM and found.overlap_before >= LITTLE_OVERLAP
    # Where nothing is in common, an empty image for one, no movement fits better and none was measured.
    if stays and found.information_after >= _LEAST_INFORMATION:
        sentence = f"{pair.name} lies on {pair.reference} already, to {_WORTH_MOVING_MM:g} mm."
        state = NOT_NEEDED if state == DONE else state
        return AlignedChannel(pair.moving, RigidTransform(), Step(name, state, watch.seconds, sentence), (), True)
    doubt = _doubt(found)
    if doubt:
        sentence = f"{pair.name} could not be laid on {pair.reference} and stays where it was: {doubt}."
        finding = Finding(
            "registration", (pair.reference, pair.name), sentence,
            "Check that both are of the same patient; align them by hand in Slicer's Transforms module, or leave "
            f"{pair.name} out.",
        )  # fmt: skip
        step = Step(name, state, watch.seconds, sentence)
        return AlignedChannel(pair.moving, RigidTransform(), step, (finding,), False)
    step = Step(name, state, watch.seconds, _quality(pair, found))
    return AlignedChannel(found.transform.brought_back(pair.moving), found.transform, step, (), True)


def _doubt(found: Registration) -> str:
    """Why a registration is not to be trusted, empty if it is."""
    if found.overlap_after < LITTLE_OVERLAP:
        return f"even where they fit best only {found.overlap_after:.0%} of one lies in the other"
    if found.angle_deg > _LARGEST_TURN_DEG:
        return f"it would have to be turned by {found.angle_deg:.0f}°"
    if found.information_after < _LEAST_INFORMATION:
        return f"they have too little in common (mutual information {found.information_after:.2f})"
    if found.gain < 0 and found.overlap_before >= LITTLE_OVERLAP:
        return "no movement was found that fits better"
    return ""


def _quality(pair: ChannelPair, found: Registration) -> str:
    return (
        f"{pair.name} was moved by {found.shift_mm:.1f} mm and turned by {found.angle_deg:.1f}° onto {pair.reference} "
        f"(mutual information {found.information_before:.3f} before, {found.information_after:.3f} after; overlap "
        f"{found.overlap_before:.0%} before, {found.overlap_after:.0%} after)."
    )


def _misaligned(pair: ChannelPair, found: Alignment) -> str:
    if found.overlap < LITTLE_OVERLAP:
        return f"{pair.name} and {pair.reference} hardly meet: only {found.overlap:.0%} of one lies in the other."
    return (
        f"{pair.name} does not lie on {pair.reference}: moved by about {found.shift_mm:.0f} mm and turned by about "
        f"{found.angle_deg:.0f}° it would fit better (mutual information {found.gain:+.0%})."
    )


def _alignment(data: dict | None) -> Alignment | None:
    try:
        return None if data is None else Alignment(**data)
    except TypeError:  # a damaged file
        return None


def _registration(data: dict | None) -> Registration | None:
    try:
        return (
            None if data is None else Registration(**data | {"transform": RigidTransform.from_dict(data["transform"])})
        )
    except (TypeError, ValueError, KeyError):
        return None
