"""`backstop account`: where an owner's accounts stand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.settings_options import chain_options
from backstop.errors import BackstopError

_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{64}")
_SHOWN = 80

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("account")
@click.argument("who", metavar="OWNER_OR_ACCOUNT")
@chain_options
@click.option("--json", "as_json", is_flag=True, help="Print exact amounts as JSON instead of tables.")
def account_command(who: str, rpc: Endpoint, deployment: Path, as_json: bool) -> None:
    """Where accounts stand: margin, positions, what they paid for funding, and their place in the ADL queue.

    OWNER_OR_ACCOUNT is an address, for every account of it that holds anything, or the id of one account.
    """
    from backstop.account_id import is_well_formed, owner_of
    from backstop.chain.deployment import is_address
    from backstop.trading.client import Client
    from backstop.trading.standing import read_standings

    account = bytes.fromhex(who[2:]) if _ACCOUNT.fullmatch(who) else None
    if account is None and not (who.startswith("0x") and is_address(who)):
        raise BackstopError(
            f"{who[:_SHOWN]!r} is neither an address (0x and 40 hex digits, with a right checksum) nor an account id "
            "(0x and 64)"
        )
    if account is not None and not is_well_formed(account):
        raise BackstopError(f"{who} is no account id: its sub-id names neither a market nor a cross account")
    client = Client.open(rpc, deployment)
    state, standings = read_standings(client.endpoint, client.deployment, None if account is not None else who, account)
    owner = who if account is None else owner_of(account)
    wallet = client.token.amount(client.balance(owner, {"blockHash": state.block.hash}))
    for market, reason in (state.unpriced | state.left_out).items():
        click.echo(
            f"warning: {market} has no price now, and is judged at its last one if it had any: {reason}", err=True
        )
    if as_json:
        from backstop.trading.results import account_document

        click.echo(json.dumps([account_document(standing, wallet) for standing in standings], indent=2))
        return
    from backstop.render_accounts import print_accounts, print_wallet

    print_wallet(owner, wallet, client.token.symbol, state.block.number)
    print_accounts(standings, who, state.backstop_ratio)
