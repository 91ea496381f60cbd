"""`backstop round` and `backstop challenge`: what a round did and why, and the watch for who was left out of one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.options import chain_options, key_options
from backstop.commands.sent import remember
from backstop.commands.signals import quits_at_signals
from backstop.errors import BackstopError, OutputError

if TYPE_CHECKING:
    from backstop.rounds.watch import Finding, Watcher

_LONGEST_PAUSE = 30.0  # seconds between two attempts while a node does not answer


@click.group("round")
def round_group() -> None:
    """Rounds of auto-deleveraging."""


@round_group.command("show")
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@chain_options
def show_command(number: int, as_json: bool, rpc: str, deployment: Path) -> None:
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
        print_round(found, name, client.token.symbol)


@click.group("challenge")
def challenge_group() -> None:
    """Challenges of who was left out of a round."""


@challenge_group.command("watch")
@click.option("--once", is_flag=True, help="Look at the rounds that are open now, and end.")
@click.option("--send", is_flag=True, help="Sign and send challenges. Without it nothing is sent.")
@click.option(
    "--poll",
    type=click.FloatRange(min=0.05, max=3600),
    default=1.0,
    metavar="SECONDS",
    help="How often to look for a new block. Default 1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each omission as a JSON object on a line.")
@chain_options
@key_options
def watch_command(
    once: bool,
    send: bool,
    poll: float,
    as_json: bool,
    rpc: str,
    deployment: Path,
    keystore: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Rank each open round again, and challenge whoever was left out. A dry run unless --send is given.

    A quarter of what an omission costs the keeper is the challenger's: `backstop bond withdraw --rewards` takes it
    out. Runs until SIGINT or SIGTERM; with --once it ends with status 1 where an omission stands unchallenged.
    """
    if not once:
        click.get_current_context().with_resource(quits_at_signals())

    from eth_account import Account

    from backstop.chain.deployment import Deployment
    from backstop.chain.endpoint import Endpoint
    from backstop.chain.keys import load_key
    from backstop.keeper.loop import stopped_by_signals
    from backstop.rounds.watch import Watcher
    from backstop.transactions.sender import Sender

    place = Deployment.load(deployment)
    endpoint = Endpoint(rpc)
    endpoint.check(place)
    signer = load_key(keystore, passphrase_file) if send or keystore else Account.create()
    sender = remember(Sender(endpoint, signer, place.chain_id))

    def tell(text: str) -> None:
        click.echo(text, err=True)

    watcher = Watcher(endpoint, place, sender, send=send, tell=lambda text: tell(f"warning: {text}"))
    show = _printer(as_json)
    if once:
        left = [finding for finding in watcher.look() if show(finding)]
        if left:
            click.get_current_context().exit(1)
        return
    stopping: list[bool] = []
    with stopped_by_signals(lambda: stopping.append(True)):
        tell(f"watching {endpoint.url}" if send else f"watching {endpoint.url}; a dry run, nothing is sent")
        _watch(watcher, show, tell, poll, stopping)


def _watch(
    watcher: Watcher, show: Callable[[Finding], bool], tell: Callable[[str], None], poll: float, stopping: list[bool]
) -> None:
    """Looks again and again; a watcher outlives its node."""
    backoff = poll
    while not stopping:
        pause = poll
        try:
            for finding in watcher.look():
                show(finding)
            backoff = poll
        except (BrokenPipeError, OutputError):
            raise
        except BackstopError as fault:
            pause, backoff = backoff, min(2 * backoff, max(_LONGEST_PAUSE, poll))
            tell(f"error: {fault}; again in {pause:g} s")
        end = time.monotonic() + pause
        while not stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


def _printer(as_json: bool) -> Callable[[Finding], bool]:
    """Prints a finding; says whether it stands unchallenged."""
    from backstop.rounds.render import finding_document, finding_line

    def show(finding: Finding) -> bool:
        click.echo(json.dumps(finding_document(finding)) if as_json else finding_line(finding))
        return finding.receipt is None

    return show
