"""The losses: what the truth costs, how resolutions weigh, and background where outputs exclude each other."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from convnextseg_engine.training.losses import exclusive_loss, loss_for, region_loss


def truth() -> torch.Tensor:
    """Two labels that do not touch, in one sample of 16³."""
    regions = torch.zeros(1, 2, 16, 16, 16)
    regions[:, 0, :8, 4:12, 4:12] = 1
    regions[:, 1, 8:, 4:12, 4:12] = 1
    return regions


def test_the_contract_chooses_the_loss() -> None:
    assert loss_for("exclusive") is exclusive_loss
    assert loss_for("nested") is loss_for("ordered") is region_loss


def test_exclusive_outputs_have_background_in_front() -> None:
    regions = truth()
    classes = torch.cat([1 - regions.sum(1, keepdim=True), regions], dim=1)
    right = 40 * (classes - 0.5)
    assert exclusive_loss(right, regions) < 0.01
    assert exclusive_loss(right[:, [1, 2, 0]], regions) > 1
    assert exclusive_loss(40 * (torch.eye(3)[0].view(1, 3, 1, 1, 1).expand_as(right) - 0.5), regions) > 1


def test_it_is_cross_entropy_plus_dice_of_all_classes() -> None:
    torch.manual_seed(0)
    regions, logits = truth(), torch.randn(1, 3, 16, 16, 16)
    classes = torch.cat([1 - regions.sum(1, keepdim=True), regions], dim=1)
    probabilities = logits.softmax(1)
    overlap = (probabilities * classes).sum((0, 2, 3, 4))
    dice = 1 - (2 * overlap + 1) / ((probabilities + classes).sum((0, 2, 3, 4)) + 1)
    expected = dice.mean() + F.nll_loss(logits.log_softmax(1), classes.argmax(1))
    torch.testing.assert_close(exclusive_loss(logits, regions), expected)


@pytest.mark.parametrize("loss", [region_loss, exclusive_loss])
def test_coarser_outputs_of_slices_stay_one_slice_thick(loss) -> None:
    regions = truth()[:, :, :1]
    outputs = 3 if loss is exclusive_loss else 2
    levels = [torch.zeros(1, outputs, 1, 16 >> i, 16 >> i, requires_grad=True) for i in range(3)]
    loss(levels, regions).backward()
    gradients = [float(level.grad.abs().sum()) for level in levels]
    assert all(gradient > 0 for gradient in gradients)


def test_levels_weigh_half_of_the_one_before() -> None:
    regions = torch.ones(1, 1, 16, 16, 16)
    right, wrong = torch.full_like(regions, 30.0), torch.full_like(regions, -1.0)
    coarse = torch.full((1, 1, 8, 8, 8), 30.0)
    single = region_loss(wrong, regions)
    torch.testing.assert_close(region_loss([wrong, coarse], regions), single * 2 / 3, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(
        region_loss([right, torch.full_like(coarse, -1.0)], regions), single / 3, atol=1e-3, rtol=1e-3
    )
