"""`backstop fund contribute`: a gift to a pool."""

from __future__ import annotations

from typing import Any

import click

from backstop.commands.fund.reading import open_fund_and_sender
from backstop.commands.fund.sending import do
from backstop.commands.options import Amount, key_options, send_options
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.math.wad import format_amount


@click.command("contribute")
@click.argument("pool")
@click.argument("amount", type=Amount())
@click.option("--market", metavar="NAME", help="A market of the pool whose result the gift improves.")
@chain_options
@key_options
@signer_options
@send_options
def contribute_command(pool: str, amount: int, market: str | None, send: bool, as_json: bool, **options: Any) -> None:
    """Give AMOUNT tokens to POOL, for good. A dry run unless --send is given.

    Who wants to have them back stakes instead. An approval of just AMOUNT is sent first where one is needed.
    """
    from backstop.fund.capital import contribute_steps

    reading, sender = open_fund_and_sender(**options)
    to = reading.fund.pool(pool)
    steps = contribute_steps(reading.client, sender.address, to, market, amount)
    document = {"pool": to.name, "market": market, "amount": format_amount(amount)}
    named = f" for {market}" if market else ""
    line = f'contribute {format_amount(amount)} {reading.units.token.symbol} to pool "{to.name}"{named}, for good'
    do(reading, sender, steps, document, lambda _: [line], send=send, as_json=as_json)
