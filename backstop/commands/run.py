"""`backstop run`: the keeper."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.options import INDEX, Amount, key_options
from backstop.commands.sending_options import journal_option, signer_options
from backstop.commands.sent import remember
from backstop.commands.settings_options import chain_overrides, config_option, settings_of
from backstop.commands.signals import quits_at_signals
from backstop.commands.upkeep_options import upkeep_of, upkeep_options
from backstop.errors import BackstopError

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint
    from backstop.keeper.cycle import Action, Cycle
    from backstop.transactions.sender import Sender


class _Seconds(click.FloatRange):
    """A pause: more than nothing, at most an hour."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=3600)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value} is no number of seconds", param, ctx)
        return seconds


@click.command("run")
@click.option("--once", is_flag=True, help="One cycle: everything that is due now, until nothing is.")
@click.option("--send", is_flag=True, help="Sign and send. Without it nothing is sent: what would be done is shown.")
@config_option
@chain_overrides
@key_options
@signer_options
@journal_option(required=False)
@click.option(
    "--liquidate-up-to",
    "notional",
    type=Amount(or_zero=True),
    default=0,
    metavar="NOTIONAL",
    help="Liquidate onto the key's own funded account, until its position in a market is worth this much quote. "
    "0, the default, liquidates nothing.",
)
@click.option(
    "--least-discount",
    type=Amount(or_zero=True),
    default="0.1",
    metavar="AMOUNT",
    help="Leave a liquidation alone whose discount is less quote than this. Default 0.1.",
)
@click.option(
    "--sub-account",
    type=INDEX,
    default=0,
    metavar="INDEX",
    help="Which of the key's isolated accounts in a market liquidates. Default 0.",
)
@upkeep_options
@click.option(
    "--poll",
    type=_Seconds(),
    default=1.0,
    metavar="SECONDS",
    help="How often to look for a new block. Default 1.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print what was done as JSON: a list with --once, else an object a line."
)
def run_command(
    once: bool,
    send: bool,
    as_json: bool,
    **_: Any,
) -> None:
    """Liquidate, take over and deleverage where it is due, then sample, redistribute and pay ripe exits.

    A dry run unless --send is given.

    Runs a cycle at every new block until SIGINT or SIGTERM, and then ends with status 0. A node that does not answer
    is told of on stderr and asked again, at least every 30 s. What is only shown, or refused, is shown once while it
    stays due. With --once, one cycle: exit status 1 where the contracts refused something that seemed due; the rest is
    done all the same.
    """
    if not once:
        click.get_current_context().with_resource(quits_at_signals())

    from eth_account import Account

    from backstop.chain.deployment import Deployment
    from backstop.chain.endpoint import Endpoint
    from backstop.keeper.cycle import Cycle
    from backstop.keeper.liquidations import Liquidator
    from backstop.settings.signing import open_key
    from backstop.transactions.sender import Sender

    settings = settings_of(click.get_current_context())
    place = Deployment.load(settings.deployment_file)
    endpoint = Endpoint(settings.node_urls[0])
    # A dry run needs no key, what anyone may call, anyone may simulate; but liquidations depend on whose account it is.
    liquidate = settings.duties.liquidate
    notional = liquidate.up_to if liquidate.enabled else 0
    anonymous = not (send or settings.key.keystore or notional)
    signer = Account.create() if anonymous else open_key(settings.key)
    sender = remember(Sender(endpoint, signer, place.chain_id))
    liquidator = (
        Liquidator(sender.address, liquidate.sub_account, notional, liquidate.least_discount) if notional else None
    )
    cycle = Cycle(
        endpoint,
        place,
        sender,
        send=send,
        liquidator=liquidator,
        upkeep=upkeep_of(settings.duties),
        anonymous=anonymous,
    )
    if once:
        _run_once(cycle, sender, as_json)
    else:
        _run_on(endpoint, cycle, settings.node.poll, _printer(sender, as_json), send)


def _run_once(cycle: Cycle, sender: Sender, as_json: bool) -> None:
    show = (lambda _: None) if as_json else _printer(sender, as_json)
    done: list[Action] = []
    fault: BackstopError | None = None
    try:
        for action in cycle.run(lambda text: click.echo(f"warning: {text}", err=True)):
            done.append(action)
            show(action)
    except BackstopError as error:
        fault = error
    if as_json and (done or fault is None):
        from backstop.keeper.results import action_document

        click.echo(json.dumps([action_document(action) for action in done], indent=2))
    if fault is not None:
        raise fault
    if not done and not as_json:
        click.echo("nothing is due")
    if any(action.refusal for action in done):
        click.get_current_context().exit(1)


def _run_on(endpoint: Endpoint, cycle: Cycle, poll: float, show: Callable[[Action], None], send: bool) -> None:
    from backstop.keeper.loop import Loop, stopped_by_signals

    def tell(text: str) -> None:
        click.echo(text, err=True)

    loop = Loop(endpoint, cycle, poll=poll, show=show, tell=tell)
    with stopped_by_signals(loop.stop):
        tell(f"watching {endpoint.url}" if send else f"watching {endpoint.url}; a dry run, nothing is sent")
        loop.run()


def _printer(sender: Sender, as_json: bool) -> Callable[[Action], None]:
    """Prints an action at once: as an object on a line of its own, or for people. What is printed is told."""
    from backstop.keeper.results import action_document
    from backstop.render import print_action

    def show(action: Action) -> None:
        if as_json:
            click.echo(json.dumps(action_document(action)))
        else:
            print_action(action)
        sender.mined.clear()

    return show
