"""Memory that is used again: large tensors whose pages the operating system need not hand out anew each step.

An allocator gives large tensors back to the operating system as soon as they are freed, and the next one is paged in
and zeroed anew: on a virtual machine, filling a fresh tensor of 32 MB took 27 ms and filling a used one 3 ms, which was
a third of a training step. Here memory returns to an arena when its last tensor dies, wherever autograd kept it.
"""

from __future__ import annotations

import math
import os
import weakref
from collections import deque
from threading import Lock

import numpy as np
import torch

# Smaller ones the allocator keeps itself.
_SMALLEST_BYTES = 1 << 20
_ALIGNMENT = 64  # a cache line, as PyTorch aligns
# A training step frees its tensors in nearly the reverse order, so in large blocks the first gap that fits leaves next
# to nothing unused: over the step of a MedNeXt-S the blocks need 1 % more than the tensors (buffers kept apart by size:
# 25 %). What was never used of a block takes no memory.
_BLOCK_BYTES = 1 << 28


class _Block:
    """A stretch of memory, handed out in parts that merge again when they come back."""

    def __init__(self, size: int):
        memory = np.empty(size + _ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        self.memory = memory[start : start + size]
        self.gaps = [(0, size)]  # in order; two never touch
        self.used_up_to = 0

    def take(self, size: int) -> int | None:
        """Return where the first gap of ``size`` bytes begins, which is one no longer; None if there is none."""
        for index, (start, stop) in enumerate(self.gaps):
            if stop - start >= size:
                self.gaps[index : index + 1] = [(start + size, stop)] if start + size < stop else []
                self.used_up_to = max(self.used_up_to, start + size)
                return start
        return None

    def give_back(self, start: int, size: int) -> None:
        merged: list[tuple[int, int]] = []
        for gap in sorted([*self.gaps, (start, start + size)]):
            if merged and merged[-1][1] == gap[0]:
                merged[-1] = (merged[-1][0], gap[1])
            else:
                merged.append(gap)
        self.gaps = merged

    def waiting_bytes(self) -> int:
        """Return how many bytes were used once and are not now."""
        return sum(max(0, min(stop, self.used_up_to) - start) for start, stop in self.gaps)


class _Arena:
    """All blocks. A tensor can die in any thread, and while any line here runs, so it only leaves a note."""

    def __init__(self):
        self._blocks: list[_Block] = []
        self._returned: deque[tuple[_Block, int, int]] = deque()
        self._lock = Lock()

    def lease(self, size: int) -> np.ndarray:
        """Return ``size`` bytes that are in use until this array is gone, which a tensor made of it keeps."""
        reserved = -(-size // _ALIGNMENT) * _ALIGNMENT
        with self._lock:
            self._tidy()
            block, start = self._place(reserved)
        lease = block.memory[start : start + size]
        weakref.finalize(lease, self._returned.append, (block, start, reserved)).atexit = False
        return lease

    def waiting_bytes(self) -> int:
        with self._lock:
            self._tidy()
            return sum(block.waiting_bytes() for block in self._blocks)

    def _tidy(self) -> None:
        while self._returned:
            block, start, size = self._returned.popleft()
            block.give_back(start, size)

    def _place(self, size: int) -> tuple[_Block, int]:
        for block in self._blocks:
            start = block.take(size)
            if start is not None:
                return block, start
        self._blocks.append(_Block(max(_BLOCK_BYTES, size)))
        return self._blocks[-1], self._blocks[-1].take(size)


_arena = _Arena()
if hasattr(os, "register_at_fork"):
    # A forked process has its parent's lock, but not the thread that may hold it.
    os.register_at_fork(after_in_child=lambda: release())


def empty(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Return an uninitialised contiguous tensor of ``shape`` with the data type of ``like``, on the CPU."""
    size = math.prod(shape) * like.element_size()
    if size < _SMALLEST_BYTES:
        return like.new_empty(shape)
    # The tensor's storage owns this very array, wherever autograd keeps it; a slice of it would own the block instead.
    return torch.from_numpy(_arena.lease(size)).view(like.dtype).view(shape)


def release() -> None:
    """Give unused memory back to the operating system; a block that is in use follows when its last tensor dies."""
    global _arena
    _arena = _Arena()


def held_bytes() -> int:
    """Return how many bytes wait to be used again."""
    return _arena.waiting_bytes()
