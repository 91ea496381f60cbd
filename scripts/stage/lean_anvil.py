"""Ape's Anvil without what nothing here reads: the steps of each transaction, and states of long ago.

Both are kept for every block, in memory and on disk, gigabytes in time; a trace of one transaction is had without them.
"""

from __future__ import annotations

from typing import Any

import click
from ape.cli import ConnectedProviderCommand
from ape_foundry.provider import FoundryProvider

STATES = 300
_command_by_ape = FoundryProvider.build_command


def _command(provider: FoundryProvider) -> list[str]:
    command = [word for word in _command_by_ape(provider) if word != "--steps-tracing"]
    return [*command, "--prune-history", str(STATES)]


def install() -> None:
    """From now on ape in this process starts Anvil this way."""
    FoundryProvider.build_command = _command  # type: ignore[method-assign]


class LeanAnvilCommand(ConnectedProviderCommand):
    """A command that is run on such an Anvil."""

    def invoke(self, ctx: click.Context) -> Any:
        """Before ape connects."""
        install()
        return super().invoke(ctx)
