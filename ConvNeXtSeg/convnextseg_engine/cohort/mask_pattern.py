"""Where the brain masks of a cohort lie, said once for all cases."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from .case import CohortCase, exists

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
        return cls(str(folder.absolute() / Path(text)))

    def given_to(self, case: CohortCase, name: str) -> CohortCase:
        """Return the case with its mask; one whose mask is missing has a problem.

        Args:
            case: The case.
            name: As its folder, its files or its row have it, with blanks, say. Where no mask lies under that name, one
                is looked for under the case's id.
        """
        files = dict.fromkeys(Path(self.text.replace(_PLACE, one)) for one in (name, case.id) if one)
        return with_brain_mask(case, *files)

    def fits(self, file: str) -> bool:
        """Say whether ``file`` is a mask by this pattern, and so no image that could be a channel."""
        return re.fullmatch(r"[^/\\]+".join(re.escape(part) for part in self.text.split(_PLACE)), file) is not None


def with_brain_mask(case: CohortCase, *places: Path) -> CohortCase:
    """Return the case with the first brain mask of ``places``; if there is none, with a problem that says so."""
    found = next((file for file in places if exists(file) and file.is_file()), None)
    lacking = "" if found else f"There is no brain mask {', nor '.join(map(str, places))}."
    return replace(case, brain_mask=str(found or places[0]), problem=case.problem or lacking)
