"""`backstop watch`: one deployment on a terminal, as it is at each block."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.options import Seconds
from backstop.commands.settings_options import chain_options
from backstop.commands.signals import quits_at_signals
from backstop.errors import BackstopError

_ACCOUNT = re.compile(r"0x(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})")
_SHOWN = 80

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("watch")
@chain_options
@click.option("--market", "markets", multiple=True, metavar="NAME", help="Only this market; may be given again.")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="OWNER_OR_ACCOUNT",
    help="Mark who this is in the queues, and tell where it stands; may be given again.",
)
@click.option("--once", is_flag=True, help="Print it once, and end.")
@click.option(
    "--poll",
    type=Seconds(),
    default=1.0,
    metavar="SECONDS",
    help="How often to look for a new block. Default 1.",
)
def watch_command(
    markets: tuple[str, ...], accounts: tuple[str, ...], once: bool, poll: float, rpc: Endpoint, deployment: Path
) -> None:
    """Marks, pools, drawdowns, how near ADL is, both queues and the last rounds, at each new block.

    Runs until Ctrl-C or SIGTERM. Where the output is piped, it prints one frame below the other.
    """
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise BackstopError(
                f"--account: {account[:_SHOWN]!r} is neither an address (0x and 40 hex digits) nor an account id "
                "(0x and 64)"
            )
    if not once:
        click.get_current_context().with_resource(quits_at_signals())

    from backstop.keeper.loop import stopped_by_signals
    from backstop.render import make_console
    from backstop.trading.client import Client
    from backstop.watch.following import Follower
    from backstop.watch.reading import Reader
    from backstop.watch.render import frame
    from backstop.watch.showing import watch

    client = Client.open(rpc, deployment)
    reader = Reader(client.endpoint, client.deployment, markets)
    wanted = [account.lower() for account in accounts]
    follower = Follower(client.endpoint, reader, poll=poll)
    symbol, console = client.token.symbol, make_console()
    if once:
        console.print(frame(follower.moment(), wanted, symbol, console))
        return
    with stopped_by_signals(follower.stop):
        watch(follower, wanted, symbol, console)
