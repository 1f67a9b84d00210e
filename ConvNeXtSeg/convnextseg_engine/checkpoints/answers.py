"""What only the user can say about a foreign model, and the error that asks for it.

A source that does not say its channels or what its outputs mean is never guessed at: two packages of the same challenge
number edema and necrosis the other way round, and a wrong guess exchanges them silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import InputError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ImportAnswers:
    """The user's words; None where nothing was said, then the source's word counts.

    Attributes:
        channels: Channel names in the order of the network's inputs.
        labels: Name and the integer by which the source knows the label: its value in masks, or its softmax output.
        regions: Name and labels of each region, in the order of the network's sigmoid outputs.
        network: A name of the registry, such as ``"mednext-s-k3"``, for weights that do not say theirs.
        norm: ``"group"`` or ``"layer"``, for a MedNeXt whose weights alone do not tell them apart.
        spacing: Millimetres along L, P, S.
        patch: Voxels of the input window, as ``(D, H, W)``.
        axes: Towards what the axes of the network's arrays point, three letters such as ``"SPL"`` or ``"RAS"``.
        intensity: An intensity scheme: see ``intensity_answer.py``.
        folds: Which of several folds, as ``"0"`` or ``"all"``; None takes all that are there.
        configuration: Which of several configurations of a source, such as ``"3d_fullres"``.
        arithmetic: How windows are added up: see ``models/inference_settings.py``.
        licence: SPDX name or sentence; ``"unknown"`` is an answer.
        title: One line for the model list.
        skull_stripped: Whether the images must have the skull removed.
    """

    channels: tuple[str, ...] | None = None
    labels: tuple[tuple[str, int], ...] | None = None
    regions: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    network: str | None = None
    norm: str | None = None
    spacing: tuple[float, float, float] | None = None
    patch: tuple[int, int, int] | None = None
    axes: str | None = None
    intensity: str | None = None
    folds: tuple[str, ...] | None = None
    configuration: str | None = None
    arithmetic: str | None = None
    licence: str | None = None
    title: str | None = None
    skull_stripped: bool | None = None


@dataclass(frozen=True)
class Question:
    """Something that the source does not say.

    Attributes:
        text: What is missing and why it matters, one plain sentence.
        option: How to answer, for example ``"--channels T1c,T1,FLAIR,T2"``.
    """

    text: str
    option: str


class NeedsAnswer(InputError):
    """The source leaves something open that only the user can say; it carries all open questions at once."""

    code = "needs-answer"

    def __init__(self, questions: Sequence[Question]):
        self.questions = tuple(questions)
        options = " ".join(question.option for question in self.questions)
        super().__init__(
            "The source does not say everything that a model needs, and it is not guessed.",
            reason=" ".join(question.text for question in self.questions),
            remedy=f"Import again and add, with what is true of this model: {options}",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the three sentences and the list of questions."""
        asked = [{"text": question.text, "option": question.option} for question in self.questions]
        return super().to_dict() | {"questions": asked}


def places(count: int, *, numbered: bool = False) -> str:
    """Return ``count`` words to be replaced in an example; real names would invite to copy what is only an example."""
    words = ("FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH")
    listed = [f"{word}{f'={number}' if numbered else ''}" for number, word in enumerate(words[:count], start=1)]
    return ",".join(listed) + (",…" if count > len(words) else "")


class Questions:
    """Collects what is open, so that a person is asked once and not question by question."""

    def __init__(self) -> None:
        self._open: list[Question] = []

    def need(self, answer: Answer | None, text: str, option: str) -> Answer | None:
        """Return ``answer``; if it is None, remember the question."""
        if answer is None:
            self._open.append(Question(text, option))
        return answer

    def ask(self) -> None:
        """Raise :class:`NeedsAnswer` if a question is open."""
        if self._open:
            raise NeedsAnswer(self._open)
