"""`backstop fund unstake`: an exit from a pool, asked for, called off, or claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backstop.commands.fund.reading import Reading, open_fund_and_sender
from backstop.commands.fund.sending import do, event_of
from backstop.commands.options import Amount, key_options, send_options
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.errors import BackstopError

if TYPE_CHECKING:
    from backstop.chain.fund_view import PoolView, StakeView
    from backstop.transactions.receipt import Receipt
    from backstop.transactions.sender import Sender


@click.command("unstake")
@click.argument("pool")
@click.option("--shares", type=Amount(), metavar="N", help="Ask for an exit of N shares.")
@click.option("--value", type=Amount(), metavar="AMOUNT", help="Or of as many as are worth AMOUNT tokens now.")
@click.option("--all", "everything", is_flag=True, help="Or of all shares at hand.")
@click.option("--cancel", is_flag=True, help="Call the exit off; the shares are at hand again.")
@click.option("--claim", is_flag=True, help="Have the ripe exit paid.")
@chain_options
@key_options
@signer_options
@send_options
def unstake_command(
    pool: str,
    shares: int | None,
    value: int | None,
    everything: bool,
    cancel: bool,
    claim: bool,
    send: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Ask for the key's shares of POOL back, call that off, or claim it. A dry run unless --send is given.

    An exit ripens for the pool's cooldown and then pays the smaller of what its shares were worth when it was asked for
    and what they are worth; keepers pay ripe ones by themselves. One exit of a pool at a time.
    """
    if sum([shares is not None, value is not None, everything, cancel, claim]) != 1:
        raise BackstopError("say one of --shares N, --value AMOUNT, --all, --cancel and --claim")
    from backstop.chain.fund_view import read_stake

    reading, sender = open_fund_and_sender(**options)
    of = reading.fund.pool(pool)
    at = {"blockHash": reading.fund.block.hash}
    stake = read_stake(reading.client.endpoint, reading.client.deployment, of.id, sender.address, at)
    if cancel or claim:
        (_claim if claim else _cancel)(reading, sender, of, stake, send=send, as_json=as_json)
        return
    units = reading.units
    if everything:
        wanted = stake.shares
    elif shares is not None:
        wanted = units.parse_shares(shares)
    else:
        wanted = 0
    _ask(reading, sender, of, stake, wanted, value, send=send, as_json=as_json)


def _ask(
    reading: Reading,
    sender: Sender,
    pool: PoolView,
    stake: StakeView,
    wanted: int,
    value: int | None,
    *,
    send: bool,
    as_json: bool,
) -> None:
    from backstop.chain.bindings import REDEEM_REQUESTED
    from backstop.fund.capital import request_steps, shares_worth, value_of
    from backstop.fund.units import show_time

    units = reading.units
    if value is not None and stake.exit is None and stake.shares:
        wanted = shares_worth(pool, stake, units.token.units(value), units)
    steps = request_steps(pool, stake, wanted, units, reading.words)
    document = {
        "pool": pool.name,
        "shares": units.shares(wanted),
        "value": units.tokens(value_of(pool, wanted)),
        "ripeAt": reading.fund.block.timestamp + pool.cooldown,
    }

    def outcome(receipt: Receipt) -> dict[str, Any]:
        asked = event_of(receipt, REDEEM_REQUESTED, pool.shares)
        return {} if asked is None else {"value": units.tokens(asked[2]), "ripeAt": asked[3]}

    def told(document: dict[str, Any]) -> list[str]:
        return [
            f'ask for {document["shares"]} shares of pool "{pool.name}", worth {document["value"]} '
            + units.token.symbol,
            f"  ripe at {show_time(document['ripeAt'])}; it pays no more than that, and less where the pool has lost",
        ]

    do(reading, sender, steps, document, told, outcome, send=send, as_json=as_json)


def _cancel(reading: Reading, sender: Sender, pool: PoolView, stake: StakeView, *, send: bool, as_json: bool) -> None:
    from backstop.fund.capital import cancel_steps

    shares = reading.units.shares(stake.exit.shares if stake.exit else 0)
    line = f'call the exit of {shares} shares of pool "{pool.name}" off'
    document = {"pool": pool.name, "shares": shares}
    do(reading, sender, cancel_steps(pool), document, lambda _: [line], send=send, as_json=as_json)


def _claim(reading: Reading, sender: Sender, pool: PoolView, stake: StakeView, *, send: bool, as_json: bool) -> None:
    from backstop.chain.bindings import REDEEMED
    from backstop.fund.capital import claim_steps
    from backstop.math.deficit import paid_tokens

    units, fund = reading.units, reading.fund
    document = {
        "pool": pool.name,
        "shares": units.shares(stake.exit.shares if stake.exit else 0),
        "value": units.tokens(stake.exit_value),
        "paid": units.tokens(paid_tokens(stake.exit_value, fund.tokens_held, fund.deficit)),
    }

    def outcome(receipt: Receipt) -> dict[str, Any]:
        paid = event_of(receipt, REDEEMED, pool.shares)
        return {} if paid is None else {"value": units.tokens(paid[3]), "paid": units.tokens(paid[4])}

    def told(document: dict[str, Any]) -> list[str]:
        lines = [f'claim {document["paid"]} {units.token.symbol} for {document["shares"]} shares of pool "{pool.name}"']
        if document["paid"] != document["value"]:
            lines.append(f"  of {document['value']}: the rest covers the fund's open deficit")
        return lines

    do(reading, sender, claim_steps(pool, sender.address), document, told, outcome, send=send, as_json=as_json)
