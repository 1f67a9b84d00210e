"""What a volume node says about its sequence: name, DICOM database, file."""

from __future__ import annotations

from convnextseg_engine.images.sequences.recognise import recognise
from scene_phantoms import add_volume


class Database:
    """The part of ctkDICOMDatabase that is used: headers by SOP instance UID and tag."""

    def __init__(self, values: dict[tuple[str, str], str], is_open: bool = True):
        self.isOpen = is_open
        self._values = values

    def instanceValue(self, uid: str, tag: str) -> str:
        return self._values.get((uid, tag), "")


HEADER = {("1.2.3", "0008,0060"): "MR", ("1.2.3", "0008,103e"): "t1_mprage ", ("1.2.3", "0018,0010"): "Gadovist"}


def test_the_header_of_the_series_it_was_loaded_from_counts(scene) -> None:
    from ConvNeXtSegLib.scene.image_description import describe_volume

    volume = add_volume(scene, name="baseline")
    volume.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    description = describe_volume(volume, Database(HEADER))
    assert description.fields == {"Modality": "MR", "SeriesDescription": "t1_mprage", "ContrastBolusAgent": "Gadovist"}
    assert recognise(description).kind == "T1c"
    assert describe_volume(volume, Database(HEADER, is_open=False)).fields == {}
    assert describe_volume(volume).fields == {}


def test_the_file_speaks_where_a_renamed_volume_is_silent(scene) -> None:
    from ConvNeXtSegLib.scene.image_description import describe_volume

    volume = add_volume(scene, name="before surgery")
    assert recognise(describe_volume(volume)).unsure
    volume.AddDefaultStorageNode()
    volume.GetStorageNode().SetFileName("/data/Doe/case_t2f.nii.gz")
    description = describe_volume(volume)
    assert recognise(description).kind == "FLAIR"
    assert "Doe" not in str(description)
