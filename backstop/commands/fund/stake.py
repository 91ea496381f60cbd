"""`backstop fund stake`: tokens into a pool, for shares of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backstop.commands.fund.reading import open_fund_and_sender
from backstop.commands.fund.sending import do, event_of
from backstop.commands.options import Amount, key_options, send_options
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.math.wad import format_amount

if TYPE_CHECKING:
    from backstop.transactions.receipt import Receipt


@click.command("stake")
@click.argument("pool")
@click.argument("amount", type=Amount())
@chain_options
@key_options
@signer_options
@send_options
def stake_command(pool: str, amount: int, send: bool, as_json: bool, **options: Any) -> None:
    """Stake AMOUNT tokens in POOL, for shares of what it has. A dry run unless --send is given.

    A pool takes none while ADL is due in it, and none beyond its cap. An approval of just AMOUNT is sent first where
    one is needed.
    """
    from backstop.chain.bindings import STAKED
    from backstop.fund.capital import shares_for, stake_steps
    from backstop.fund.units import show_span

    reading, sender = open_fund_and_sender(**options)
    client, fund, units, words = reading
    to = fund.pool(pool)
    expected = shares_for(client, fund, to, amount)
    steps = stake_steps(client, sender.address, to, amount, expected, words)
    document = {"pool": to.name, "amount": format_amount(amount), "shares": units.shares(expected)}

    def outcome(receipt: Receipt) -> dict[str, Any]:
        staked = event_of(receipt, STAKED, to.shares)
        return {} if staked is None else {"shares": units.shares(staked[3])}

    def told(document: dict[str, Any]) -> list[str]:
        shares = f"{'' if send else 'about '}{document['shares']} shares"
        return [
            f'stake {document["amount"]} {client.token.symbol} in pool "{to.name}" for {shares}',
            f"  they are given back {show_span(to.cooldown)} after they are asked for, and share in the pool's losses",
        ]

    do(reading, sender, steps, document, told, outcome, send=send, as_json=as_json)
