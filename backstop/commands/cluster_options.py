"""Where a simulation runs: in this process, on several of this machine, or on a Dask cluster that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from backstop.errors import BackstopError

_Command = TypeVar("_Command", bound=Callable[..., Any])
MOST_WORKERS = 256


class SchedulerAddress(click.ParamType):
    """Where a Dask scheduler listens, such as `tcp://10.0.0.5:8786`."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises BackstopError for what is no address."""
        scheme, separator, rest = value.partition("://")
        host, colon, port = rest.rpartition(":")
        if scheme not in ("tcp", "tls", "ws", "wss") or not separator or not host or not colon or not port.isdigit():
            raise BackstopError(f"--dask {value[:80]!r}: give a scheduler's address, like tcp://10.0.0.5:8786")
        return value


def cluster_options(command: _Command) -> _Command:
    """Adds --workers and --dask. The result is the same wherever it runs."""
    command = click.option(
        "--dask", "scheduler", type=SchedulerAddress(), metavar="ADDRESS", help="Run on this Dask cluster instead."
    )(command)
    return click.option(
        "--workers",
        type=click.IntRange(1, MOST_WORKERS),
        default=1,
        show_default=True,
        help="Processes of this machine to run on; the result does not depend on it.",
    )(command)


def check_cluster(workers: int, scheduler: str | None) -> None:
    """Raises BackstopError where both were asked for."""
    if scheduler is not None and workers != 1:
        raise BackstopError("--workers is for this machine, and --dask for a cluster: give one of both")
