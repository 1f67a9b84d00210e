"""Memory that is used again: never while someone holds it, and given back when asked."""

from __future__ import annotations

import gc

import pytest
import torch

from convnextseg_engine.networks.fused import recycled

SHAPE = (600, 700)
LIKE = torch.zeros(1)


@pytest.fixture(autouse=True)
def nothing_held():
    recycled.release()
    yield
    recycled.release()


def test_a_freed_tensors_memory_is_used_again() -> None:
    first = recycled.empty(SHAPE, LIKE)
    address = first.data_ptr()
    assert address % 64 == 0
    del first
    assert recycled.held_bytes() == 600 * 700 * 4
    again = recycled.empty((700, 600), LIKE)
    assert again.data_ptr() == address
    assert again.is_contiguous()
    assert recycled.held_bytes() == 0


@pytest.mark.parametrize("holder", ["view", "saved", "storage"])
def test_memory_is_not_used_again_while_anything_holds_it(holder: str) -> None:
    tensor = recycled.empty(SHAPE, LIKE).fill_(1)
    weight = torch.ones(1, requires_grad=True)
    kept = {"view": tensor[5:7], "saved": (tensor * weight).sum(), "storage": tensor.untyped_storage()}[holder]
    del tensor
    gc.collect()
    assert recycled.held_bytes() == 0
    others = [recycled.empty(SHAPE, LIKE).fill_(9) for _ in range(3)]
    if holder == "saved":
        kept.backward()
        assert float(weight.grad) == 600 * 700
    elif holder == "view":
        assert torch.equal(kept, torch.ones(2, 700))
    else:
        assert torch.tensor([], dtype=torch.float32).set_(kept).eq(1).all()
    del kept, others
    assert recycled.held_bytes() == 4 * 600 * 700 * 4


def test_what_is_in_use_at_a_release_goes_back_to_the_system_later() -> None:
    free, used = recycled.empty(SHAPE, LIKE), recycled.empty(SHAPE, LIKE)
    del free
    recycled.release()
    assert recycled.held_bytes() == 0
    del used
    assert recycled.held_bytes() == 0


def test_types_and_small_tensors() -> None:
    double = recycled.empty(SHAPE, LIKE.double())
    assert (double.dtype, double.shape) == (torch.float64, SHAPE)
    small = recycled.empty((3, 4), LIKE)
    del small
    assert recycled.held_bytes() == 0
