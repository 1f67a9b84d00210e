"""Several processes that train one network together, started by ``torchrun``; without it there is one.

Every process sees other samples of a step; PyTorch's DistributedDataParallel averages their gradients. Only the first
process validates, writes and talks to the user; the others wait for it where they need its answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import ConvNeXtSegError
from ..inference.device import choose_device

Value = TypeVar("Value")

# What torchrun tells each process; WORLD_SIZE alone is also set by other programs.
_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
# The others wait while the first one validates or judges. If it dies, torchrun ends them at once.
_PATIENCE = timedelta(hours=24)


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0.
        world: How many there are.
        device: The torch device of this process.
    """

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process validates, writes and reports."""
        return self.rank == 0

    def from_first(self, work: Callable[[], Value]) -> Value:
        """Do ``work`` in the first process and return its result, or raise its error, in all of them."""
        if self.world == 1:
            return work()
        told: list[Any] = [None, None]
        if self.first:
            try:
                told[0] = work()
            except Exception as error:
                told[1] = error
        dist.broadcast_object_list(told, src=0, device=self._device_of_messages())
        if told[1] is not None:
            raise told[1]
        return told[0]

    def any(self, wish: bool) -> bool:
        """Say in all processes whether the wish holds in one of them."""
        return wish if self.world == 1 else self._reduced(float(wish), dist.ReduceOp.MAX) > 0

    def mean(self, value: float) -> float:
        """Return the mean of a number over the processes; not a number if it is so in one of them."""
        return value if self.world == 1 else self._reduced(value, dist.ReduceOp.SUM) / self.world

    def together(self, network: nn.Module) -> nn.Module:
        """Return the network as it is called in training: its backward pass averages gradients over the processes.

        To be called again after a part of the network was frozen or thawed.
        """
        if self.world == 1:
            return network
        # Some parameters have no part in the result, as MedNeXt's published scalar and heads without deep supervision.
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return DistributedDataParallel(network, device_ids=devices, find_unused_parameters=True)

    def _reduced(self, value: float, operation: Any) -> float:
        tensor = torch.tensor(value, dtype=torch.float32, device=self._device_of_messages())
        dist.all_reduce(tensor, operation)
        return float(tensor)

    def _device_of_messages(self) -> torch.device:
        return torch.device(self.device if dist.get_backend() == "nccl" else "cpu")


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the other processes of this training, if ``torchrun`` started any, for the block.

    Args:
        device: As the user chose it; of several graphics processors each process takes its own.

    Raises:
        InputError: If the device is unknown.
        ConvNeXtSegError: If the processes cannot reach each other.
    """
    if not all(name in os.environ for name in _TORCHRUN) or int(os.environ["WORLD_SIZE"]) == 1:
        yield Ranks(device=choose_device(device).name)
        return
    place = choose_device(device).name
    if place.startswith("cuda"):
        if device in ("auto", "cuda"):
            place = f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
        torch.cuda.set_device(place)
    try:
        dist.init_process_group("nccl" if place.startswith("cuda") else "gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ConvNeXtSegError(
            "The processes of this training cannot reach each other.",
            reason=str(error).splitlines()[0],
            remedy="Start them with torchrun on one machine, or see its documentation for several.",
            code="no-process-group",
        ) from error
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), place)
    finally:
        dist.destroy_process_group()


def without_exchange(network: nn.Module, wanted: bool) -> AbstractContextManager:
    """Return a context in which gradients of a network from :meth:`Ranks.together` are not averaged yet."""
    return network.no_sync() if wanted and isinstance(network, DistributedDataParallel) else nullcontext()
