"""Memory that is used again: never while someone holds it, and given back when asked."""

from __future__ import annotations

import gc
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.parametrize("threads", [1, 4])
def test_tensors_of_many_sizes_never_share_memory_and_their_gaps_merge(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recycled, "_BLOCK_BYTES", 1 << 24)
    monkeypatch.setattr(recycled, "_SMALLEST_BYTES", 1)

    def come_and_go(seed: int) -> None:
        dice, alive = random.Random(seed), []
        for number in range(300):
            if len(alive) > 12 or (alive and dice.random() < 0.4):
                tensor, mark = alive.pop(dice.randrange(len(alive)))
                assert tensor.eq(mark).all()
            else:
                mark = 1000 * seed + number
                alive.append((recycled.empty((dice.randint(1, 40_000),), LIKE).fill_(mark), mark))
        assert all(tensor.eq(mark).all() for tensor, mark in alive)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(come_and_go, range(threads)))
    gc.collect()
    waiting = recycled.held_bytes()
    assert 0 < waiting < 1 << 24  # one block was enough, because gaps merged
    whole = recycled.empty((waiting // 4,), LIKE)
    assert recycled.held_bytes() == 0
    assert whole.data_ptr() % 64 == 0


def test_more_than_a_block_is_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recycled, "_BLOCK_BYTES", 1 << 21)
    small, large = recycled.empty(SHAPE, LIKE), recycled.empty((3, *SHAPE), LIKE)
    del small, large
    assert recycled.held_bytes() == 4 * 600 * 700 * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_does_not_wait_for_its_parents_lock() -> None:
    with recycled._arena._lock:
        child = os.fork()
        if child == 0:
            recycled.empty(SHAPE, LIKE)
            os._exit(0)
    deadline = time.monotonic() + 60
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("it waits for ever")
        time.sleep(0.05)
    assert ended[1] == 0
