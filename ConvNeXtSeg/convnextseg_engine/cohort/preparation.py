"""How the cases of a cohort are prepared before the network sees them: the same steps as for one study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..preparing.options import PreparationOptions


@dataclass(frozen=True)
class CohortPreparation:
    """Wishes for :func:`~convnextseg_engine.preparing.workflow.prepare_study` that hold for every case.

    By default nothing is done, as in cohorts that were begun before there was a preparation.

    Attributes:
        register: ``"off"``, ``"check"`` or ``"rigid"``.
        brain_mask_model: Path of the folder of the model that finds the brain, absolute, where every worker sees it;
            None without. A case's own mask goes first.
        brain_mask_content: :func:`~convnextseg_engine.cohort.settings.content_of` that model.
        masked: Whether it was wished that every case has a brain mask of its own. Which one is among a case's files.
        dilation_mm: How far a brain mask is grown.
        expectations: Whether each case is compared with what the model expects.
        use_cache: Whether results of earlier preparations are used and new ones kept; decides nothing but the time.
    """

    register: str = "off"
    brain_mask_model: str | None = None
    brain_mask_content: str = ""
    masked: bool = False
    dilation_mm: float = 0.0
    expectations: bool = False
    use_cache: bool = True

    def decides(self) -> dict[str, Any]:
        """Return what decides a case's result and report, but for the masks, which are told apart."""
        return {
            "register": self.register,
            "brain_mask_model": self.brain_mask_content,
            "dilation_mm": self.dilation_mm,
            "expectations": self.expectations,
        }

    def options(self, brain_mask: str, device: str) -> PreparationOptions:
        """Return the wishes for one case.

        Args:
            brain_mask: The case's own mask, a file, or empty.
            device: Where a brain model runs.

        Raises:
            InputError: If the mask cannot be read, or a wish cannot be had.
        """
        from ..preparing.brain_mask import read_brain_mask
        from ..preparing.options import PreparationOptions

        return PreparationOptions(
            register=self.register,
            brain_mask=read_brain_mask(Path(brain_mask)) if brain_mask else None,
            brain_mask_model=self.brain_mask_model,
            dilation_mm=self.dilation_mm,
            expectations=self.expectations,
            use_cache=self.use_cache,
            device=device,
        )
