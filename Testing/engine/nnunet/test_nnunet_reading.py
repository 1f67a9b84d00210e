"""What is read from nnU-Net's files, what is asked, and what is refused in words."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from convnextseg_engine.checkpoints import nnunet_v1, nnunet_v2
from convnextseg_engine.checkpoints.answers import ImportAnswers, NeedsAnswer
from convnextseg_engine.checkpoints.recognise import what_is
from convnextseg_engine.errors import InputError
from convnextseg_engine.labels.contract import EXCLUSIVE, ORDERED
from convnextseg_engine.networks.registry import build

from .made_results import CONFIGURATION, dataset, plans, results

UNKNOWN_LICENCE = ImportAnswers(licence="unknown")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return results(tmp_path / "Dataset501_Made" / f"nnUNetTrainer__nnUNetPlans__{CONFIGURATION}", plans(), dataset())


def rewrite(folder: Path, name: str, **changes: Any) -> Path:
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def reconfigure(folder: Path, **changes: Any) -> Path:
    file = folder / "plans.json"
    plan = json.loads(file.read_text())
    plan["configurations"][CONFIGURATION] |= changes
    file.write_text(json.dumps(plan))
    return folder


def rearchitect(folder: Path, **changes: Any) -> Path:
    plan = json.loads((folder / "plans.json").read_text())
    architecture = plan["configurations"][CONFIGURATION]["architecture"]
    architecture["arch_kwargs"] |= changes
    return reconfigure(folder, architecture=architecture)


def test_everything_that_the_source_says_is_taken(folder: Path) -> None:
    for path in (folder, folder.parent, folder.parent.parent):
        assert what_is(path).title == "an nnU-Net v2 results folder"
    imported = nnunet_v2.read(folder.parent.parent, UNKNOWN_LICENCE)
    assert imported.channels == ("T1", "CT")
    assert imported.patch == (16, 16, 16)
    assert imported.spacing == (1.5, 1.5, 1.5)
    assert imported.contract.outputs == EXCLUSIVE
    assert [(label.name, label.value) for label in imported.contract.labels] == [("edema", 1), ("core", 2)]
    assert imported.contract.label("edema").type.value == "79654002"
    assert imported.inference == {"overlap": 0.5, "mirror_axes": [0, 1, 2], "arithmetic": "float32"}
    assert imported.preparation["intensities"][1] == {
        "scheme": "ct", "masked": False, "low": 10.0, "high": 240.0, "mean": 120.0, "deviation": 40.0,
    }  # fmt: skip
    assert imported.lineage["trainer"] == "nnUNetTrainer"
    assert "Dataset501_Made" in imported.title


def test_the_licence_is_asked_for(folder: Path) -> None:
    with pytest.raises(NeedsAnswer, match="--licence"):
        nnunet_v2.read(folder, ImportAnswers())
    rewrite(folder, "dataset.json", licence="CC-BY-4.0")
    assert nnunet_v2.read(folder, ImportAnswers()).licence == "CC-BY-4.0"


def test_spacing_is_told_along_the_patients_axes(folder: Path) -> None:
    reconfigure(folder, spacing=[1.0, 2.0, 3.0])
    rewrite(folder, "plans.json", transpose_forward=[2, 0, 1], transpose_backward=[1, 2, 0])
    # The network's axes are the array's W, D, H: 1 mm along W (L), 2 mm along D (S), 3 mm along H (P).
    assert nnunet_v2.read(folder, UNKNOWN_LICENCE).spacing == (1.0, 3.0, 2.0)


@pytest.mark.parametrize("names", [{"0": "zscore", "1": "zscore"}, {"0": "T1", "1": "T1"}, {"0": "noNorm", "1": "T2"}])
def test_channels_that_say_nothing_are_asked_for(folder: Path, names: dict[str, str]) -> None:
    rewrite(folder, "dataset.json", channel_names=names)
    with pytest.raises(NeedsAnswer, match="--channels NAME1,NAME2"):
        nnunet_v2.read(folder, UNKNOWN_LICENCE)
    told = ImportAnswers(licence="unknown", channels=("T1", "T2"))
    assert nnunet_v2.read(folder, told).channels == ("T1", "T2")
    with pytest.raises(InputError, match="has 2 channels, not 1"):
        nnunet_v2.read(folder, ImportAnswers(licence="unknown", channels=("T1",)))


def test_names_of_labels_can_be_overruled_but_not_their_number(folder: Path) -> None:
    told = nnunet_v2.read(folder, ImportAnswers(licence="unknown", labels=(("necrosis", 2),)))
    assert [label.name for label in told.contract.labels] == ["edema", "necrosis"]
    with pytest.raises(InputError, match="no label has the value 7"):
        nnunet_v2.read(folder, ImportAnswers(licence="unknown", labels=(("necrosis", 7),)))


@pytest.mark.parametrize(
    ("edema", "regions"),
    [
        (1, {"whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}),
        (2, {"whole tumor": [1, 2, 3], "tumor core": [1, 3], "enhancing tumor": [3]}),
        (1, {"WT": [1, 2, 3], "TC": [2, 3], "ET": 3}),
    ],
)
def test_regions_name_their_labels_whichever_integer_is_edema(tmp_path: Path, edema: int, regions: dict) -> None:
    """The two orders that BraTS packages have; both follow from what the regions unite, not from the integers."""
    order = [edema, 3 - edema, 3]
    folder = results(tmp_path / "results", plans(), dataset({"background": 0} | regions, order))
    contract = nnunet_v2.read(folder, UNKNOWN_LICENCE).contract
    assert contract.outputs == ORDERED
    assert contract.label("edema").value == edema
    assert contract.label("core").value == 3 - edema
    whole, core, _ = contract.regions
    assert (whole.writes, core.writes) == ("edema", "core")
    assert set(core.labels) == set(whole.labels) - {"edema"}


def test_regions_that_do_not_name_their_labels_are_asked_about(tmp_path: Path) -> None:
    labels = {"background": 0, "organ": [1, 2], "lesion": 2}
    folder = results(tmp_path / "results", plans(), dataset(labels, [1, 2]))
    with pytest.raises(NeedsAnswer, match="--labels NAME=1"):
        nnunet_v2.read(folder, UNKNOWN_LICENCE)
    told = nnunet_v2.read(folder, ImportAnswers(licence="unknown", labels=(("parenchyma", 1),))).contract
    assert [(label.name, label.value) for label in told.labels] == [("parenchyma", 1), ("lesion", 2)]
    assert [(region.name, region.writes) for region in told.regions] == [("organ", "parenchyma"), ("lesion", "lesion")]


def test_an_ignore_label_is_no_label(tmp_path: Path) -> None:
    folder = results(tmp_path / "results", plans(), dataset({"background": 0, "edema": 1, "ignore": 2}))
    assert [label.name for label in nnunet_v2.read(folder, UNKNOWN_LICENCE).contract.labels] == ["edema"]


def test_folds_are_all_taken_or_those_that_are_named(tmp_path: Path) -> None:
    folder = results(tmp_path / "results", plans(), dataset(), folds=3)
    assert len(nnunet_v2.read(folder, UNKNOWN_LICENCE).state_dicts) == 3
    chosen = nnunet_v2.read(folder, ImportAnswers(licence="unknown", folds=("2",)))
    assert len(chosen.state_dicts) == 1
    assert [source["file"] for source in chosen.lineage["sources"]] == [
        "plans.json",
        "dataset.json",
        "checkpoint_final.pth",
    ]
    with pytest.raises(InputError, match="fold 4 is not there"):
        nnunet_v2.read(folder, ImportAnswers(licence="unknown", folds=("4",)))


def test_a_fold_over_all_cases_counts_only_alone(tmp_path: Path) -> None:
    folder = results(tmp_path / "results", plans(), dataset(), folds=2)
    (folder / "fold_1").rename(folder / "fold_all")
    assert len(nnunet_v2.read(folder, UNKNOWN_LICENCE).state_dicts) == 1
    (folder / "fold_0" / "checkpoint_final.pth").unlink()
    assert nnunet_v2.read(folder, UNKNOWN_LICENCE).notes[0] == "Fold: all."


def test_an_unfinished_fold_is_said(folder: Path) -> None:
    fold = folder / "fold_0"
    (fold / "checkpoint_final.pth").rename(fold / "checkpoint_best.pth")
    assert "checkpoint_best.pth was taken" in " ".join(nnunet_v2.read(folder, UNKNOWN_LICENCE).notes)
    (fold / "checkpoint_best.pth").unlink()
    with pytest.raises(InputError, match="no trained fold"):
        nnunet_v2.read(folder, UNKNOWN_LICENCE)


def test_several_configurations_are_asked_about(folder: Path) -> None:
    other = folder.with_name("nnUNetTrainer__nnUNetPlans__3d_lowres")
    folder_plan = plans(patch_size=[8, 16, 16])
    folder_plan["configurations"]["3d_lowres"] = folder_plan["configurations"].pop(CONFIGURATION)
    results(other, folder_plan, dataset())
    with pytest.raises(NeedsAnswer, match=r"3d_fullres\|3d_lowres"):
        nnunet_v2.read(folder.parent, UNKNOWN_LICENCE)
    chosen = nnunet_v2.read(folder.parent, ImportAnswers(licence="unknown", configuration="3d_lowres"))
    assert chosen.patch == (8, 16, 16)
    with pytest.raises(InputError, match="no configuration “2d”"):
        nnunet_v2.read(folder.parent, ImportAnswers(licence="unknown", configuration="2d"))


def test_a_configuration_inherits_from_another(folder: Path) -> None:
    plan = json.loads((folder / "plans.json").read_text())
    plan["configurations"]["base"] = plan["configurations"][CONFIGURATION]
    plan["configurations"][CONFIGURATION] = {"inherits_from": "base", "patch_size": [8, 8, 8]}
    (folder / "plans.json").write_text(json.dumps(plan))
    assert nnunet_v2.read(folder, UNKNOWN_LICENCE).patch == (8, 8, 8)
    plan["configurations"]["base"]["inherits_from"] = CONFIGURATION
    (folder / "plans.json").write_text(json.dumps(plan))
    with pytest.raises(InputError, match="inherits itself"):
        nnunet_v2.read(folder, UNKNOWN_LICENCE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"previous_stage": "3d_lowres"}, "second stage of a cascade"),
        ({"preprocessor_name": "MyPreprocessor"}, "MyPreprocessor"),
        ({"normalization_schemes": ["os.system", "ZScoreNormalization"]}, "os.system"),
        ({"resampling_fn_data": "my_resampling"}, "my_resampling"),
        ({"architecture": {"network_class_name": "my.Net", "arch_kwargs": {}}}, "my.Net"),
        ({"spacing": ["near"]}, "cannot be read"),
        ({"patch_size": None}, "cannot be read"),
    ],
)
def test_a_plan_that_asks_for_something_else_is_refused_by_name(folder: Path, change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        nnunet_v2.read(reconfigure(folder, **change), UNKNOWN_LICENCE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"norm_op": "os.system"}, "“system” is asked for"),
        ({"nonlin": "builtins.eval"}, "“eval” is asked for"),
        ({"nonlin_first": True}, "another order of layers"),
        ({"features_per_stage": [10**9] * 3}, "cannot be built"),
        ({"strides": [[1, 1, 1]]}, "for each of the 3 stages"),
    ],
)
def test_an_architecture_names_nothing_to_import(folder: Path, change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        nnunet_v2.read(rearchitect(folder, **change), UNKNOWN_LICENCE)


def test_a_mednext_that_a_trainer_built_instead_is_known_by_its_tensors(folder: Path, tmp_path: Path) -> None:
    network = build({"name": "mednext", "size": "S", "kernel": 5, "width": 4}, 2, 3, deep_supervision=True)
    file = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = torch.load(file, weights_only=False) | {"network_weights": network.state_dict()}
    torch.save(checkpoint, file)
    imported = nnunet_v2.read(reconfigure(folder, patch_size=[32, 32, 32]), UNKNOWN_LICENCE)
    assert imported.network == {"name": "mednext", "size": "S", "kernel": 5, "width": 4, "dim": 3}
    imported.write(tmp_path / "model", "mednext-in-nnunet")


def test_weights_of_another_shape_are_refused_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    imported = nnunet_v2.read(rearchitect(folder, features_per_stage=[4, 6, 10]), UNKNOWN_LICENCE)
    with pytest.raises(InputError, match="do not fit the network"):
        imported.write(tmp_path / "model", "wrong")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["plans.json", "dataset.json"])
@pytest.mark.parametrize("content", ["{", "[]", '{"labels": 3}', "\x00"])
def test_damaged_descriptions_are_named(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(InputError):
        nnunet_v2.read(folder, UNKNOWN_LICENCE)


def test_one_weight_under_two_names_must_be_one(folder: Path) -> None:
    file = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = torch.load(file, weights_only=False)
    key = next(key for key in checkpoint["network_weights"] if "all_modules" in key)
    checkpoint["network_weights"][key] = checkpoint["network_weights"][key].clone() + 1
    torch.save(checkpoint, file)
    with pytest.raises(InputError, match="hold different numbers"):
        nnunet_v2.read(folder, UNKNOWN_LICENCE)


def v1_results(folder: Path, *, trainer: str = "nnUNetTrainerV2_MedNeXt_L_kernel5", **changes: Any) -> Path:
    """A results folder of version 1; the class name claims a size that the weights do not have."""
    plan = {
        "modalities": {0: "T1", 1: "T2"},
        "normalization_schemes": {0: "nonCT", 1: "CT"},
        "use_mask_for_norm": {0: True, 1: False},
        "all_classes": [1, 2],
        "transpose_forward": [0, 1, 2],
        "preprocessor_name": "GenericPreprocessor",
        "dataset_properties": {
            "intensityproperties": {1: {"mean": 1.0, "sd": 2.0, "percentile_00_5": 0.0, "percentile_99_5": 9.0}}
        },
        "plans_per_stage": {0: {"patch_size": [32, 32, 32], "current_spacing": [2.0, 1.0, 1.5]}},
    } | changes
    network = build({"name": "mednext", "size": "S", "kernel": 3, "width": 4}, 2, 3, deep_supervision=True)
    for fold in (0, 1):
        place = folder / f"fold_{fold}"
        place.mkdir(parents=True)
        torch.save({"state_dict": network.state_dict()}, place / "model_final_checkpoint.model")
        description = {"init": (None, fold, None, None, True, 0), "name": trainer, "class": trainer, "plans": plan}
        (place / "model_final_checkpoint.model.pkl").write_bytes(pickle.dumps(description))
    return folder


LABELS = (("edema", 2), ("core", 1))


def test_version_1_is_read_with_its_network_from_the_tensors(tmp_path: Path) -> None:
    folder = v1_results(tmp_path / "3d_fullres" / "Task501" / "trainer__plans")
    assert what_is(tmp_path).title.startswith("an nnU-Net v1")
    imported = nnunet_v1.read(tmp_path, ImportAnswers(licence="unknown", labels=LABELS))
    assert imported.network == {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 3}
    assert len(imported.state_dicts) == 2
    assert imported.spacing == (1.5, 1.0, 2.0)
    assert imported.inference["arithmetic"] == "nnunet-v1"
    assert imported.preparation["intensities"][1]["deviation"] == 2.0
    assert imported.write(tmp_path / "model", "version-one").metadata.members[1] == "member-2.safetensors"
    one = nnunet_v1.read(
        folder / "fold_1" / "model_final_checkpoint.model", ImportAnswers(licence="mine", labels=LABELS)
    )
    assert len(one.state_dicts) == 1


@pytest.mark.parametrize("labels", [(("edema", 1), ("core", 2)), (("edema", 2), ("core", 1))])
def test_version_1_holds_integers_only_so_both_orders_are_possible(tmp_path: Path, labels) -> None:
    folder = v1_results(tmp_path / "results")
    with pytest.raises(NeedsAnswer, match=r"which one is edema.*--labels NAME=1,NAME=2"):
        nnunet_v1.read(folder, UNKNOWN_LICENCE)
    contract = nnunet_v1.read(folder, ImportAnswers(licence="unknown", labels=labels)).contract
    assert {(label.name, label.value) for label in contract.labels} == set(labels)
    assert [label.value for label in contract.labels] == [1, 2], "outputs are in the order of the integers"


@pytest.mark.parametrize(
    ("trainer", "changes", "words"),
    [
        ("nnUNetTrainerV2CascadeFullRes", {}, "second stage of a cascade"),
        ("nnUNetTrainerV2BraTSRegions_DA4_BN", {}, "regions that its files do not name"),
        ("MedNeXt", {"preprocessor_name": "MyPreprocessor"}, "MyPreprocessor"),
        ("MedNeXt", {"normalization_schemes": {0: "nonCT", 1: "histogram"}}, "histogram"),
        ("MedNeXt", {"all_classes": [1, 4]}, r"values \[1, 4\]"),
        ("MedNeXt", {"plans_per_stage": {}}, "cannot be read"),
    ],
)
def test_version_1_refuses_what_it_does_not_know(tmp_path: Path, trainer: str, changes: dict, words: str) -> None:
    folder = v1_results(tmp_path / "results", trainer=trainer, **changes)
    with pytest.raises(InputError, match=words):
        nnunet_v1.read(folder, ImportAnswers(licence="unknown", labels=LABELS))


def test_a_network_of_version_1_that_is_not_known_is_refused(tmp_path: Path) -> None:
    folder = v1_results(tmp_path / "results")
    torch.save({"state_dict": {"conv.weight": torch.ones(3)}}, folder / "fold_0" / "model_final_checkpoint.model")
    with pytest.raises(InputError, match="neither a MedNeXt nor"):
        nnunet_v1.read(folder, ImportAnswers(licence="unknown", labels=LABELS))
