"""A name as plain lower-case words, so that one rule reads it however an archive or a scanner spells it."""

from __future__ import annotations

import re
import unicodedata

_EXTENSION = re.compile(r"\.(nii|nrrd|nhdr|mha|mhd|hdr|img|dcm|ima|mgz|mgh|png|tif|tiff|jpg|jpeg|h5)(\.gz)?$", re.I)

# What images are registered to.
_TARGETS = r"(?:t[12]\w{0,2}|flair|ct|mni\w*|pet|dwi|atlas|template|sri\w*)(?![a-z0-9])"

# Rewritten in this order before punctuation is dropped, because here it carries meaning.
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # BIDS: subject, session, and the space that an image was moved into, which is not its own sequence.
        (r"(?i)(?:^|(?<=[/_\\ ]))(?:sub|ses|space|res|run|dir|rec)-[a-z0-9]+", " "),
        (r"(?i)(?<![a-z])sub-[a-z]*[0-9]+", " "),
        # “FLAIR_to_T1”, “FLAIR in T1 space”, “flair2t1”: where it was registered to.
        (rf"(?i)[_ -](?:reg(?:istered)?[_ -]?)?(?:to|on|into|onto|in)[_ -]{_TARGETS}(?:[_ -]?space)?", " "),
        (r"(?i)(?<=[a-z]{2})2(?:t[12]\w{0,2}|flair|mni\w*)(?![a-z0-9])", " "),
        (r"\b(CTA|CT|MRA|MR|PET|PT)(?=[A-Z][a-z]{2})", r"\1 "),
        (r"(?<=[a-z])(?=[A-Z][A-Za-z0-9])", " "),
    )
)  # fmt: skip

_DIFFUSION = r"(?:dwi|diff\w*|trace)"
_AGENTS = r"(?:c|ce|gd|gad|gado\w*|gada\w*|km|kontr\w*|contr\w*|ks|k|mdc|pdc|inj\w*)"
_LOWER_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"_", " "),
        (r"\bc\s?-?\s?spine", " cervical "),
        (r"\b([rt])2\s*\*", r"\g<1>2 star "),
        (r"\bt([12])\s?-?\s?(?:weighted|wtd|gewichtet|ponderee?)\b", r"t\1 w "),
        # With and without, pre and post: both.
        (r"\bw(?:ith)?\s*[/&]?\s*(?:and|&|/|\+)?\s*w(?:ithout|\s*/\s*o|o)\b", " both "),
        (r"\bw(?:ithout|\s*/\s*o|o)\s*(?:and|&|/|\+)\s*w(?:ith)?\b", " both "),
        (r"\bpre\s*(?:and|&|/|\+|und|et|y)\s*post|\bpost\s*(?:and|&|/|\+|und|et|y)\s*pre\b", " both "),
        (r"\b(?:ohne|sans|sin|senza|sem|zonder)\s*(?:und|et|y|e|en|/|&|\+)\s*(?:mit|avec|con|com|met)\b", " both "),
        (r"\b(?:mit|avec|con|com|met)\s*(?:und|et|y|e|en|/|&|\+)\s*(?:ohne|sans|sin|senza|sem|zonder)\b", " both "),
        # “C-/C+”, “C+/-”, “+/- contrast”.
        (rf"\b{_AGENTS}\s?[+-]\s*/?\s*{_AGENTS}?\s?[+-](?=\s|$)", " both "),
        (rf"(?<!\S)(?:\+\s?/?\s?-|-\s?/?\s?\+|±)\s?{_AGENTS}\b", " both "),
        (r"\bw\s*/\s*o\b|\bwo\b", " without "),
        (r"\bw\s*/", " with "),
        # Spanish and Portuguese: “S/ contraste”, “C/GD”; “S/C” and “C/C” are left for the vocabulary.
        (r"\bs\s*/\s*(?=contr|gad|gd|iv|civ)", " sin "),
        (r"\bc\s*/\s*(?=contr|gad|gd|iv|civ)", " con "),
        (rf"\(\s*\+\s*{_AGENTS}?\s*\)|(?:^|(?<=\s))\+\s?{_AGENTS}\b|(?<=[a-z0-9])\+{_AGENTS}\b", " contrasted "),
        (r"\b(?:c|km)\s?\+", " contrasted "),
        (r"\(\s*-\s*c?\s*\)|\bc-(?=\s|$)|(?:^|(?<=\s))-\s?(?:c|gd|km)\b(?!\s?-?\s?t[12])", " uncontrasted "),
        (r"\bt1-c\b", "t1 perhapsagent "),
        (r"\+(?=\s|$)", " perhapsagent "),
        (rf"{_DIFFUSION}\s*(?:\+|&|/|and|und|y|et)\s*adc|adc\s*(?:\+|&|/|and|und|y|et)\s*{_DIFFUSION}", " dwiandadc "),
        (r"[^a-z0-9]+", " "),
        (r"\b([23])d(?=[a-z])", r"\1d "),
        (r"\bct1\b", "ce t1"),
        (r"\b(ce|gd|gad|hr|r|w|s|e|n|x|m|ref|reg|[23]d|post|pre|sag|ax|cor|tra|mr|brain)(t[12])(?![0-9])", r"\1 \2"),
        (r"\bt([12])(?=[a-z])", r"t\1 "),
        (r" +", " "),
    )
)  # fmt: skip


def plain_words(name: str) -> str:
    """Return ``name`` as lower-case words with one space between them, without accents and file extension.

    Signs that carry meaning become words: “T1 +C” becomes ``t1 contrasted``, “w/o” ``without``, “T2*” ``t2 star``.
    """
    text = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    text = _EXTENSION.sub("", text.strip())
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = text.lower()
    for pattern, replacement in _LOWER_REWRITES:
        text = pattern.sub(replacement, text)
    return text.strip()
