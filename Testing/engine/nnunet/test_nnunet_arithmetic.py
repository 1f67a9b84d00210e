"""nnU-Net's arithmetic, piece by piece beside its own functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convnextseg_engine.errors import InputError
from convnextseg_engine.inference.nnunet_arithmetic import Float16Accumulator, SoftmaxAccumulator, gaussian
from convnextseg_engine.inference.nnunet_result import check_arithmetic
from convnextseg_engine.inference.tiling import Tiling
from convnextseg_engine.labels.contract import Label, LabelContract, Region, exclusive_contract
from convnextseg_engine.labels.known_labels import label_named

from . import reference  # noqa: F401 (prepares nnU-Net's environment)


def test_weights_have_nnunets_digits() -> None:
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    for patch in ((16, 16, 16), (8, 24, 20), (32, 32, 32)):
        theirs = compute_gaussian(patch, 1 / 8, 10, device=torch.device("cpu"))
        assert torch.equal(gaussian(patch, 10.0, torch.float16), theirs)
    flat = compute_gaussian((24, 20), 1 / 8, 10, device=torch.device("cpu"))
    assert torch.equal(gaussian((1, 24, 20), 10.0, torch.float16)[0], flat)


@settings(max_examples=60, deadline=None)
@given(extent=st.integers(1, 200), patch=st.integers(2, 64), overlap=st.sampled_from([0.25, 0.5, 0.75]))
def test_windows_lie_where_nnunet_puts_them(extent: int, patch: int, overlap: float) -> None:
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    tiling = Tiling((extent,) * 3, (patch,) * 3, overlap)
    theirs = compute_steps_for_sliding_window(tiling.padded, (patch,) * 3, 1 - overlap)
    assert [list(starts) for starts in tiling.axis_starts] == theirs


def test_half_precision_is_kept_in_every_step() -> None:
    tiling = Tiling((20, 16, 16), (16, 16, 16))
    random = torch.Generator().manual_seed(0)
    accumulator = Float16Accumulator(tiling, 2)
    weights = gaussian((16, 16, 16), 10.0, torch.float16)
    total = torch.zeros((2, 20, 16, 16), dtype=torch.float16)
    for _member in range(2):
        sums, summed = torch.zeros_like(total), torch.zeros(total.shape[1:], dtype=torch.float16)
        for start in tiling.starts:
            logits = torch.randn((2, 16, 16, 16), generator=random) * 5
            accumulator.add(logits, start)
            window = tiling.window(start)
            sums[(slice(None), *window)] += logits * weights
            summed[window] += weights
        total += sums / summed
        accumulator.end_member()
    result = accumulator.result()
    assert result.dtype == torch.float32
    assert torch.equal(result, (total / 2).float())


def test_version_1_weights_windows_only_if_there_are_several() -> None:
    one = SoftmaxAccumulator(Tiling((8, 8, 8), (8, 8, 8)), 3)
    logits = torch.randn(1, 3, 8, 8, 8)
    probabilities = one.transform(logits)
    one.add(probabilities[0], (0, 0, 0))
    one.end_member()
    assert torch.equal(one.result(), probabilities[0])
    several = SoftmaxAccumulator(Tiling((12, 8, 8), (8, 8, 8)), 3)
    for number, start in enumerate(several._tiling.starts):
        several.add(torch.full((3, 8, 8, 8), float(number)), start)
    several.end_member()
    blended = several.result()[0, :, 4, 4]
    assert blended[0] == 0
    assert blended[-1] == len(several._tiling.starts) - 1
    assert (np.diff(blended.numpy()) >= 0).all()


LABELS: tuple[Label, ...] = (label_named("edema", 1), label_named("core", 2))
NESTED = LabelContract(LABELS, (Region("whole", ("edema", "core")), Region("inner", ("core",))))
FROM_NNUNET = {"scheme": "nnunet-v1"}


@pytest.mark.parametrize(
    ("arithmetic", "contract", "preparation", "allowed"),
    [
        ("float32", NESTED, {}, True),
        ("nnunet-v2", NESTED, FROM_NNUNET, True),
        ("nnunet-v2", NESTED, {}, False),
        ("nnunet-v2", NESTED, {"scheme": "anatomical"}, False),
        ("nnunet-v1", exclusive_contract(LABELS), FROM_NNUNET, True),
        ("nnunet-v1", NESTED, FROM_NNUNET, False),
        ("nnunet-v1", exclusive_contract(LABELS), {}, False),
    ],
)
def test_an_arithmetic_that_the_outputs_do_not_allow_is_refused(arithmetic, contract, preparation, allowed) -> None:
    if allowed:
        check_arithmetic(arithmetic, contract, preparation)
    else:
        with pytest.raises(InputError, match="cannot be used with this model"):
            check_arithmetic(arithmetic, contract, preparation)
