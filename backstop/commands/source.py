"""Where a command takes its snapshot from: a file, standard input, or a chain."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from backstop.adl.snapshot import Snapshot
from backstop.adl.snapshot_file import loads
from backstop.commands.options import DEPLOYMENT_VARIABLE, FILE, RPC_VARIABLE
from backstop.errors import BackstopError, SnapshotError

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint
    from backstop.chain.snapshot import ChainState

_Command = TypeVar("_Command", bound=Callable[..., Any])

_USAGE = "give a snapshot FILE (- reads standard input), or --rpc URL together with --deployment FILE"


def snapshot_source(command: _Command) -> _Command:
    """Adds `FILE`, `--rpc` and `--deployment` to a command; `read_source` takes what they hold."""
    command = click.argument("file", required=False)(command)
    command = click.option(
        "--rpc",
        metavar="URL",
        envvar=RPC_VARIABLE,
        show_envvar=True,
        help="Read the state of a chain, unless FILE is given.",
    )(command)
    return click.option(
        "--deployment",
        type=FILE,
        metavar="FILE",
        envvar=DEPLOYMENT_VARIABLE,
        show_envvar=True,
        help="The deployment that --rpc serves: deployments/NAME.json.",
    )(command)


def read_source(
    file: str | None, rpc: str | Endpoint | None, deployment: Path | None, block: int | None = None
) -> Snapshot:
    """The snapshot that the arguments name; raises as `read_source_and_chain` does."""
    return read_source_and_chain(file, rpc, deployment, block)[0]


def read_source_and_chain(
    file: str | None, rpc: str | Endpoint | None, deployment: Path | None, block: int | None = None
) -> tuple[Snapshot, ChainState | None]:
    """The snapshot that the arguments name, and where it comes from a chain what else was read there.

    A FILE goes before what the environment says of a chain.

    Raises click.UsageError unless exactly one source is named, SnapshotError for a file that is refused, and
    BackstopError for what cannot be read.
    """
    if file is not None and not _is_given("rpc") and not _is_given("deployment"):
        return loads(_read_text(file)), None
    if file is None and rpc is not None and deployment is not None:
        # Here, so that a file is ranked without loading a chain client.
        from backstop.chain.snapshot import read_snapshot

        state = read_snapshot(rpc, deployment, block)
        for market, reason in state.unpriced.items():
            click.echo(f"warning: {market} has no price and is shown at its last one: {reason}", err=True)
        for market, reason in state.left_out.items():
            click.echo(
                f"warning: {market} has no price, and never had one accepted: it is left out: {reason}", err=True
            )
        return state.snapshot, state
    raise click.UsageError(_USAGE)


def _is_given(name: str) -> bool:
    """Whether an option stands on the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _read_text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as fault:
        raise BackstopError(f"cannot read {file}: {fault.strerror or fault}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise SnapshotError("$", f"not UTF-8 text: byte {fault.start} cannot be read") from None
