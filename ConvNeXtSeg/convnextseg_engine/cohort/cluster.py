"""Spreading a cohort over a Dask cluster: a thin adapter, and no scheduler of our own.

Every worker must see the images, the model and the folder of results under the same paths, and have ConvNeXtSeg
installed. Dask gives the case of a worker that died to another one; results appear as whole folders, so a case that
was half done leaves nothing, and one that was done twice counts once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, ResourceError
from ..progress import Reporter
from .case import CohortCase
from .run import Executor
from .segment_case import segment_case
from .settings import Settings

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_S = 30  # a scheduler on a busy computer takes its time
_POLL_S = 0.5
# What a case is again when the worker died that held its result; Dask gives it to another one.
_TO_COME = ("pending", "lost")
_NO_WORKERS_S = 300  # a queueing system may need minutes to start the first worker


def on_cluster(address: str) -> Executor:
    """Return an executor for :func:`~convnextseg_engine.cohort.run.run_cohort` that runs cases on a cluster.

    Args:
        address: Of the scheduler, for example ``tcp://10.0.0.1:8786``.
    """

    def execute(
        cases: Sequence[CohortCase], settings: Settings, folder: Path, reporter: Reporter
    ) -> Iterator[tuple[str, dict[str, Any] | Exception]]:
        if not cases:
            return
        with _connected(address) as client:
            place = folder.absolute()
            waiting = {client.submit(segment_case, case, settings, place, pure=False): case.id for case in cases}
            try:
                yield from _as_they_finish(client, waiting, reporter)
            finally:
                client.cancel(list(waiting))

    return execute


def _as_they_finish(
    client: Client, waiting: dict[Future, str], reporter: Reporter
) -> Iterator[tuple[str, dict[str, Any] | Exception]]:
    last_worker = time.monotonic()
    while waiting:
        reporter.check()
        finished = [future for future in waiting if future.done()]
        for future in finished:
            status = future.status
            if status in _TO_COME:
                continue
            name = waiting.pop(future)
            if status == "error":
                yield name, future.exception()
            elif status == "finished":
                yield name, future.result()
            else:
                yield name, _lost()
        if client.status != "running":
            raise _lost()
        if finished or client.scheduler_info()["workers"]:
            last_worker = time.monotonic()
        elif time.monotonic() - last_worker > _NO_WORKERS_S:
            raise ResourceError(
                "The cluster has no workers.", reason=f"None was there for {_NO_WORKERS_S // 60} minutes.",
                remedy="Start workers, then run the same command again to go on.", code="no-workers",
            )  # fmt: skip
        else:
            reporter.progress("cohort", 0.0, "waiting for the cluster's workers")
        time.sleep(_POLL_S)


def _connected(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise ResourceError(
            "The package distributed is not installed.", reason="It connects to Dask clusters.",
            remedy='Install it with: pip install "convnextseg[cluster]".', code="no-distributed",
        ) from None  # fmt: skip
    try:
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"There is no Dask scheduler at {address}.", reason=str(error) or type(error).__name__,
            remedy="Check the address; “dask scheduler” prints it when it starts.", code="no-cluster",
        ) from error  # fmt: skip


def _lost() -> ResourceError:
    return ResourceError(
        "The connection to the cluster was lost.", reason="Its scheduler does not answer any more.",
        remedy="Check it, then run the same command again; cases that are done stay.", code="cluster-lost",
    )  # fmt: skip
