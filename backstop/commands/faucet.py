"""`backstop faucet`: test tokens of a deployment that takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.by_hand import open_sender
from backstop.commands.options import Address, Amount, key_options, send_options, show_steps
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.errors import BackstopError
from backstop.math.wad import format_amount

# What contracts/mocks/MockUSDC.sol calls itself; anyone may mint it.
_TEST_TOKEN = ("Test USD Coin", "tUSDC")

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("faucet")
@click.argument("amount", type=Amount())
@click.option("--to", "recipient", type=Address(), metavar="ADDRESS", help="Who gets them; else the key's owner.")
@chain_options
@key_options
@signer_options
@send_options
def faucet_command(
    amount: int,
    recipient: str | None,
    rpc: Endpoint,
    deployment: Path,
    send: bool,
    as_json: bool,
    **_: Any,
) -> None:
    """Mint AMOUNT test tokens, where the deployment takes the project's own. A dry run unless --send is given."""
    from backstop.chain.bindings import MINT
    from backstop.trading.actions import Step, take, taken_documents

    client, sender = open_sender(rpc, deployment)
    token, to = client.token, recipient or sender.address
    if (client.token_name, token.symbol) != _TEST_TOKEN:
        raise BackstopError(
            f"{token.symbol} at {client.deployment.token} is not the test token {_TEST_TOKEN[1]}: nobody can mint it "
            "here, get it where it is issued"
        )
    if int(to, 16) == 0:
        raise BackstopError(f"tokens cannot go to {to}: give another --to")
    taken = take(sender, [Step("mint", client.deployment.token, MINT.encode(to, token.units(amount)))], send=send)
    if as_json:
        document = {"action": "mint", "sent": send, "amount": format_amount(amount), "recipient": to}
        click.echo(json.dumps(document | {"steps": taken_documents(taken)}, indent=2))
        return
    click.echo(f"mint {format_amount(amount)} {token.symbol} to {to}")
    show_steps(taken)
