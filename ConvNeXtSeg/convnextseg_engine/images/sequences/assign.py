"""Which of a study's images serves which channel of a model.

The rule: an image serves a channel if both are recognised as the same kind. Two images for one channel are asked about,
with one exception: an original series goes before reformats of itself (its header says so), because they show the same.
Nothing is chosen among images that are not recognised, except by a model with one channel of an unnamed kind: it takes
the only image there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import InputError
from .description import Description
from .kinds import KINDS
from .recognise import Recognition, recognise

# Kinds that a model for the first may have been made for, but that only the user can know.
_PERHAPS = {"CT": {"CTA"}, "DWI": {"b0"}}
_MOST_NAMES = 6


@dataclass(frozen=True)
class Question:
    """A channel that several images, or one that is not recognised, may serve.

    Attributes:
        channel: The model's channel.
        candidates: Keys of the images that it may be.
        reason: Why it has to be asked, one sentence.
    """

    channel: str
    candidates: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Assignment:
    """Images for channels.

    Attributes:
        chosen: Channel to the key of its image.
        reasons: Channel to the sentence that says why.
        questions: What the user has to decide.
        missing: Channels that no image shows.
        recognised: Every image's key to what it is.
    """

    chosen: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    missing: tuple[str, ...] = ()
    recognised: dict[str, Recognition] = field(default_factory=dict)

    def settled(self, option: str = "--image") -> dict[str, str]:
        """Return :attr:`chosen`, or refuse a study that has to be asked about.

        Args:
            option: Command-line option with which the user answers.

        Raises:
            InputError: There are questions; it names the channels, the images, and how to answer.
        """
        if not self.questions:
            return self.chosen
        reasons = " ".join(q.reason for q in self.questions)
        answers = " ".join(f"{option} {q.channel}={shown(q.candidates[0])}" for q in self.questions)
        raise InputError(
            f"It is not clear which image is which: {', '.join(q.channel for q in self.questions)}.",
            reason=reasons,
            remedy=f"Say it, for example {answers}; “{option} {self.questions[0].channel}=” leaves a channel out.",
            code="ambiguous-study",
        )


def assign(
    candidates: Mapping[str, Description],
    channels: Sequence[str],
    given: Mapping[str, str] | None = None,
) -> Assignment:
    """Choose an image for each of a model's channels.

    Args:
        candidates: Key (a path, a node's ID) to what is known of the image.
        channels: The model's channel names, in any of the usual spellings (``T1c``, ``T1GD``, ``t1ce``, …).
        given: What the user has chosen: channel to key, or to an empty text for “not available”. It is never overruled,
            and its images serve no other channel.
    """
    given = dict(given or {})
    recognised = {key: recognise(description) for key, description in candidates.items()}
    taken = {key for key in given.values() if key}
    free = {key: known for key, known in recognised.items() if key not in taken and not known.no_channel}
    open_channels = [channel for channel in channels if channel not in given]
    kinds = {channel: kind_of_channel(channel) for channel in open_channels}
    chosen = {channel: key for channel, key in given.items() if key}
    reasons = dict.fromkeys(given, "Chosen by you.")
    questions, missing = [], []
    for channel in open_channels:
        fitting = _fitting(channel, kinds, free, candidates)
        perhaps = _perhaps(channel, kinds, free)
        if len(fitting) == 1:
            chosen[channel] = fitting[0]
            reasons[channel] = free[fitting[0]].reason
        elif fitting:
            names = _listed(f"“{candidates[key].name or key}”" for key in fitting)
            questions.append(Question(channel, tuple(fitting), f"{channel} may be any of {names}."))
        elif perhaps:
            names = _listed(f"“{candidates[key].name or key}” ({free[key].reason.rstrip('.')})" for key in perhaps)
            questions.append(Question(channel, tuple(perhaps), f"{channel} may be {names}."))
        else:
            missing.append(channel)
    return Assignment(chosen, reasons, tuple(questions), tuple(missing), recognised)


def kind_of_channel(channel: str) -> str:
    """Return the kind of image that a model's channel of this name takes, empty if its name does not say."""
    return recognise(Description(channel)).kind


def shown(key: str) -> str:
    """Return a key as the user can type it."""
    return f'"{key}"' if " " in key else key


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    more = len(all_names) - _MOST_NAMES
    return ", ".join(all_names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _fitting(
    channel: str, kinds: Mapping[str, str], free: Mapping[str, Recognition], candidates: Mapping[str, Description]
) -> list[str]:
    """The images that are certainly of the channel's kind."""
    kind = kinds[channel]
    if not kind:
        same_name = [key for key in free if candidates[key].name.strip().lower() == channel.strip().lower()]
        # A model whose only channel is called “image” takes the only image.
        return same_name or (list(free) if len(kinds) == 1 and len(free) == 1 else [])
    if list(kinds.values()).count(kind) > 1:
        return [key for key in free if candidates[key].name.strip().lower() == channel.strip().lower()]
    of_kind = [key for key, known in free.items() if known.kind == kind]
    originals = [key for key in of_kind if not free[key].reformatted]
    return originals if len(originals) == 1 else of_kind


def _perhaps(channel: str, kinds: Mapping[str, str], free: Mapping[str, Recognition]) -> list[str]:
    """The images that may be of the channel's kind, for all that is known."""
    kind = kinds[channel]
    if not kind:
        return list(free)
    if list(kinds.values()).count(kind) > 1:
        return [key for key, known in free.items() if known.kind == kind]
    found = [
        key
        for key, known in free.items()
        if known.kind in _PERHAPS.get(kind, ()) or (known.unsure and (kind in known.options or not known.options))
    ]
    if kind == "T1c":
        # Two T1 without a word of contrast, or one where the model has no other use for it: one may be after contrast.
        assumed = [key for key, known in free.items() if known.assumed]
        found += assumed if len(assumed) > 1 or "T1" not in kinds.values() else []
    return found


def kind_text(recognition: Recognition) -> str:
    """Return what was recognised, in a few words."""
    if recognition.kind:
        return KINDS[recognition.kind]
    if recognition.no_channel:
        return "no channel"
    if recognition.options:
        return " or ".join(recognition.options) + "?"
    return "not recognised"
