"""Images for a model's channels."""

from __future__ import annotations

import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.sequences.assign import Assignment, assign, kind_of_channel
from convnextseg_engine.images.sequences.description import Description

CHANNELS = ("T1", "T1c", "T2", "FLAIR")


def _assign(names: list[str], channels: tuple[str, ...] = CHANNELS, given: dict[str, str] | None = None) -> Assignment:
    return assign({name: Description(name) for name in names}, channels, given)


@pytest.mark.parametrize(
    "channels",
    [CHANNELS, ("t1n", "t1c", "t2w", "t2f"), ("T1", "T1GD", "T2", "FLAIR"), ("T1w", "T1ce", "T2w", "T2-FLAIR")],
)
def test_every_spelling_of_a_channel_finds_its_image(channels: tuple[str, ...]) -> None:
    files = ["x_flair.nii.gz", "x_seg.nii.gz", "x_t1.nii.gz", "x_t1ce.nii.gz", "x_t2.nii.gz"]
    found = _assign(files, channels)
    assert list(found.chosen.values()) == ["x_t1.nii.gz", "x_t1ce.nii.gz", "x_t2.nii.gz", "x_flair.nii.gz"]
    assert found.settled() == found.chosen
    assert not found.missing
    assert "says “t2”" in found.reasons[channels[2]]


def test_a_channel_without_an_image_is_missing_and_not_asked() -> None:
    found = _assign(["t1.nii", "t1c.nii"])
    assert found.missing == ("T2", "FLAIR")
    assert not found.questions


def test_two_images_for_one_channel_are_asked_about() -> None:
    found = _assign(["t1c_tra.nii", "t1c_sag.nii", "t2.nii"])
    assert "T1c" not in found.chosen
    (question,) = found.questions
    assert question.channel == "T1c"
    assert question.candidates == ("t1c_tra.nii", "t1c_sag.nii")
    with pytest.raises(InputError) as caught:
        found.settled()
    assert caught.value.code == "ambiguous-study"
    assert "“t1c_tra.nii”, “t1c_sag.nii”" in caught.value.reason
    assert "--image T1c=t1c_tra.nii" in caught.value.remedy


def test_two_t1_without_a_word_of_contrast_ask_for_both_channels() -> None:
    found = _assign(["t1_mprage_sag.nii", "t1_mprage_tra.nii"])
    assert [question.channel for question in found.questions] == ["T1", "T1c"]


def test_a_model_for_t1_with_contrast_asks_about_a_t1_that_does_not_say() -> None:
    assert [q.channel for q in _assign(["t1_mprage.nii"], ("T1c",)).questions] == ["T1c"]
    assert _assign(["t1_native.nii"], ("T1c",)).missing == ("T1c",)


def test_an_original_goes_before_its_reformats() -> None:
    def series(image_type: str) -> Description:
        return Description("t1_mprage_KM", fields={"Modality": "MR", "ImageType": image_type})

    original, reformat = series("ORIGINAL\\PRIMARY\\M"), series("DERIVED\\SECONDARY\\MPR")
    assert assign({"a": reformat, "b": original, "c": reformat}, ("T1c",)).chosen == {"T1c": "b"}
    assert assign({"a": reformat, "c": reformat}, ("T1c",)).questions
    assert assign({"a": original, "b": original}, ("T1c",)).questions


def test_what_is_not_recognised_is_asked_only_where_it_is_needed() -> None:
    assert not _assign(["t1.nii", "t1c.nii", "t2.nii", "flair.nii", "scan7.nii"]).questions
    (question,) = _assign(["t1.nii", "t1c.nii", "t2.nii", "scan7.nii"]).questions
    assert (question.channel, question.candidates) == ("FLAIR", ("scan7.nii",))


def test_what_the_user_chose_is_never_overruled() -> None:
    found = _assign(["flair.nii", "t1.nii", "t1c.nii", "t2.nii"], given={"T1": "flair.nii", "T2": ""})
    assert found.chosen == {"T1": "flair.nii", "T1c": "t1c.nii"}
    assert found.reasons["T1"] == "Chosen by you."
    assert found.missing == ("FLAIR",), "its only image serves the channel that the user wanted it for"


def test_a_model_with_one_unnamed_channel_takes_the_only_image() -> None:
    assert _assign(["whatever.nii", "whatever_mask.nii"], ("image",)).chosen == {"image": "whatever.nii"}
    assert _assign(["a.nii", "b.nii"], ("image",)).questions


def test_unnamed_channels_take_images_of_their_own_name_only() -> None:
    files = {name: Description(name) for name in ("Red", "green", "BLUE")}
    assert assign(files, ("Red", "Green", "Blue")).chosen == {"Red": "Red", "Green": "green", "Blue": "BLUE"}
    assert [q.channel for q in _assign(["case_0000.nii", "case_0001.nii"], ("a", "b")).questions] == ["a", "b"]


@pytest.mark.parametrize(
    ("channel", "kind"),
    [("T1Gd", "T1c"), ("t2f", "FLAIR"), ("T1w", "T1"), ("CT", "CT"), ("PT", "PET"), ("ADC", "ADC"), ("Red", "")],
)
def test_a_channels_name_says_its_kind(channel: str, kind: str) -> None:
    assert kind_of_channel(channel) == kind
