"""Names of channels as nnU-Net's files state them, in both versions."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .answers import ImportAnswers, Questions

# Entries that choose a normalisation, or say “some MR image”, and name no sequence.
_NO_NAMES = {"", "nonorm", "zscore", "rescale_to_0_1", "rescale_0_1", "rgb_to_0_1", "rescaleto01", "rgbto01", "nonct"}


def channels_of(stated: dict[Any, Any], answers: ImportAnswers, questions: Questions) -> tuple[str, ...]:
    """Return the channels' names in network order; asks if the source gives none that tell them apart.

    Args:
        stated: Number (as a number or text) to name.
        answers: The user's names count more.
        questions: Where the question is put.

    Raises:
        InputError: If the user names another number of channels.
    """
    names = tuple(str(stated[key]).strip() for key in sorted(stated, key=int))
    if answers.channels is not None:
        if len(answers.channels) != len(names):
            raise InputError(
                f"The model has {len(names)} channels, not {len(answers.channels)}.",
                reason=f"Its source calls them {', '.join(names)}.",
                remedy="Name each of them, in this order.",
                code="wrong-channels",
            )
        return tuple(answers.channels)
    telling = len(set(names)) == len(names) and not any(name.casefold() in _NO_NAMES for name in names)
    questions.need(
        names if telling else None,
        f"It calls its {len(names)} channels {', '.join(names)}, which does not say what each one shows.",
        f"--channels {','.join(f'NAME{number}' for number in range(1, len(names) + 1))}",
    )
    return names
