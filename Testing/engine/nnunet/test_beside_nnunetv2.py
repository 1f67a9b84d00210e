"""Imported models beside nnU-Net v2 itself, through the product's own ``segment``: the same voxels get the same label.

With nnU-Net's arithmetic the labels are equal and probabilities differ by no more than the last digit of a float32.
With ours (float32) they differ where nnU-Net's half precision rounds; how much is bounded here and stated in
``docs/importing.md``.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.checkpoints import nnunet_v2
from convnextseg_engine.checkpoints.answers import ImportAnswers
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions
from convnextseg_engine.inference.segment import Segmentation, segment

from .made_results import CONFIGURATION, LABELS, REGIONS, dataset, image, plans, results
from .reference import predicted

LAST_DIGIT = 1.3e-7
EXACT = {"arithmetic": "nnunet-v2"}


def ours(folder: Path, images: list[Path], place: Path, **options: object) -> Segmentation:
    imported = nnunet_v2.read(folder, ImportAnswers(licence="unknown"))
    model = imported.write(place / f"model-{len(list(place.iterdir()))}", "imported")
    read = {name: read_image(file) for name, file in zip(imported.channels, images, strict=True)}
    study = Study(read, imported.channels[0])
    return segment(study, load(model, "cpu"), options=SegmentOptions(keep_probabilities=True, **options))


def assert_same(result: Segmentation, labels: np.ndarray, probabilities: np.ndarray) -> None:
    assert np.unique(labels).size > 2, "the test says nothing if nothing is there"
    assert np.array_equal(result.mask, labels)
    np.testing.assert_allclose(result.probabilities, probabilities, rtol=0, atol=LAST_DIGIT)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "case_0000.nii.gz", tmp_path / "case_0001.nii.gz"]
    for seed, file in enumerate(files):
        sitk.WriteImage(image(seed), file)
    return files


def changed_architecture(**changes: object) -> dict:
    plan = plans()
    plan["configurations"][CONFIGURATION]["architecture"]["arch_kwargs"] |= changes
    return plan


def residual_encoder() -> dict:
    plan = changed_architecture(n_blocks_per_stage=[1, 1, 2])
    architecture = plan["configurations"][CONFIGURATION]["architecture"]
    architecture["network_class_name"] = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
    del architecture["arch_kwargs"]["n_conv_per_stage"]
    return plan


def transposed() -> dict:
    plan = plans(spacing=[1.4, 1.6, 2.0])
    plan["transpose_forward"], plan["transpose_backward"] = [1, 2, 0], [2, 0, 1]
    return plan


def thick_slices() -> dict:
    """An anisotropic target: images are interpolated apart along the coarse axis."""
    return plans(spacing=[5.0, 1.2, 1.2], patch_size=[8, 16, 16])


def batch_norm_with_dropout() -> dict:
    return changed_architecture(
        norm_op="torch.nn.modules.batchnorm.BatchNorm3d", norm_op_kwargs={"eps": 1e-4, "affine": True},
        dropout_op="torch.nn.Dropout3d", dropout_op_kwargs={"p": 0.3}, nonlin="torch.nn.ReLU",
    )  # fmt: skip


def anisotropic_pooling() -> dict:
    return changed_architecture(strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]], kernel_sizes=[[1, 3, 3], [3] * 3, [3] * 3])


def other_intensities() -> dict:
    return plans(normalization_schemes=["RescaleTo01Normalization", "NoNormalization"], use_mask_for_norm=[False] * 2)


@pytest.mark.parametrize(
    ("plan", "mirror"),
    [
        (plans, False),
        (residual_encoder, True),
        (transposed, True),
        (thick_slices, False),
        (batch_norm_with_dropout, False),
        (anisotropic_pooling, False),
        (other_intensities, False),
    ],
)
def test_plans_of_every_kind_give_the_same_labels(plan, mirror: bool, images, tmp_path: Path) -> None:
    folder = results(tmp_path / "results", plan(), dataset())
    labels, probabilities = predicted(folder, images, tmp_path, mirror=mirror)
    assert_same(ours(folder, images, tmp_path, mirror=mirror, **EXACT), labels, probabilities[1:])


def test_a_reader_that_turns_images_first(images, tmp_path: Path) -> None:
    """Its images are turned to RAS, and the labels back."""
    plan = transposed() | {"image_reader_writer": "SimpleITKIOWithReorient"}
    folder = results(tmp_path / "results", plan, dataset())
    labels, _ = predicted(folder, images, tmp_path, mirror=False)
    assert np.array_equal(ours(folder, images, tmp_path, mirror=False, **EXACT).mask, labels)


def test_regions_write_their_labels_in_order(images, tmp_path: Path) -> None:
    folder = results(tmp_path / "results", plans(), dataset(REGIONS, [1, 2, 3]))
    labels, probabilities = predicted(folder, images, tmp_path, mirror=True)
    result = ours(folder, images, tmp_path, **EXACT)
    assert_same(result, labels, probabilities)
    assert [label.name for label in result.contract.labels] == ["edema", "core", "enhancing tumor"]


def test_several_folds_are_averaged(images, tmp_path: Path) -> None:
    folder = results(tmp_path / "results", plans(), dataset(), folds=2)
    labels, probabilities = predicted(folder, images, tmp_path, mirror=False, folds=(0, 1))
    one, _ = predicted(folder, images, tmp_path, mirror=False)
    assert not np.array_equal(one, labels), "a fold alone must differ, or this shows nothing"
    result = ours(folder, images, tmp_path, mirror=False, **EXACT)
    assert_same(result, labels, probabilities[1:])
    assert "2 networks" in result.plan


def test_a_network_of_slices(images, tmp_path: Path) -> None:
    plan = changed_architecture(
        conv_op="torch.nn.modules.conv.Conv2d", norm_op="torch.nn.modules.instancenorm.InstanceNorm2d",
        kernel_sizes=[[3, 3]] * 3, strides=[[1, 1], [2, 2], [2, 2]],
    )  # fmt: skip
    configuration = plan["configurations"].pop(CONFIGURATION)
    plan["configurations"]["2d"] = configuration | {"patch_size": [16, 16], "spacing": [1.5, 1.5]}
    folder = results(tmp_path / "results", plan, dataset(), mirror=(0, 1))
    labels, probabilities = predicted(folder, images, tmp_path, mirror=True)
    assert_same(ours(folder, images, tmp_path, **EXACT), labels, probabilities[1:])


def test_plans_of_the_first_versions(images, tmp_path: Path) -> None:
    """They describe the U-Net by its pooling; weights and result are those of the same network described anew."""
    plan = changed_architecture(features_per_stage=[4, 8, 8])
    folder = results(tmp_path / "results", plan, dataset())
    labels, probabilities = predicted(folder, images, tmp_path, mirror=False)
    early = copy.deepcopy(plan)
    del early["configurations"][CONFIGURATION]["architecture"]
    early["configurations"][CONFIGURATION] |= {
        "UNet_class_name": "PlainConvUNet", "UNet_base_num_features": 4, "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": [1, 1, 1], "n_conv_per_stage_decoder": [1, 1], "num_pool_per_axis": [2, 2, 2],
        "conv_kernel_sizes": [[3] * 3] * 3, "pool_op_kernel_sizes": [[1] * 3, [2] * 3, [2] * 3],
    }  # fmt: skip
    early["foreground_intensity_properties_by_modality"] = early.pop("foreground_intensity_properties_per_channel")
    (folder / "plans.json").write_text(json.dumps(early))
    assert_same(ours(folder, images, tmp_path, mirror=False, **EXACT), labels, probabilities[1:])


def test_interpolation_by_pytorch(images, tmp_path: Path) -> None:
    """nnU-Net's other resampling is linear too; its float32 differs from our float64 in the last digits."""
    torch_way = {"is_seg": False, "force_separate_z": False, "memefficient_seg_resampling": False}
    plan = plans(
        resampling_fn_data="resample_torch_fornnunet", resampling_fn_data_kwargs=torch_way,
        resampling_fn_probabilities="resample_torch_fornnunet", resampling_fn_probabilities_kwargs=torch_way,
        resampling_fn_seg="resample_torch_fornnunet", resampling_fn_seg_kwargs=torch_way | {"is_seg": True},
    )  # fmt: skip
    folder = results(tmp_path / "results", plan, dataset())
    labels, probabilities = predicted(folder, images, tmp_path, mirror=False)
    result = ours(folder, images, tmp_path, mirror=False, **EXACT)
    assert np.mean(result.mask != labels) < 1e-3
    np.testing.assert_allclose(result.probabilities, probabilities[1:], rtol=0, atol=4e-3)


def test_our_arithmetic_differs_only_where_half_precision_rounds(images, tmp_path: Path) -> None:
    folder = results(tmp_path / "results", plans(), dataset(LABELS))
    labels, probabilities = predicted(folder, images, tmp_path, mirror=False)
    result = ours(folder, images, tmp_path, mirror=False)
    assert "float32" in str(nnunet_v2.read(folder, ImportAnswers(licence="unknown")).inference)
    difference = np.abs(result.probabilities - probabilities[1:])
    assert np.median(difference) < 1e-3
    assert np.mean(result.mask != labels) < 5e-3


def test_slices_in_reverse_order_change_nothing(images, tmp_path: Path) -> None:
    """A left-handed file shows the same patient: the same voxels get the same labels, in that file's order."""
    folder = results(tmp_path / "results", plans(), dataset())
    usual = ours(folder, images, tmp_path, mirror=False)
    turned_files = []
    for file in images:
        reverse = sitk.Flip(read_image(file), [False, False, True])  # moves nothing: origin and direction turn too
        turned_files.append(file.with_name(f"reverse-{file.name}"))
        sitk.WriteImage(reverse, turned_files[-1])
    assert np.array_equal(ours(folder, turned_files, tmp_path, mirror=False).mask, usual.mask[::-1])
