"""Where a command takes its snapshot from: a file, standard input, or a chain."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from backstop.adl.snapshot import Snapshot
from backstop.adl.snapshot_file import loads
from backstop.errors import BackstopError, SnapshotError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_USAGE = "give a snapshot FILE (- reads standard input), or --rpc URL together with --deployment FILE"


def snapshot_source(command: _Command) -> _Command:
    """Adds `FILE`, `--rpc` and `--deployment` to a command; `read_source` takes what they hold."""
    command = click.argument("file", required=False)(command)
    command = click.option("--rpc", metavar="URL", help="Read the state of a chain instead of FILE.")(command)
    return click.option(
        "--deployment",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The deployment that --rpc serves: deployments/NAME.json.",
    )(command)


def read_source(file: str | None, rpc: str | None, deployment: Path | None, block: int | None = None) -> Snapshot:
    """The snapshot that the arguments name.

    Raises click.UsageError unless exactly one source is named, SnapshotError for a file that is refused, and
    BackstopError for what cannot be read.
    """
    if file is not None and rpc is None and deployment is None:
        return loads(_read_text(file))
    if file is None and rpc is not None and deployment is not None:
        # Here, so that a file is ranked without loading a chain client.
        from backstop.chain.snapshot import read_snapshot

        state = read_snapshot(rpc, deployment, block)
        for market, reason in state.unpriced.items():
            click.echo(f"warning: {market} has no price and is shown at its last one: {reason}", err=True)
        for market, reason in state.left_out.items():
            click.echo(f"warning: {market} never had a price and is left out: {reason}", err=True)
        return state.snapshot
    raise click.UsageError(_USAGE)


def _read_text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as fault:
        raise BackstopError(f"cannot read {file}: {fault.strerror or fault}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise SnapshotError("$", f"not UTF-8 text: byte {fault.start} cannot be read") from None
