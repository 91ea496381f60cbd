"""`backstop fund repay`: paying for a pool's open deficit."""

from __future__ import annotations

from typing import Any

import click

from backstop.commands.fund.reading import open_fund_and_sender
from backstop.commands.fund.sending import do
from backstop.commands.options import Amount, key_options, send_options
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.math.wad import format_amount


@click.command("repay")
@click.argument("pool")
@click.argument("amount", type=Amount())
@chain_options
@key_options
@signer_options
@send_options
def repay_command(pool: str, amount: int, send: bool, as_json: bool, **options: Any) -> None:
    """Pay AMOUNT tokens for the open deficit of POOL, up to it. A dry run unless --send is given.

    An approval of just AMOUNT is sent first where one is needed.
    """
    from backstop.fund.capital import repay_steps

    reading, sender = open_fund_and_sender(**options)
    to = reading.fund.pool(pool)
    steps = repay_steps(reading.client, sender.address, to, amount)
    document = {"pool": to.name, "amount": format_amount(amount)}
    line = (
        f"repay {format_amount(amount)} {reading.units.token.symbol} of the {format_amount(to.deficit)} that pool "
        f'"{to.name}" lacks'
    )
    do(reading, sender, steps, document, lambda _: [line], send=send, as_json=as_json)
