"""MONAI bundles: what they say is taken, what they leave open is asked, and nothing of them is evaluated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.inferers.inferer import SlidingWindowInferer
from monai.networks import nets
from monai.transforms.intensity.array import NormalizeIntensity, ScaleIntensityRange

from convnextseg_engine.checkpoints import monai_bundle
from convnextseg_engine.checkpoints.answers import ImportAnswers, NeedsAnswer
from convnextseg_engine.checkpoints.imported import ImportedModel
from convnextseg_engine.checkpoints.monai_config import NotPlain
from convnextseg_engine.checkpoints.recognise import source, what_is
from convnextseg_engine.checkpoints.unsafe import UnsafeCheckpoint
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.networks.registry import build

SEGRESNET = {"_target_": "SegResNet", "spatial_dims": 3, "in_channels": "@channels", "out_channels": 3,
             "init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1], "dropout_prob": 0.2}  # fmt: skip
INFERENCE: dict[str, Any] = {
    "imports": ["$import os"],
    "device": "$torch.device('cuda:0')",
    "channels": 2,
    "window": [32, 32, 32],
    "network_def": SEGRESNET,
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": [1.0, 1.5, 2.0], "mode": "bilinear"},
            {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
            {"_target_": "EnsureTyped", "keys": "image", "device": "@device"},
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@window", "sw_batch_size": 1, "overlap": 0.25},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}],
    },
}
METADATA: dict[str, Any] = {
    "name": "A small BraTS bundle", "version": "0.1.0", "license": "Apache-2.0", "authors": "Somebody",
    "intended_use": "For tests.",
    "network_data_format": {
        "inputs": {"image": {"num_channels": 2, "channel_def": {"0": "T1c", "1": "FLAIR"}}},
        "outputs": {"pred": {"channel_def": {"0": "Tumor core", "1": "Whole tumor", "2": "Enhancing tumor"}}},
    },
}  # fmt: skip


def write_bundle(
    folder: Path, inference: dict | None = None, metadata: dict | None = None, network: torch.nn.Module | None = None
) -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs" / "inference.json").write_text(json.dumps(INFERENCE | (inference or {})))
    (folder / "configs" / "metadata.json").write_text(json.dumps(METADATA | (metadata or {})))
    torch.save((network or _segresnet()).state_dict(), folder / "models" / "model.pt")
    return folder


def _segresnet() -> torch.nn.Module:
    torch.manual_seed(5)
    return nets.SegResNet(3, 8, 2, 3, 0.2, blocks_down=(1, 1, 1), blocks_up=(1, 1)).eval()


def _read(path: Path, **answers: object) -> ImportedModel:
    return monai_bundle.read(path, ImportAnswers(**answers))


def test_what_the_bundle_says_is_taken(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    read = _read(bundle)
    assert read.channels == ("T1c", "FLAIR") and read.spacing == (1.0, 1.5, 2.0) and read.patch == (32, 32, 32)
    assert read.preparation == {"scheme": "anatomical", "axes": "RAS"} and read.intensity == "zscore-nonzero"
    assert read.inference == {"overlap": 0.25} and read.licence == "Apache-2.0"
    assert [region.name for region in read.contract.regions] == ["Whole tumor", "Tumor core", "Enhancing tumor"]
    assert read.contract.outputs == "nested"
    assert {label.name: label.value for label in read.contract.labels} == {"edema": 2, "core": 1, "enhancing": 4}
    model = read.write(tmp_path / "model", "bundle")
    assert {entry["file"] for entry in model.metadata.lineage["sources"]} == {
        "metadata.json", "inference.json", "model.pt",
    }  # fmt: skip
    assert (model.metadata.title, model.metadata.attribution) == ("A small BraTS bundle", "Somebody")


def test_the_network_gives_monais_outputs_in_the_order_of_the_contract(tmp_path: Path) -> None:
    read = _read(write_bundle(tmp_path / "bundle"))
    ours = build(read.network, 2, 3).eval()
    ours.load_state_dict(read.state_dicts[0])
    image = torch.randn(1, 2, 32, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), _segresnet()(image)[:, [1, 0, 2]], rtol=0, atol=1e-5)


NETWORKS = {
    "UNet": {"spatial_dims": 3, "channels": [4, 8], "strides": [2], "num_res_units": 1, "norm": "batch"},
    "BasicUNet": {"spatial_dims": 3, "features": [4, 4, 8, 8, 8, 4]},
    "AttentionUnet": {"spatial_dims": 3, "channels": [4, 8], "strides": [2]},
    "DynUNet": {
        "spatial_dims": 3, "kernel_size": [3, 3, 3], "strides": [1, 2, [2, 2, 1]],
        "upsample_kernel_size": [2, [2, 2, 1]], "filters": [4, 8, 8], "deep_supervision": True,
    },
    "SegResNetDS": {"spatial_dims": 3, "init_filters": 4, "blocks_down": [1, 1], "dsdepth": 2, "norm": "instance"},
    "VNet": {"spatial_dims": 3},
    "MedNeXt": {"spatial_dims": 3, "init_filters": 4, "kernel_size": 3, "use_residual_connection": False},
    "BasicUNetPlusPlus": {"spatial_dims": 3, "features": [4, 4, 8, 8, 8, 4], "deep_supervision": True},
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_allow_list_give_monais_outputs(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    theirs = getattr(nets, name)(in_channels=2, out_channels=3, **NETWORKS[name]).eval()
    described = {"_target_": f"monai.networks.nets.{name}", "in_channels": 2, "out_channels": 3, **NETWORKS[name]}
    bundle = write_bundle(tmp_path / "bundle", {"network_def": described}, network=theirs)
    read = _read(bundle)
    read.write(tmp_path / "model", "named")
    ours = build(read.network, 2, 3).eval()
    ours.load_state_dict(read.state_dicts[0])
    image = torch.randn(1, 2, 32, 32, 32)
    with torch.no_grad():
        expected = theirs(image)
        expected = expected[0] if isinstance(expected, list) else expected
        torch.testing.assert_close(ours(image), expected[:, [1, 0, 2]], rtol=1e-4, atol=1e-5)


def test_a_network_of_another_number_of_outputs_than_labels_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(2)
    theirs = nets.SegResNet(3, 8, 2, 3, blocks_down=(1, 1, 1), blocks_up=(1, 1), use_conv_final=False)
    bundle = write_bundle(
        tmp_path / "bundle", {"network_def": SEGRESNET | {"use_conv_final": False}}, network=theirs
    )  # fmt: skip
    # The order of the outputs is named as the contract has it, so that no weight has to be put into another place.
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    names = {"0": "Whole tumor", "1": "Tumor core", "2": "Enhancing tumor"}
    metadata["network_data_format"]["outputs"]["pred"]["channel_def"] = names
    (bundle / "configs" / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match="gives 8 outputs, and 3 belong") as refusal:
        _read(bundle).write(tmp_path / "model", "wide")
    assert refusal.value.code == "wrong-outputs"
    assert not (tmp_path / "model").exists()


def _study(seed: int = 0, shape: tuple[int, int, int] = (40, 36, 44)) -> Study:
    """Two channels with a zero border, on a grid that needs neither resampling nor cropping to look the same."""
    rng = np.random.default_rng(seed)
    grid = Grid(tuple(reversed(shape)), (1.0, 1.0, 1.0), (-10.0, 5.0, 7.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    channels = {}
    for name in ("T1c", "FLAIR"):
        array = np.zeros(shape, dtype=np.float32)
        inner = tuple(slice(3, extent - 3) for extent in shape)
        array[inner] = rng.gamma(3.0, 50.0, tuple(extent - 6 for extent in shape)) + 1
        channels[name] = grid.image(array)
    return Study(channels, "T1c")


@pytest.mark.parametrize(
    ("step", "theirs"),
    [
        (
            {"_target_": "NormalizeIntensityd", "nonzero": True, "channel_wise": True},
            NormalizeIntensity(nonzero=True, channel_wise=True),
        ),
        (
            {"_target_": "ScaleIntensityRanged", "a_min": 0, "a_max": 300, "b_min": 0.0, "b_max": 1.0, "clip": True},
            ScaleIntensityRange(0, 300, 0.0, 1.0, clip=True),
        ),
    ],
)
def test_segmenting_agrees_with_monais_own_inference(tmp_path: Path, step: dict, theirs: object) -> None:
    transforms = [
        {"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Spacingd", "pixdim": [1.0, 1.0, 1.0]}, step,
    ]  # fmt: skip
    # One window holds all of the image, because MONAI weights overlapping windows in another way.
    bundle = write_bundle(tmp_path / "bundle", {"preprocessing": {"transforms": transforms}, "window": [48, 48, 48]})
    model = _read(bundle).write(tmp_path / "model", "bundle")
    study = _study()
    result = segment(study, load(model, "cpu", "torch"), keep_probabilities=True)

    # As the bundle would: arrays in RAS order (x, y, z), which is our LPS images with axes and two directions turned.
    images = [sitk.GetArrayFromImage(study.channels[name]) for name in model.metadata.channels]
    ras = np.stack([array.transpose(2, 1, 0)[::-1, ::-1] for array in images])
    image = torch.as_tensor(np.asarray(theirs(ras.copy())), dtype=torch.float32)[None]
    with torch.no_grad():
        expected = torch.sigmoid(SlidingWindowInferer((48, 48, 48))(image, _segresnet()))[0].numpy()[[1, 0, 2]]
    ours = np.stack(list(result.probabilities))
    np.testing.assert_allclose(ours.transpose(0, 3, 2, 1)[:, ::-1, ::-1], expected, atol=1e-4)
    # It matters: in another orientation the network gives other probabilities.
    assert np.abs(ours.transpose(0, 3, 2, 1) - expected).max() > 0.05


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"network_def": SEGRESNET | {"out_channels": "$len([1, 2, 3])"}}, "out_channels"),
        ({"network_def": SEGRESNET | {"init_filters": "@device"}}, "device"),
        ({"network_def": SEGRESNET | {"init_filters": "@nowhere"}}, "nowhere"),
        ({"network_def": SEGRESNET | {"init_filters": "@network_def#init_filters"}}, "init_filters"),
        ({"network_def": SEGRESNET | {"init_filters": "@channels + 1"}}, "init_filters"),
        ({"network_def": SEGRESNET | {"act": {"_target_": "torch.nn.ReLU"}}}, "act"),
        ({"network_def": SEGRESNET | {"_mode_": "callable"}}, "_mode_"),
        ({"network_def": "$monai.networks.nets.SegResNet()"}, "network_def"),
    ],
)
def test_what_would_have_to_be_evaluated_is_refused_by_its_place(tmp_path: Path, change: dict, where: str) -> None:
    with pytest.raises(NotPlain, match=where):
        _read(write_bundle(tmp_path / "bundle", change))


@pytest.mark.parametrize(
    "target", ["os.system", "torch.nn.Conv3d", "monai.networks.nets.FlexibleUNet", "scripts.networks.UNet", "SwinUNETR"]
)
def test_networks_beside_the_allow_list_are_refused_by_name(tmp_path: Path, target: str) -> None:
    with pytest.raises(UnsafeCheckpoint, match=target):
        _read(write_bundle(tmp_path / "bundle", {"network_def": {"_target_": target}}))


def _without(*names: str) -> dict[str, Any]:
    kept = [t for t in INFERENCE["preprocessing"]["transforms"] if t["_target_"] not in names]
    return {"preprocessing": {"_target_": "Compose", "transforms": kept}}


def _with(step: dict[str, Any]) -> dict[str, Any]:
    return {"preprocessing": [*_without("NormalizeIntensityd")["preprocessing"]["transforms"], step]}


def _said(**changes: Any) -> dict[str, Any]:
    formats = METADATA["network_data_format"]
    return {
        "network_data_format": {
            "inputs": {"image": formats["inputs"]["image"] | changes.get("image", {})},
            "outputs": {"pred": formats["outputs"]["pred"] | changes.get("pred", {})},
        }
    }


@pytest.mark.parametrize(
    ("inference", "metadata", "option", "answer"),
    [
        ({}, _said(image={"channel_def": {"0": "image", "1": "image 2"}}), "--channels", {"channels": ("A", "B")}),
        ({}, _said(image={"channel_def": {"0": "T1c"}}), "--channels", {"channels": ("A", "B")}),
        ({}, {"license": None}, "--licence", {"licence": "unknown"}),
        (_without("Spacingd"), {}, "--spacing", {"spacing": (1.0, 1.0, 1.0)}),
        (_without("Orientationd"), {}, "--axes", {"axes": "RAS"}),
        (_without("NormalizeIntensityd"), {}, "--intensity", {"intensity": "none"}),
        (
            {"preprocessing": [{"_target_": "HistogramNormalized"}, *INFERENCE["preprocessing"]["transforms"]]},
            {}, "--intensity", {"intensity": "none"},
        ),
        (_with({"_target_": "NormalizeIntensityd", "subtrahend": "$@mean"}), {}, "--intensity", {"intensity": "none"}),
        (_with({"_target_": "NormalizeIntensityd", "nonzero": True}), {}, "--intensity", {"intensity": "none"}),
    ],
)  # fmt: skip
def test_what_the_bundle_leaves_open_is_asked(
    tmp_path: Path, inference: dict, metadata: dict, option: str, answer: dict
) -> None:
    bundle = write_bundle(tmp_path / "bundle", inference, metadata)
    with pytest.raises(NeedsAnswer) as asked:
        _read(bundle)
    assert [question.option.split()[0] for question in asked.value.questions] == [option]
    _read(bundle, **answer)


@pytest.mark.parametrize("names", [("0", "1", "2"), ("label 1", "label 2", "label 3"), ("a", "b", "c"), None])
def test_labels_without_names_or_order_are_asked(tmp_path: Path, names: tuple | None) -> None:
    listed = {"channel_def": {str(i): name for i, name in enumerate(names)} if names else None}
    bundle = write_bundle(tmp_path / "bundle", metadata=_said(pred=listed))
    with pytest.raises(NeedsAnswer, match="--labels"):
        _read(bundle)
    read = _read(bundle, labels=(("edema", 1), ("core", 2)))
    assert read.contract.outputs == "exclusive"


@pytest.mark.parametrize(("first", "second"), [("edema", "necrosis"), ("necrosis", "edema")])
def test_named_exclusive_outputs_are_taken_in_either_order(tmp_path: Path, first: str, second: str) -> None:
    named = {"channel_def": {"0": "background", "1": first, "2": second}}
    bundle = write_bundle(tmp_path / "bundle", {"postprocessing": []}, _said(pred=named))
    contract = _read(bundle).contract
    assert [(label.name, label.value) for label in contract.labels] == [(first, 1), (second, 2)]
    assert contract.label("edema").type.value == "79654002" and contract.label("necrosis").type.value == "6574001"
    assert contract.outputs == "exclusive"


def test_a_zipped_bundle_within_a_folder_is_read(tmp_path: Path) -> None:
    write_bundle(tmp_path / "zipped" / "brats_bundle")
    archive = Path(shutil.make_archive(str(tmp_path / "bundle"), "zip", tmp_path / "zipped"))
    with source(archive) as readable:
        kind = what_is(readable)
        assert kind.title == "a MONAI bundle"
        read = kind.read(readable, ImportAnswers())
    assert not readable.exists()
    read.write(tmp_path / "model", "bundle")


@pytest.mark.parametrize("lost", ["configs/inference.json", "models/model.pt", "configs/metadata.json"])
def test_an_incomplete_bundle_is_refused(tmp_path: Path, lost: str) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    (bundle / lost).unlink()
    with pytest.raises(InputError):
        what_is(bundle).read(bundle, ImportAnswers())


def test_weights_of_another_shape_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", {"network_def": SEGRESNET | {"init_filters": 16}})
    with pytest.raises(InputError, match="do not fit"):
        _read(bundle).write(tmp_path / "model", "bundle")
    assert not (tmp_path / "model").exists()


def test_answers_win_over_the_bundle(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    read = _read(bundle, channels=("A", "B"), spacing=(2.0, 2.0, 2.0), axes="SPL", intensity="range:0,100,-1,1")
    assert (read.channels, read.spacing) == (("A", "B"), (2.0, 2.0, 2.0))
    assert read.preparation["intensity"] == [{"scheme": "range", "from": [0, 100], "to": [-1, 1], "clip": True}]
    assert replace(read, notes=()).preparation.get("axes", "SPL") == "SPL"
