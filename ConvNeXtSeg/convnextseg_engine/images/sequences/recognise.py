"""Which sequence an image is.

Words decide (file name, node name, series description); DICOM fields settle what words leave open and contradict what
they get wrong. Where two of them contradict each other nothing is decided: the user is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .description import Description
from .kinds import KINDS, NO_CHANNEL
from .physics import contradiction, kind_by_timing
from .reading import Reading, read_name

_NO_AGENT = {"", "NO", "NONE", "N", "N/A", "NA", "0", "NULL", "NOCONTRAST", "NO CONTRAST", "WITHOUT", "NO AGENT", "-"}
_NOT_IMAGES = {"SEG": "label", "RTSTRUCT": "label", "RTDOSE": "derived", "RTPLAN": "report", "SR": "report",
               "PR": "report", "KO": "report", "DOC": "report", "REG": "derived", "RWV": "report"}  # fmt: skip
_IMAGE_TYPES_NO_CHANNEL = {
    "LOCALIZER": "locator", "MIP": "derived", "MNIP": "derived", "MINIP": "derived", "PROJECTION IMAGE": "derived",
    "SUB": "derived", "SUBTRACT": "derived", "SUBTRACTION": "derived", "SCREEN SAVE": "report", "PHASE MAP": "phase",
    "VOLUME RENDERING": "derived",
}  # fmt: skip
_IMAGE_TYPE_KINDS = {
    "ADC": "ADC", "EADC": "eADC", "FA": "FA", "TRACEW": "DWI", "TRACE": "DWI", "RCBV": "perfusion",
    "RELCBV": "perfusion", "CBV": "perfusion", "CBF": "perfusion", "RELCBF": "perfusion", "TTP": "perfusion",
    "MTT": "perfusion", "RELMTT": "perfusion", "PERFUSION": "perfusion", "ASL": "ASL", "SWI": "SWI",
    "T1 MAP": "map", "T2 MAP": "map", "T2_STAR MAP": "map", "R2_STAR MAP": "map", "TENSOR": "map",
}  # fmt: skip
_TIMES = {"EchoTime": "echo time", "RepetitionTime": "repetition time", "InversionTime": "inversion time"}
_REFORMATTED = {"MPR", "REFORMATTED", "RESAMPLED"}


@dataclass(frozen=True)
class Recognition:
    """What an image is, and how that is known.

    Attributes:
        kind: A key of :data:`~.kinds.KINDS`; empty if it is no channel or not known.
        no_channel: Whether it is known to be no channel: a localizer, a projection, a segmentation, …
        options: What it may be if it is not known; empty without any hint.
        reason: One plain sentence.
        reformatted: Whether its header calls it a reformat of another series.
        assumed: Whether T1 stands for “T1, and nothing speaks of a contrast agent”.
    """

    kind: str = ""
    no_channel: bool = False
    options: tuple[str, ...] = ()
    reason: str = ""
    reformatted: bool = False
    assumed: bool = False

    @property
    def unsure(self) -> bool:
        """Whether the user has to say what it is."""
        return not self.kind and not self.no_channel


def recognise(description: Description) -> Recognition:
    """Return which sequence an image is, from its names and DICOM fields; no voxel is read.

    Args:
        description: Names and fields; either may be missing.
    """
    readings = _strong_readings(description)
    header = _by_header(description, readings)
    found = header or _by_words(description, readings)
    return replace(found, reformatted=_is_reformatted(description))


def _strong_readings(description: Description) -> list[Reading]:
    """What the names say that speak of this very image."""
    names = dict.fromkeys(name for name in (description.name, description.text("SeriesDescription")) if name.strip())
    return [read_name(name) for name in names]


def _by_header(description: Description, readings: list[Reading]) -> Recognition | None:
    """What modality and image type decide alone."""
    modality = description.text("Modality").upper()
    if modality in _NOT_IMAGES:
        return _no_channel(_NOT_IMAGES[modality], f"its modality is {modality}")
    for value in description.values("ImageType"):
        if value in _IMAGE_TYPES_NO_CHANNEL:
            return _no_channel(_IMAGE_TYPES_NO_CHANNEL[value], f"its image type says {value}")
    if modality == "MR" and "P" in description.values("ImageType")[2:]:
        return _no_channel("phase", "its image type says P")
    if modality not in ("CT", "PT"):
        return None
    for reading in readings:
        for reason, word in reading.no_channel.items():
            if reason != "phase":
                return _no_channel(reason, f"“{reading.text}” says “{word}”")
    wider = {"CT": ("CTA", "MRA", "perfusion"), "PT": ()}[modality]
    for reading in readings:
        for kind in wider:
            if kind in reading.kinds:
                named = "CTA" if kind == "MRA" else kind
                return Recognition(
                    named, reason=f"Modality {modality}, and “{reading.text}” says “{reading.kinds[kind]}”."
                )
    kind = "PET" if modality == "PT" else "CT"
    return Recognition(kind, reason=f"The DICOM header says that its modality is {modality}.")


def _by_words(description: Description, readings: list[Reading]) -> Recognition:
    is_mr = description.text("Modality").upper() == "MR"
    for reading in readings:
        if reading.no_channel:
            reason, word = next(iter(reading.no_channel.items()))
            if reason == "label" and is_mr and reading.kinds:
                return _unsure(reading.kinds, f"“{reading.text}” says “{word}”, but its modality is MR")
            return _no_channel(reason, f"“{reading.text}” says “{word}”")
    weak = [read_name(name) for name in (description.text("ProtocolName"), description.folder) if name.strip()]
    kinds, said = _kinds(readings, is_mr)
    typed = [_IMAGE_TYPE_KINDS[v] for v in description.values("ImageType") if v in _IMAGE_TYPE_KINDS]
    # An image type tells the maps of one diffusion series apart; it has no say over a name that says T1.
    open_to_type = not kinds or ({"DWI", "ADC", "FA", "perfusion", "SWI", "ASL"} & set(kinds) and "eADC" not in kinds)
    if len(set(typed)) == 1 and open_to_type:
        return Recognition(typed[0], reason=f"The DICOM image type says {typed[0]}.")
    if not kinds:
        for reading in weak:
            if reading.kinds and not reading.no_channel:
                kinds, said = _kinds([reading], is_mr)
                readings = [*readings, reading]
                break
    else:
        # An examination's name (“BRAIN W/WO CONTRAST”) stands in each of its series; one that names the same sequence
        # speaks of this one.
        readings = readings + [r for r in weak[:1] if r.kinds.keys() == kinds.keys()]
    if not kinds:
        return _without_words(description, readings)
    return _settled(description, kinds, said, readings)


def _kinds(readings: list[Reading], is_mr: bool) -> tuple[dict[str, str], str]:
    """Return all kinds that the names speak of, with their words, and the names that do."""
    kinds: dict[str, str] = {}
    for reading in readings:
        for kind, word in reading.kinds.items():
            if not (is_mr and kind in ("CT", "CTA", "PET")):
                kinds.setdefault(kind, word)
    return kinds, " and ".join(f"“{r.text}”" for r in readings if r.kinds)


def _settled(description: Description, kinds: dict[str, str], said: str, readings: list[Reading]) -> Recognition:
    """Decide among the kinds that the words name."""
    words = ", ".join(f"“{word}”" for word in dict.fromkeys(kinds.values()))
    timed = kind_by_timing(description)
    if len(kinds) > 1:
        if timed in kinds and set(kinds) <= {"T1", "T2", "FLAIR", "STIR", "PD"}:
            return _with_contrast(
                timed,
                f"{said} says {words}, and its echo and inversion times are those of {timed}",
                readings,
                description,
            )
        return _unsure(kinds, f"{said} says {words}, which do not go together")
    (kind,) = kinds
    if (
        kind == "T2"
        and "GR" in description.values("ScanningSequence")
        and "SE" not in description.values("ScanningSequence")
    ):
        return _unsure(("T2", "T2star", "bSSFP"), f"{said} says {words}, but it is a gradient echo")
    if against := contradiction(kind, description):
        other = (timed,) if timed else ("T1", "T2", "FLAIR", "PD")
        return _unsure((kind, *other), f"{said} says {words}, but its header has {against}")
    return _with_contrast(kind, f"{said} says {words}", readings, description)


def _with_contrast(kind: str, known: str, readings: list[Reading], description: Description) -> Recognition:
    """Tell T1 from T1c; what is not T1 stays what it is, with or without a contrast agent."""
    if kind != "T1":
        return Recognition(kind, reason=f"{known}.")
    given = next((r.contrast for r in readings if r.contrast), "")
    none = next((r.no_contrast for r in readings if r.no_contrast), "")
    perhaps = next((r.perhaps_contrast for r in readings if r.perhaps_contrast), "")
    agent = description.text("ContrastBolusAgent")
    if agent.upper() in _NO_AGENT:
        agent = ""
    if none and (given or agent):
        if given == none and not agent:
            return _unsure(("T1", "T1c"), f"{known}, and speaks of both with and without contrast agent")
        other = f"“{given}”" if given and given != none else f"the header names “{agent}”"
        return _unsure(("T1", "T1c"), f"{known} and “{none}”, but also {other}")
    if given or agent:
        by = f"“{given}”" if given else f"the DICOM header names the contrast agent “{agent}”"
        return Recognition("T1c", reason=f"{known}, and {by}: with contrast agent.")
    if perhaps and not none:
        return _unsure(("T1", "T1c"), f"{known}, and “{perhaps}” may mean a contrast agent")
    if none:
        return Recognition("T1", reason=f"{known}, and “{none}”: without contrast agent.")
    return Recognition("T1", reason=f"{known}, and nothing speaks of a contrast agent.", assumed=True)


def _without_words(description: Description, readings: list[Reading]) -> Recognition:
    """What the header says where no name says anything."""
    b_value = description.number("DiffusionBValue")
    if b_value:
        return Recognition("DWI", reason=f"The DICOM header has a b-value of {b_value:g} s/mm².")
    if timed := kind_by_timing(description):
        times = ", ".join(
            f"{name} {description.number(key):g} ms" for key, name in _TIMES.items() if description.number(key)
        )
        return _with_contrast(
            timed, f"No name says it, but its times are those of {timed} ({times})", readings, description
        )
    named = f"“{description.name}” names no sequence" if description.name.strip() else "It has no name"
    if any(r.contrast for r in readings):
        return _unsure(("T1c", "T1"), f"{named}, only a contrast agent")
    return _unsure((), f"{named}, and nothing else does")


def _is_reformatted(description: Description) -> bool:
    values = set(description.values("ImageType"))
    return "DERIVED" in values and bool(values & _REFORMATTED)


def _no_channel(reason: str, known: str) -> Recognition:
    return Recognition(no_channel=True, reason=f"No channel: {NO_CHANNEL[reason]}; {known}.")


def _unsure(kinds, known: str) -> Recognition:
    options = []
    for kind in kinds:
        options += [kind, "T1c"] if kind == "T1" else [kind]
    return Recognition(options=tuple(o for o in dict.fromkeys(options) if o in KINDS), reason=f"{known}.")
