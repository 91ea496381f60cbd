"""`backstop round` and `backstop challenge`: what a round did and why, and the watch for who was left out of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.options import Seconds, Whole, key_options
from backstop.commands.sending_options import WHERE_LEFT_RUNNING, journal_option, signer_options
from backstop.commands.sent import remember
from backstop.commands.settings_options import chain_options, chain_overrides, config_option, settings_of
from backstop.commands.signals import quits_at_signals

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint
    from backstop.rounds.watch import Finding


@click.group("round")
def round_group() -> None:
    """Rounds of auto-deleveraging."""


@round_group.command("show")
@click.argument("number", metavar="ID", type=Whole(1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@chain_options
def show_command(number: int, as_json: bool, rpc: Endpoint, deployment: Path) -> None:
    """Who was closed in round ID, in which order and why, at which price, what each gave up, and who was skipped."""
    from backstop.rounds.book import read_round
    from backstop.rounds.render import print_round, round_document
    from backstop.trading.client import Client

    client = Client.open(rpc, deployment)
    found = read_round(client.endpoint, client.deployment, number)
    name = next(name for name, view in client.markets.items() if view.id == found.market)
    if as_json:
        click.echo(json.dumps(round_document(found, name), indent=2))
    else:
        print_round(found, name, client.token.symbol, client.head().timestamp)


@click.group("challenge")
def challenge_group() -> None:
    """Challenges of who was left out of a round."""


@challenge_group.command("watch")
@click.option("--once", is_flag=True, help="Look at the rounds that are open now, and end.")
@click.option("--send", is_flag=True, help="Sign and send challenges. Without it nothing is sent.")
@config_option
@chain_overrides
@key_options
@signer_options
@journal_option(WHERE_LEFT_RUNNING)
@click.option(
    "--poll",
    type=Seconds(),
    default=1.0,
    metavar="SECONDS",
    help="How often to look for a new block. Default 1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each omission as a JSON object on a line.")
def watch_command(once: bool, send: bool, as_json: bool, **_: Any) -> None:
    """Rank each open round again, and challenge whoever was left out. A dry run unless --send is given.

    A quarter of what an omission costs the keeper is the challenger's: `backstop bond withdraw --rewards` takes it
    out. Runs until SIGINT or SIGTERM; with --once it ends with status 1 where an omission stands unchallenged.
    """
    if not once:
        click.get_current_context().with_resource(quits_at_signals())

    from backstop.keeper.daemon import opened
    from backstop.keeper.loop import stopped_by_signals
    from backstop.keeper.watching import watching
    from backstop.rounds.render import looked_at_line
    from backstop.rounds.watch import Watcher

    settings = settings_of(click.get_current_context())
    show = _printer(as_json)
    if not once:
        with (
            watching(settings, send=send, show=show, remember=remember) as watch,
            stopped_by_signals(watch.loop.stop),
        ):
            watch.watch()
        return

    def tell(text: str) -> None:
        click.echo(f"warning: {text}", err=True)

    with opened(settings, send=send, keeps=False, needs=False) as parts:
        remember(parts.sender)
        watcher = Watcher(parts.nodes, parts.deployment, parts.sender, send=send, tell=tell)
        left = [finding for finding in watcher.look() if show(finding)]
        if not as_json:
            click.echo(looked_at_line(watcher.looked_at))
    if left:
        click.get_current_context().exit(1)


def _printer(as_json: bool) -> Callable[[Finding], bool]:
    """Prints a finding; says whether it stands unchallenged."""
    from backstop.rounds.render import finding_document, finding_line

    def show(finding: Finding) -> bool:
        click.echo(json.dumps(finding_document(finding)) if as_json else finding_line(finding))
        return finding.receipt is None

    return show
