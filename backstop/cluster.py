"""Tasks in this process, on several processes of this machine, or on a Dask cluster that is there; results in order.

A task gets all that it needs, its draws too, so what comes of it does not depend on where it ran.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from backstop.errors import BackstopError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_AHEAD = 3  # tasks that wait for each worker: enough to keep it busy, few enough for memory
_PATIENCE = "10s"


class Map(Protocol):
    """Applies a function to tasks; the results come in the order of the tasks."""

    def __call__(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task], /) -> Iterator[_Result]: ...


def here(function: Callable[[_Task], _Result], tasks: Iterable[_Task], /) -> Iterator[_Result]:
    """In this process, one after the other."""
    return map(function, tasks)


@contextmanager
def workers(count: int = 1, address: str | None = None) -> Iterator[Map]:
    """A map over `count` processes of this machine, or over the cluster whose scheduler is at `address`.

    One process is this one. Raises BackstopError where Dask is not installed or the cluster does not answer.
    """
    if address is None and count == 1:
        yield here
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise BackstopError("several processes need Dask: pip install 'backstop[cluster]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if address is None:
        with (
            LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
            Client(cluster) as client,  # type: ignore[no-untyped-call]
        ):
            yield _Dask(client, count)
        return
    try:
        client = Client(address, timeout=_PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as fault:
        raise BackstopError(f"no Dask scheduler answers at {address}: {str(fault) or 'no answer in time'}") from None
    with client:
        there = sum(client.nthreads().values())  # type: ignore[no-untyped-call]
        if not there:
            raise BackstopError(f"the Dask cluster at {address} has no workers: start one with `dask worker {address}`")
        yield _Dask(client, there)


class _Dask:
    """Keeps a few tasks ahead of each worker."""

    def __init__(self, client: Any, workers: int) -> None:
        self._client = client
        self._ahead = _AHEAD * workers

    def __call__(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task], /) -> Iterator[_Result]:
        waiting: deque[Any] = deque()
        for task in tasks:
            waiting.append(self._client.submit(function, task, pure=False))
            if len(waiting) >= self._ahead:
                yield self._result(waiting.popleft())
        while waiting:
            yield self._result(waiting.popleft())

    @staticmethod
    def _result(future: Any) -> Any:
        try:
            return future.result()
        except ModuleNotFoundError as fault:
            raise BackstopError(f"a Dask worker lacks {fault.name}: install this version of backstop there") from None
        except Exception as fault:
            from distributed import KilledWorker

            if isinstance(fault, KilledWorker):
                raise BackstopError(f"a Dask worker died of a task: has it enough memory? {fault}") from None
            raise
