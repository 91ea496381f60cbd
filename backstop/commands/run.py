"""`backstop run`: the keeper."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.options import INDEX, Amount, Seconds, key_options
from backstop.commands.sending_options import WHERE_LEFT_RUNNING, journal_option, signer_options
from backstop.commands.sent import remember
from backstop.commands.settings_options import chain_overrides, config_option, settings_of
from backstop.commands.signals import quits_at_signals
from backstop.commands.upkeep_options import upkeep_options
from backstop.errors import BackstopError

if TYPE_CHECKING:
    from backstop.keeper.cycle import Action, Cycle
    from backstop.settings import Settings
    from backstop.transactions.sender import Sender


@click.command("run")
@click.option("--once", is_flag=True, help="One cycle: everything that is due now, until nothing is.")
@click.option("--send", is_flag=True, help="Sign and send. Without it nothing is sent: what would be done is shown.")
@config_option
@chain_overrides
@key_options
@signer_options
@journal_option(WHERE_LEFT_RUNNING)
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
    type=Seconds(),
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

    from backstop.keeper.daemon import make_cycle, needs_key, opened

    settings = settings_of(click.get_current_context())
    if not once:
        _run_on(settings, send, as_json)
        return
    with opened(settings, send=send, keeps=False, needs=needs_key(settings)) as parts:
        remember(parts.sender)
        _run_once(make_cycle(parts, send=send), parts.sender, as_json)


def _run_once(cycle: Cycle, sender: Sender, as_json: bool) -> None:
    show = (lambda _: None) if as_json else printer(sender, as_json)
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


def _run_on(settings: Settings, send: bool, as_json: bool) -> None:
    from backstop.keeper.daemon import running
    from backstop.keeper.loop import stopped_by_signals

    with (
        running(settings, send=send, printer=lambda sender: printer(remember(sender), as_json)) as keeper,
        stopped_by_signals(keeper.loop.stop),
    ):
        keeper.watch()


def printer(sender: Sender, as_json: bool) -> Callable[[Action], None]:
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
