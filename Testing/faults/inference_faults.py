"""Faults between a network's outputs and the mask, and in what is said about its doubts."""

from __future__ import annotations

from .planting import Fault

_ENGINE = "ConvNeXtSeg/convnextseg_engine"
_TESTS = "Testing/engine"

FAULTS = (
    Fault(
        "what a mirrored view says is not mirrored back",
        f"{_ENGINE}/inference/windows.py",
        "        outputs = outputs.flip(axes) if view else outputs\n",
        "",
        (f"{_TESTS}/inference/test_windows.py::test_mirrored_views_are_mirrored_back_and_averaged",),
    ),
    Fault(
        "ordered regions are written in the wrong order",
        f"{_ENGINE}/labels/regions.py",
        "for region, probability in zip(contract.regions, probabilities, strict=True):",
        "for region, probability in list(zip(contract.regions, probabilities, strict=True))[::-1]:",
        (f"{_TESTS}/labels/test_output_rules.py::test_later_regions_are_written_over_earlier_ones",),
    ),
    Fault(
        "a small island leaves a hole in the region around it",
        f"{_ENGINE}/inference/components.py",
        "inside[small[islands]] = _around(contract, index)",
        "inside[small[islands]] = 0",
        (f"{_TESTS}/inference/test_components.py::test_islands_below_the_threshold_take_the_label_around_them",),
    ),
    Fault(
        "weights of windows in single precision where nnU-Net has half",
        f"{_ENGINE}/inference/nnunet_arithmetic.py",
        "gaussian(tiling.patch, _V2_MAXIMUM, torch.float16)",
        "gaussian(tiling.patch, _V2_MAXIMUM, torch.float32)",
        (f"{_TESTS}/nnunet/test_nnunet_arithmetic.py::test_half_precision_is_kept_in_every_step",),
    ),
    Fault(
        "logits are multiplied by the temperature and not divided",
        f"{_ENGINE}/uncertainty/temperature.py",
        "(np.log(clipped) - np.log1p(-clipped)) / np.float32(temperature)",
        "(np.log(clipped) - np.log1p(-clipped)) * np.float32(temperature)",
        (f"{_TESTS}/uncertainty/test_label_probabilities.py::test_temperatures_leave_the_mask_alone",),
    ),
    Fault(
        "the surest slices are suggested first",
        f"{_ENGINE}/uncertainty/slices.py",
        "np.argsort(-expected",
        "np.argsort(expected",
        (
            f"{_TESTS}/uncertainty/test_label_probabilities.py::test_slices_come_by_expected_error_and_sure_ones_not_at_all",
        ),
    ),
)
