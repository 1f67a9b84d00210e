"""The words in the names of images, and what each means.

The words are tried in the order of the text below and each takes its letters away, so that “T1 map” is not read as T1,
nor “without contrast” as contrast. Patterns see what :func:`~.plain_words.plain_words` returns: lower-case words with
one space between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What several patterns have in common.
_PARTS = {
    "<not>": (
        r"(?:without|ohne|sans|sin|senza|sem|zonder|no|non|kein|bez|utan|uden|avant|before|prior to|vor|voor|"
        r"antes de|prima del?)"
    ),
    "<after>": r"(?:with|post|after|nach|mit|avec|apres|con|com|dopo|tras|med|met|po|despues de(?:l)?|pos)",
    "<agent>": (
        r"(?:(?:iv|i v|intravenous|the|le|el|il|de|du|d|medio de|mezzo di|produit de) )?"
        r"(?:contrast\w*|contr|cte|kontrast\w*|contraste|contrasto|gd(?: ?dtpa)?|gad|gado\w*|gada\w*|km|mdc|pdc|civ|"
        r"kont|inj|injec\w*|iny\w*|inie\w*|dotarem|magnevist|multihance|prohance|omniscan|clariscan|elucirem|vueway|"
        r"primovist|eovist|iv|c)"
    ),
    # “Arterial phase” is a time after the contrast agent, not the phase of the signal.
    "<no time of>": "".join(
        rf"(?<!{time} )"
        for time in ("multi", "arterial", "venous", "portal", "delayed", "late", "equilibrium", "hepatobiliary")
    ),
    "<treated>": (
        r"(?:op|operat\w*|surg\w*|chir\w*|treat\w*|tx|rt|rad\w*|chemo\w*|therap\w*|proc\w*|process\w*|resec\w*|"
        r"biops\w*|release|mortem|natal|menopaus\w*)"
    ),
}

# Meaning: patterns, separated by semicolons. A meaning is a kind, a reason to be no channel (kinds.py), something about
# the contrast agent, or nothing, for words that would be misread.
_TEXT = r"""
# Before and after an operation is not before and after the contrast agent.
nothing: (?:pre|post) ?<treated>; pet ?(?:ct|mri?); in phase; (?:out|opp\w*)(?: of)? phase;
    phase (?:dir|direction|enc|encoding|array); phased array; grad ?warp
# No channel of any model.
label: [a-z0-9]*seg; segm; segment\w*; \w*masks?[0-9]*; \w*labels?(?:map)?; gtv\w*; [cpi]tv; rois?\w*; gt$;
    ^lesions?$; ground ?truth; truth; o ot; annotat\w*; contour\w*; rt ?struct; aparc; consensus; delineat\w*;
    pred(?:iction)?s?; prob(?:abilit\w*)?; \w*parc; tissue ?class
derived: m ?ip[s0-9]*; mi?n ?ip\w*; mip images; subtract\w*; subtrak\w*; sustrac\w*; soustr\w*;
    subs?(?! ?[0-9]); fusion; fused; overlay\w*; rgb; colou?r\w*; vrt; vr$; rendering\w*; volume render\w*;
    ratio; difference; mismatch; projection\w*; atlas; template; warp(?:field)?; xfm; displacements?; deformation\w*;
    transform; funct? ?tool
locator: loc; locali[sz]\w*; lokal\w*; \w*scout\w*; survey\w*; topo(?:gram)?; scanogram; surview; smart ?brain;
    aahead; auto ?align; \w*calib\w*; (?:sense ?)?ref(?:erence)? ?scan; shim\w*; b1 ?map\w*; field ?map\w*;
    prescan; ^pilot\w*$; reperage; localizador\w*; (?:care|test|timing|smart) ?(?:bolus|prep); bolus ?track\w*;
    premonitoring; ^monitoring; plan ?scan; coil ?(?:sens\w*|survey); 3 ?plane; tri ?plane; 3 ?pl; asset cal\w*
report: reports?; screen ?(?:save|shot|capture)\w*; phoenix.*; pos ?disp; summary; ^dose$; rt ?dose; key images?;
    dose (?:report|info|sheet|map|summary)\w*; evidence; patient protocol; ^document\w*$; scanned document\w*;
    presentation state; processed images
spectroscopy: spectro\w*; mrs; csi; svs; press; mrsi; espectro\w*; spektro\w*
phase: pha; filt pha; phase (?:images?|maps?|im); <no time of>phase$; part phase
# Kinds whose names contain the names of others.
SWI: swip?; sw im?; swan; suscept\w*; veno? ?bold; venous bold; swi p; suszept.*
bSSFP: ciss; fiesta(?: c)?; true? ?fisp; trufi; b ?[ft]fe; b?ssfp; dess; balanced
dwiandadc: dwiandadc
eADC: e ?adc; exp(?:onential)?(?: apparent.*| adc); atten(?:uated)? adc
ADC: d?adc\w*; apparent diff\w*(?: coef\w*)?; coeficiente de dif\w*; mapp?a adc
FA: fractional anisotropy; dti fa; fa(?: map)?$; ^fa; tensor fa; fa map
map: t[12](?: star)? ?(?:w )?(?:gre )?map\w*; t1 rho; qsm; molli; r[12] ?star; r[12] map; pd map; synthetic t[12] map;
    (?:dti|tensor) (?:md|rd|ad|tr|l[123]); mean diffusivity; ktrans map
ASL: \w*asl; arterial spin.*
perfusion: perf(?:us\w*)?; dsc; dce; \w*cbv\w*; \w*cbf\w*; mtt; ttp; tmax; k ?trans; pwi; pbp
fMRI: bold; [a-z]?s?fmri; r?s?f mri; func(?:tional)?; resting; rsfmri; rest ?state
CTA: cta; ct ?angio\w*; angio ?ct
MRA: (?:(?:ce|pc) ?)?mra; tof; angio\w*; mrv; venogr\w*; inhance\w*; time of flight; phase contrast; tricks;
    twist; pca
DIR: (?<![0-9] )dir(?! ?[0-9]); double inversion.*; double ir
PSIR: psir; phase sensitive.*
STIR: stir\w*; short tau.*
FLAIR: (?:ax|sag|cor|tra|[a-z])?flair[a-z0-9]*; (?:tirm )?dark ?fl(?:uid)?; da ?fl; t2 f(?: [0-9]+)?;
    fluid att\w*(?: inv\w*(?: rec\w*)?)?
tirm: tirm; t2 (?:w )?(?:tse )?ir
T2star: t2 star ?w?; t2 s(?:w)?; hemo\w*; haemo\w*; heme; medic; merge; susc;
    t2(?: w)? (?:gre|ffe|eg|fl[23]d|flash|ge|gradient\w*)(?: \w+)?; (?:gre|ge|eg|(?:echo )?de gradiente?s?) t2;
    t2 (?:\w+ )?(?:echo de gradient\w*|eg); gradient\w* echo t2
b value: b ?(?:val(?:ue)?s? ?)?[0-9]{1,4}(?: [0-9]{2,4})*; [0-9]{3,4} ?b
DWI: [a-z]?dwi\w*; dw; diff(?:us\w*)?; difus\w*; trace\w*; resolve; dti; dki; ivim; hbv; \w*bval\w*; tensor\w*; dsi;
    noddi
# The contrast agent: what negates it before what names it.
both: both
no contrast: uncontrasted; <not> <agent>; <agent> neg\w*; pre ?(?:contrast\w*|gad\w*|gd\w*|km|con|inj\w*|c); without$;
    nativ(?:e|o|a)?; plain; no ?contrast\w*; no ?gad\w*; un ?enhanced; non ?enhanced; non ?con\w*; nc; pre;
    basal; (?<=t1 )n; (?<=t1 w )n; s c$
contrast: (?<=t1 )c; (?<=t1 w )c; c c$; contrasted; <after> ?<agent>(?: dtpa)?;
    post(?:contrast\w*|gad\w*|gd\w*|km|con\w*|inj\w*|c); w(?:ce?|gd|gad|km|ks); \w*contrast\w*; \w*kontrast\w*;
    gad[oa]?\w*; gd(?:dtpa|w)?; km; (?<=t1 )ks; (?<=t1 w )ks; ce; cte; contr; enhanced; enh; mdc; pdc; civ;
    inj(?:ec\w*)?; iny(?:ec\w*)?; dotarem; magnevist; multihance; prohance; omniscan; clariscan; elucirem; vueway;
    primovist; eovist
post: post
perhaps contrast: perhapsagent; c; cc; cont; (?<=t1 )k; iv; con$; (?<!t[12] )w$; pc; p i; dyn\w*; early; late; delayed;
    stealth; (?:late )?(?:art\w*|(?:portal )?ven(?:ous)?|portal|pv|equilibrium|delayed|hepatobiliary)(?: phase)?; hbp;
    [0-9]+ ?(?:min|sec)\w*
# The weightings themselves, and other modalities.
T1: t1(?: w)?; \w*mprage\w*; mp rage; mp2 ?rage uni; uni ?t1; e?f?spgr\w*; bravo; vibe; lava; e?thrive; mdeft;
    tfl; uni den
T2: t2(?: w)?
PD: pd(?: ?w)?; proton\w*(?: dens\w*)?; dp; densite? de proton\w*; protonen\w*; rho
CT: (?:nc|ce|hr|ld)?ct(?: ?res| ?ac)?; ac ct; tdm; tac
PET: pet; suv\w*; \w*fdg; fet; psma; dota\w*; pt(?! ?[0-9])
"""


@dataclass(frozen=True)
class Word:
    """A pattern over plain words, and what it means; an empty meaning is nothing."""

    meaning: str
    pattern: re.Pattern[str]


def _words() -> Iterator[Word]:
    text = re.sub(r"^#.*$", "", _TEXT, flags=re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", text):
        meaning, _colon, patterns = entry.strip().partition(": ")
        for pattern in filter(None, (part.strip() for part in patterns.split(";"))):
            for name, part in _PARTS.items():
                pattern = pattern.replace(name, part)
            yield Word("" if meaning == "nothing" else meaning, re.compile(rf"\b(?:{pattern})\b"))


VOCABULARY: tuple[Word, ...] = tuple(_words())

# Words of a scan protocol: a name with one of them was not made up by the person who filed the image.
PLANES = re.compile(
    r"\b(?:o?ax|o?sag|o?cor|axial\w*|tra|trans\w*|sagit\w*|coron\w*|kor|koronar|obl|[23]d|fs|fat ?sat|tse|fse|se|iso)\b"
)
