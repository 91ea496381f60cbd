"""Ape's Anvil without what nothing here reads: the steps of each transaction, and states of long ago.

Both are kept for every block, in memory and on disk, gigabytes in time; a trace of one transaction is had without them.
And on a port that is free: ape draws one, and where something is there, it waits for an Anvil that has ended.
"""

from __future__ import annotations

from typing import Any

import click
from ape.cli import ConnectedProviderCommand
from ape.exceptions import RPCTimeoutError
from ape_foundry.provider import FoundryProvider

from scripts.stage.own_anvil import free_port

STATES = 300
_STARTS = 3  # another program may take the port first
_command_by_ape = FoundryProvider.build_command
_start_by_ape = FoundryProvider._start


def _command(provider: FoundryProvider) -> list[str]:
    command = [word for word in _command_by_ape(provider) if word != "--steps-tracing"]
    return [*command, "--prune-history", str(STATES)]


def _start(provider: FoundryProvider) -> None:
    if provider._host != "auto":
        _start_by_ape(provider)
        return
    for last in range(_STARTS):
        provider._host = f"http://127.0.0.1:{free_port()}"
        try:
            _start_by_ape(provider)
        except RPCTimeoutError:
            provider.stop()
            if last == _STARTS - 1:
                raise
        else:
            return


def install() -> None:
    """From now on ape in this process starts Anvil this way."""
    FoundryProvider.build_command = _command  # type: ignore[method-assign]
    FoundryProvider._start = _start  # type: ignore[method-assign]


class LeanAnvilCommand(ConnectedProviderCommand):
    """A command that is run on such an Anvil."""

    def invoke(self, ctx: click.Context) -> Any:
        """Before ape connects."""
        install()
        return super().invoke(ctx)
