"""What decides, in which order, and what is said about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnextseg_engine.images.sequences.description import Description
from convnextseg_engine.images.sequences.plain_words import plain_words
from convnextseg_engine.images.sequences.recognise import recognise


def _series(name: str, **fields: str) -> Description:
    return Description(name, fields={"Modality": "MR", "SeriesDescription": name} | fields)


def test_the_reason_names_the_words_that_decided() -> None:
    assert recognise(Description("AX T1 POST.nii.gz")).reason == (
        "“AX T1 POST.nii.gz” says “t1”, and “post”: with contrast agent."
    )
    agent = recognise(_series("Ax T1", ContrastBolusAgent="GADAVIST"))
    assert agent.kind == "T1c"
    assert "the DICOM header names the contrast agent “GADAVIST”" in agent.reason
    assert recognise(Description("t1_mip.nrrd")).reason.startswith("No channel: it is computed from other images")


@pytest.mark.parametrize("agent", ["", "NONE", "no", "N/A", "Without"])
def test_a_field_that_says_there_was_no_agent_is_no_agent(agent: str) -> None:
    assert recognise(_series("Ax T1", ContrastBolusAgent=agent)).kind == "T1"


@pytest.mark.parametrize(
    ("name", "fields", "options"),
    [
        ("Ax T1 PRE", {"ContrastBolusAgent": "Dotarem"}, {"T1", "T1c"}),
        ("Ax T2", {"EchoTime": "12", "RepetitionTime": "500", "ScanningSequence": "SE"}, {"T1", "T1c", "T2"}),
        ("Ax T1", {"EchoTime": "110", "RepetitionTime": "9000", "InversionTime": "2500"}, {"T1", "T1c", "FLAIR"}),
        ("FLAIR", {"InversionTime": "160", "EchoTime": "60"}, {"FLAIR", "T1", "T1c", "T2", "PD"}),
        ("T2 cor", {"ScanningSequence": "GR", "EchoTime": "4", "RepetitionTime": "8"}, {"T2", "T2star", "bSSFP"}),
        ("t1 t2", {}, {"T1", "T1c", "T2"}),
    ],
)
def test_what_contradicts_itself_is_asked(name: str, fields: dict[str, str], options: set[str]) -> None:
    said = recognise(_series(name, **fields))
    assert said.unsure
    assert set(said.options) == options


def test_times_decide_where_words_leave_two_possibilities() -> None:
    times = {"EchoTime": "90", "RepetitionTime": "9000", "InversionTime": "2500", "ScanningSequence": "SE\\IR"}
    assert recognise(_series("t2_tirm_tra", **times)).kind == "FLAIR"
    assert recognise(_series("t2_tirm_tra", **times | {"InversionTime": "150"})).kind == "STIR"
    assert recognise(_series("t2_tirm_tra")).unsure


def test_the_examinations_name_does_not_speak_of_the_single_series() -> None:
    assert recognise(_series("Ax T1", ProtocolName="BRAIN WITH CONTRAST")).kind == "T1"
    assert recognise(_series("Ax T1", ProtocolName="t1_mprage_KM")).kind == "T1c"
    assert recognise(_series("Ax 3D", ProtocolName="FLAIR_SPACE")).kind == "FLAIR"


def test_the_folder_speaks_where_the_file_is_silent() -> None:
    assert recognise(Description("IM-0001.nii.gz", folder="AX_T1_POST")).kind == "T1c"
    assert recognise(Description("t2.nii.gz", folder="t1")).kind == "T2"


def test_the_modality_goes_before_words() -> None:
    assert recognise(Description("PET AC", fields={"Modality": "CT"})).kind == "CT"
    assert recognise(Description("whatever", fields={"Modality": "PT"})).kind == "PET"
    assert recognise(Description("T1", fields={"Modality": "SEG"})).no_channel
    assert recognise(_series("t1 seg")).unsure, "an MR series can be “segmented” as a technique"
    assert recognise(Description("t1 seg")).no_channel


def test_a_name_in_the_scene_that_contradicts_the_header_is_asked() -> None:
    assert recognise(Description("T2", fields={"Modality": "MR", "SeriesDescription": "Ax FLAIR"})).unsure
    assert recognise(Description("T2", fields={"Modality": "MR", "SeriesDescription": "Ax T1"})).unsure
    assert recognise(Description("T1c", fields={"Modality": "MR", "SeriesDescription": "t1_mprage"})).kind == "T1c"


def test_a_reformat_is_known_as_one() -> None:
    assert recognise(_series("t1_mprage MPR", ImageType="DERIVED\\SECONDARY\\MPR")).reformatted
    assert not recognise(_series("t1_mpr_sag", ImageType="ORIGINAL\\PRIMARY\\M")).reformatted


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("BraTS2021_00006_t1ce.nii.gz", "bra ts2021 00006 t1 ce"),
        ("AX T1 +C", "ax t1 contrasted"),
        ("T1 w/o contrast", "t1 without contrast"),
        ("AX T1 après injection", "ax t1 apres injection"),
        ("sub-01_space-T1w_FLAIR.nii.gz", "flair"),
        ("T2*W_FFE", "t2 star w ffe"),
    ],
)
def test_names_become_plain_words(name: str, plain: str) -> None:
    assert plain_words(name) == plain


@given(st.text(max_size=60))
def test_any_text_is_read_without_failing(name: str) -> None:
    said = recognise(Description(name))
    assert said.kind or said.no_channel or said.unsure
    assert said.reason
