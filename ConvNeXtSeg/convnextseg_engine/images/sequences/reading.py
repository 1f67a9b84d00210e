"""What one name says: the kinds it speaks of, why it may be no channel, and what it says about a contrast agent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .kinds import EXPLAINS, KINDS, NO_CHANNEL
from .plain_words import plain_words
from .vocabulary import PLANES, VOCABULARY

# s/mm²; “B1” is a magnetic field and “b 5” a number of a list, but no diffusion image has less.
_LOWEST_B_VALUE = 50


@dataclass(frozen=True)
class Reading:
    """The sense of one name.

    Attributes:
        text: The name as it was given.
        kinds: Kind (T1 whatever the contrast agent) to the word that says it; more than one contradict each other.
        no_channel: Reason to be no channel (a key of :data:`~.kinds.NO_CHANNEL`) to the word that says it.
        contrast: The word that says that a contrast agent was given, empty if none does.
        no_contrast: The word that says that none was given.
        perhaps_contrast: A word that may mean a contrast agent, or something else.
    """

    text: str
    kinds: dict[str, str]
    no_channel: dict[str, str]
    contrast: str = ""
    no_contrast: str = ""
    perhaps_contrast: str = ""

    @property
    def says_nothing(self) -> bool:
        """Whether the name names neither a kind nor a reason to be no channel."""
        return not self.kinds and not self.no_channel


def read_name(name: str) -> Reading:
    """Return what ``name`` says."""
    rest = plain = plain_words(name)
    found: dict[str, str] = {}
    for word in VOCABULARY:
        matches = [match.group().strip() for match in word.pattern.finditer(rest)]
        if not matches:
            continue
        if word.meaning:
            found.setdefault(word.meaning, " ".join(matches) if word.meaning == "b value" else matches[0])
        rest = word.pattern.sub("|", rest)
    kinds = {meaning: word for meaning, word in found.items() if meaning in KINDS}
    _add_b_values(kinds, found)
    if "dwiandadc" in found:
        kinds |= {"DWI": "DWI and ADC", "ADC": "DWI and ADC"}
    elif {"tirm"} & found.keys() and not {"FLAIR", "STIR"} & kinds.keys():
        # Siemens calls both by this name; they differ in the inversion time.
        kinds |= {"FLAIR": "tirm", "STIR": "tirm"}
        kinds.pop("T2", None)
    else:
        explained = set().union(*(EXPLAINS.get(kind, set()) for kind in kinds))
        kinds = {kind: word for kind, word in kinds.items() if kind not in explained}
    if {"T1", "FLAIR"} == kinds.keys() and plain.find("t1") < plain.find(kinds["FLAIR"]) and PLANES.search(plain):
        # Scanners have a T1 sequence called “T1 FLAIR”; without a word of a scan protocol, “T1” may be a time point.
        kinds = {"T1": f"{kinds['T1']} {kinds['FLAIR']}"}
    contrast, no_contrast = found.get("contrast", ""), found.get("no contrast", "")
    perhaps = found.get("perhaps contrast", "")
    if "both" in found:
        contrast, no_contrast = contrast or "with and without", no_contrast or "with and without"
    if post := found.get("post"):
        # “post_T1” without a word of a scan protocol may be the T1 after a treatment.
        before_kind = 0 <= plain.find("post") < plain.find("t1")
        if before_kind and not PLANES.search(plain):
            perhaps = post
        else:
            contrast = contrast or post
    reasons = {meaning: word for meaning, word in found.items() if meaning in NO_CHANNEL}
    return Reading(name, kinds, reasons, contrast, no_contrast, perhaps)


def _add_b_values(kinds: dict[str, str], found: dict[str, str]) -> None:
    """A b-value names diffusion; only b = 0 is no diffusion weighting."""
    value = found.get("b value", "")
    b_values = [int(digits) for digits in re.findall(r"[0-9]+", value)]
    if b_values == [0]:
        kinds["b0"] = value
    elif max(b_values, default=0) >= _LOWEST_B_VALUE and not {"ADC", "eADC", "FA"} & kinds.keys():
        kinds.setdefault("DWI", value)
