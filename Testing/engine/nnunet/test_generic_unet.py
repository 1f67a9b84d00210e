"""nnU-Net v1's U-Net: its weights give the same logits in the network that stands for it here.

The forward pass below is written from the network's description (Isensee et al. 2021, supplement), with its own names.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from convnextseg_engine.checkpoints import nnunet_v1
from convnextseg_engine.checkpoints.answers import ImportAnswers
from convnextseg_engine.checkpoints.generic_unet import generic_unet_network, plain_names
from convnextseg_engine.checkpoints.state_dicts import shapes
from convnextseg_engine.networks.registry import build

FEATURES, POOLING = (4, 6, 8), ((1, 2, 2), (2, 2, 2))
KERNELS = ((1, 3, 3), (3, 3, 3), (3, 3, 3))


def weights(outputs: int = 3) -> dict[str, torch.Tensor]:
    """Two convolutions a stage, as version 1 names them."""
    state: dict[str, torch.Tensor] = {}

    def convolution(name: str, inputs: int, features: int, kernel: tuple[int, ...]) -> None:
        state[f"{name}.conv.weight"] = torch.randn(features, inputs, *kernel) / 4
        for key in ("conv.bias", "instnorm.weight", "instnorm.bias"):
            state[f"{name}.{key}"] = torch.randn(features)

    for stage, (features, kernel) in enumerate(zip(FEATURES, KERNELS, strict=True)):
        before = FEATURES[stage - 1] if stage else 2
        halves = ("0.blocks.0", "1.blocks.0") if stage == 2 else ("blocks.0", "blocks.1")
        convolution(f"conv_blocks_context.{stage}.{halves[0]}", before, features, kernel)
        convolution(f"conv_blocks_context.{stage}.{halves[1]}", features, features, kernel)
    for up in range(2):
        stage = 1 - up
        convolution(f"conv_blocks_localization.{up}.0.blocks.0", 2 * FEATURES[stage], FEATURES[stage], KERNELS[stage])
        convolution(f"conv_blocks_localization.{up}.1.blocks.0", FEATURES[stage], FEATURES[stage], KERNELS[stage])
        state[f"tu.{up}.weight"] = torch.randn(FEATURES[stage + 1], FEATURES[stage], *POOLING[stage]) / 2
        state[f"seg_outputs.{up}.weight"] = torch.randn(outputs, FEATURES[stage], 1, 1, 1)
    return state


def version_1(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    def block(name: str, x: torch.Tensor, stride: tuple[int, ...] = (1, 1, 1)) -> torch.Tensor:
        kernel = state[f"{name}.conv.weight"]
        padding = [extent // 2 for extent in kernel.shape[2:]]
        x = functional.conv3d(x, kernel, state[f"{name}.conv.bias"], stride, padding)
        x = functional.instance_norm(x, weight=state[f"{name}.instnorm.weight"], bias=state[f"{name}.instnorm.bias"])
        return functional.leaky_relu(x, 0.01)

    skips = []
    for stage in range(2):
        x = block(f"conv_blocks_context.{stage}.blocks.0", x, POOLING[stage - 1] if stage else (1, 1, 1))
        x = block(f"conv_blocks_context.{stage}.blocks.1", x)
        skips.append(x)
    x = block("conv_blocks_context.2.0.blocks.0", x, POOLING[1])
    x = block("conv_blocks_context.2.1.blocks.0", x)
    for up in range(2):
        x = functional.conv_transpose3d(x, state[f"tu.{up}.weight"], stride=POOLING[1 - up])
        x = torch.cat((x, skips[1 - up]), dim=1)
        x = block(f"conv_blocks_localization.{up}.1.blocks.0", block(f"conv_blocks_localization.{up}.0.blocks.0", x))
    return functional.conv3d(x, state["seg_outputs.1.weight"])


def test_logits_are_equal() -> None:
    torch.manual_seed(3)
    state = weights()
    description = generic_unet_network(shapes(state))
    assert description["features"] == [4, 6, 8]
    assert description["strides"] == [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
    assert description["blocks"] == [2, 2, 2]
    network = build(description, 2, 3).eval()
    network.load_state_dict(plain_names(state))
    x = torch.randn(1, 2, 8, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(x), version_1(state, x), rtol=1e-5, atol=1e-5)


def test_weights_of_another_network_are_not_taken_for_it() -> None:
    assert generic_unet_network({"conv.weight": (3, 1, 3, 3, 3)}) is None
    extra = shapes(weights()) | {"attention.weight": (3,)}
    assert generic_unet_network(extra) is None


def test_a_results_folder_becomes_a_model(tmp_path: Path) -> None:
    plan = {
        "modalities": {0: "T1", 1: "T2"}, "normalization_schemes": {0: "nonCT", 1: "nonCT"},
        "use_mask_for_norm": {0: True, 1: True}, "all_classes": [1, 2], "preprocessor_name": "GenericPreprocessor",
        "plans_per_stage": {0: {"patch_size": [8, 16, 16], "current_spacing": [2.0, 1.0, 1.0]}},
    }  # fmt: skip
    fold = tmp_path / "nnUNetTrainerV2__nnUNetPlansv2.1" / "fold_0"
    fold.mkdir(parents=True)
    torch.save({"state_dict": weights()}, fold / "model_final_checkpoint.model")
    description = {"init": (None,) * 6, "name": "nnUNetTrainerV2", "class": "nnUNetTrainerV2", "plans": plan}
    (fold / "model_final_checkpoint.model.pkl").write_bytes(pickle.dumps(description))
    answers = ImportAnswers(licence="unknown", labels=(("edema", 1), ("core", 2)))
    model = nnunet_v1.read(fold.parent, answers).write(tmp_path / "model", "generic-unet")
    assert model.metadata.network["architecture"] == "PlainConvUNet"


@pytest.mark.parametrize("normed", ["running_mean", "running_var"])
def test_batch_norm_is_seen_in_the_tensors(normed: str) -> None:
    found = shapes(weights()) | {f"conv_blocks_context.0.blocks.0.instnorm.{normed}": (4,)}
    expected = "batch" if normed == "running_mean" else "instance"
    assert generic_unet_network(found)["norm"] == expected
