"""What the timing of an MR sequence says about its weighting.

The limits are wide on purpose: a tissue's contrast changes smoothly with the times, and what lies between is not
decided here. They follow the usual tables of protocols (for example Westbrook & Talbot, MRI in Practice, 5th ed., 2018,
chapters on spin echo and inversion recovery).
"""

from __future__ import annotations

from .description import Description

_T1_ECHO_MS, _T2_ECHO_MS = 40.0, 60.0
_T1_REPETITION_MS, _LONG_REPETITION_MS = 1100.0, 1800.0
_T1_INVERSION_MS = (400.0, 1300.0)
_FLAIR_INVERSION_MS = 1500.0
_STIR_INVERSION_MS = 300.0


def kind_by_timing(description: Description) -> str:
    """Return T1, T2, FLAIR, STIR or PD if the times leave no doubt, otherwise an empty text."""
    echo, repetition = description.number("EchoTime"), description.number("RepetitionTime")
    inversion = description.number("InversionTime") or 0.0
    sequence = set(description.values("ScanningSequence"))
    if echo is None or repetition is None or "EP" in sequence:
        return ""
    if inversion >= _FLAIR_INVERSION_MS:
        return "FLAIR" if echo >= _T2_ECHO_MS else ""
    if 0 < inversion <= _STIR_INVERSION_MS:
        return "STIR" if "SE" in sequence else ""
    if inversion:
        between = _T1_INVERSION_MS[0] <= inversion <= _T1_INVERSION_MS[1]
        return "T1" if between and echo <= _T1_ECHO_MS else ""
    if "SE" not in sequence or "IR" in sequence:
        return ""  # a gradient echo's weighting depends on its flip angle and spoiling as well
    if repetition <= _T1_REPETITION_MS:
        return "T1" if echo <= _T1_ECHO_MS else ""
    if repetition >= _LONG_REPETITION_MS:
        return "T2" if echo >= _T2_ECHO_MS else "PD" if echo <= _T1_ECHO_MS else ""
    return ""


def contradiction(kind: str, description: Description) -> str:
    """Return the time that cannot belong to ``kind``, in words, or an empty text."""
    echo, inversion = description.number("EchoTime"), description.number("InversionTime") or 0.0
    if kind == "T1" and echo is not None and echo >= _T2_ECHO_MS:
        return f"an echo time of {echo:g} ms, which no T1 has"
    if kind == "T1" and inversion >= _FLAIR_INVERSION_MS:
        return f"an inversion time of {inversion:g} ms, which no T1 has"
    if kind == "T2" and echo is not None and echo < _T1_ECHO_MS:
        return f"an echo time of {echo:g} ms, which no T2 has"
    if kind == "T2" and inversion >= _FLAIR_INVERSION_MS:
        return f"an inversion time of {inversion:g} ms, as FLAIR has"
    if kind == "FLAIR" and 0 < inversion < _T1_INVERSION_MS[1]:
        return f"an inversion time of {inversion:g} ms, which no FLAIR has"
    return ""
