"""Where the brain masks of a cohort lie, said once for all cases."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from .case import CohortCase

_PLACE = "{case}"


@dataclass(frozen=True)
class MaskPattern:
    """A path in which ``{case}`` stands for the case's name.

    Attributes:
        text: The path, absolute.
    """

    text: str

    @classmethod
    def starting_at(cls, folder: Path, text: str) -> MaskPattern:
        """Return the pattern ``text``, which starts at the cohort's folder if it is relative.

        Raises:
            InputError: If it does not say where the case's name goes: one mask cannot serve for several patients.
        """
        if _PLACE not in text:
            raise InputError(
                f"--brain-mask {text} is the same file for every case.",
                reason="Each patient has a brain mask of their own.",
                remedy=f"Write {_PLACE} where the case's name goes, for example {_PLACE}/brain.nii.gz; or name the "
                "masks in the column “brain mask” of a CSV table.",
                code="one-mask",
            )
        return cls(str(folder.absolute() / Path(text).expanduser()))

    def given_to(self, case: CohortCase) -> CohortCase:
        """Return the case with its mask; one whose mask is missing has a problem."""
        return with_brain_mask(case, Path(self.text.replace(_PLACE, case.id)))

    def fits(self, file: str) -> bool:
        """Say whether ``file`` is a mask by this pattern, and so no image that could be a channel."""
        return re.fullmatch(r"[^/\\]+".join(re.escape(part) for part in self.text.split(_PLACE)), file) is not None


def with_brain_mask(case: CohortCase, mask: Path) -> CohortCase:
    """Return the case with the brain mask ``mask``; if there is no such file, with a problem that says so."""
    lacking = "" if mask.is_file() else f"There is no brain mask {mask}."
    return replace(case, brain_mask=str(mask), problem=case.problem or lacking)
