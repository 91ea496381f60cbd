"""`backstop market`: what is left to do in a market that has ended."""

from __future__ import annotations

import json
from typing import Any

import click

from backstop.commands.by_hand import open_sender
from backstop.commands.options import key_options, send_options, show_steps
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.math.wad import format_amount


@click.group("market")
def market_group() -> None:
    """What is left to do in a market that has ended."""


@market_group.command("settle")
@click.argument("market")
@chain_options
@key_options
@signer_options
@send_options
def settle_command(market: str, send: bool, as_json: bool, **options: Any) -> None:
    """Settle every position that is left in MARKET, which was closed, at its final price.

    A dry run unless --send is given. Bankrupt accounts are taken over first. Where a round is due after that it comes
    before the others: then run this again after it.
    """
    from backstop.trading.actions import take, taken_documents
    from backstop.trading.ending import read_remainder, settle_steps

    client, sender = open_sender(**options)
    left = read_remainder(client, market)
    steps = settle_steps(client, sender, left)
    taken = take(sender, steps, send=send)
    if as_json:
        document = {
            "action": "settle",
            "sent": send,
            "market": market,
            "price": format_amount(left.price),
            "settlesAt": left.settles_at,
            "bankrupt": list(left.bankrupt),
            "accounts": list(left.others),
            "steps": taken_documents(taken),
        }
        click.echo(json.dumps(document, indent=2))
        return
    if left.is_settled:
        click.echo(f"{market} is settled: nothing is left to do")
        return
    click.echo(
        f"settle {market} at {format_amount(left.price)}: {len(left.bankrupt)} bankrupt accounts to take over, "
        f"{len(left.others)} to pay"
    )
    show_steps(taken)
