"""`backstop deposit`, `withdraw` and `transfer`: collateral of the key's own accounts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.by_hand import open_sender
from backstop.commands.options import (
    AccountChoice,
    Address,
    Amount,
    account_options,
    key_options,
    send_options,
    show_steps,
)
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.errors import RevertError
from backstop.math.wad import format_amount

if TYPE_CHECKING:
    from backstop.trading.actions import Step
    from backstop.trading.client import Client
    from backstop.transactions.sender import Sender


@click.command("deposit")
@click.argument("amount", type=Amount())
@account_options()
@chain_options
@key_options
@signer_options
@send_options
def deposit_command(amount: int, market: str | None, cross: bool, index: int, **options: Any) -> None:
    """Put AMOUNT tokens into one of the key's own accounts. A dry run unless --send is given.

    Where the exchange may not take as much yet, an approval of just AMOUNT is sent first.
    """
    from backstop.account_id import account_of
    from backstop.trading.collateral import deposit_steps

    client, sender = open_sender(**options)
    choice = AccountChoice(market, cross, index)
    sub_id = choice.sub_id(client)
    steps = deposit_steps(client, sender.address, sub_id, amount)
    account = account_of(sender.address, sub_id)
    _do(client, sender, steps, amount, f"into {choice}", {"account": account}, None, **options)


@click.command("withdraw")
@click.argument("amount", type=Amount())
@account_options()
@click.option("--to", "recipient", type=Address(), metavar="ADDRESS", help="Who gets the tokens; else the key's owner.")
@chain_options
@key_options
@signer_options
@send_options
def withdraw_command(
    amount: int, market: str | None, cross: bool, index: int, recipient: str | None, **options: Any
) -> None:
    """Take AMOUNT tokens out of one of the key's own accounts. A dry run unless --send is given.

    Unrealized profit cannot be withdrawn, and the initial margin of open positions must stay.
    """
    from backstop.account_id import account_of
    from backstop.trading.collateral import withdraw_steps

    client, sender = open_sender(**options)
    choice = AccountChoice(market, cross, index)
    sub_id = choice.sub_id(client)
    to = recipient or sender.address
    steps = withdraw_steps(client, sender.address, sub_id, amount, to)
    account = account_of(sender.address, sub_id)
    accounts = {"account": account}
    _do(client, sender, steps, amount, f"out of {choice} to {to}", accounts, choice, recipient=to, **options)


@click.command("transfer")
@click.argument("amount", type=Amount())
@account_options("from")
@account_options("to")
@chain_options
@key_options
@signer_options
@send_options
def transfer_command(
    amount: int,
    from_market: str | None,
    from_cross: bool,
    from_index: int,
    to_market: str | None,
    to_cross: bool,
    to_index: int,
    **options: Any,
) -> None:
    """Move AMOUNT tokens between two of the key's own accounts. A dry run unless --send is given.

    What may leave an account is what could be withdrawn from it.
    """
    from backstop.account_id import account_of
    from backstop.trading.collateral import transfer_steps

    client, sender = open_sender(**options)
    source = AccountChoice(from_market, from_cross, from_index, "from")
    target = AccountChoice(to_market, to_cross, to_index, "to")
    from_id, to_id = source.sub_id(client), target.sub_id(client)
    steps = transfer_steps(client, sender.address, from_id, to_id, amount)
    accounts = {"from": account_of(sender.address, from_id), "to": account_of(sender.address, to_id)}
    _do(client, sender, steps, amount, f"from {source} to {target}", accounts, source, **options)


def _do(
    client: Client,
    sender: Sender,
    steps: Sequence[Step],
    amount: int,
    where: str,
    accounts: dict[str, bytes],
    source: AccountChoice | None,
    *,
    send: bool,
    as_json: bool,
    recipient: str | None = None,
    **_: Path | str | None,
) -> None:
    from backstop.account_id import account_text
    from backstop.trading.actions import take, taken_documents
    from backstop.trading.collateral import explain_shortage

    try:
        taken = take(sender, steps, send=send)
    except RevertError as refusal:
        if source is None:
            raise
        raise explain_shortage(client, next(iter(accounts.values())), str(source), amount, refusal) from None
    name = steps[-1].name
    if as_json:
        document: dict[str, Any] = {"action": name, "sent": send, "amount": format_amount(amount)}
        document |= {key: account_text(account) for key, account in accounts.items()}
        document |= {"recipient": recipient} if recipient else {}
        click.echo(json.dumps(document | {"steps": taken_documents(taken)}, indent=2))
        return
    click.echo(f"{name} {format_amount(amount)} {client.token.symbol} {where}")
    for account in accounts.values():
        click.echo(f"  account {account_text(account)}")
    show_steps(taken)
