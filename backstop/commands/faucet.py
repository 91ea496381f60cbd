"""`backstop faucet`: test tokens of a deployment that takes them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from backstop.commands.options import (
    Address,
    Amount,
    chain_options,
    key_options,
    open_sender,
    send_options,
    show_steps,
)
from backstop.errors import BackstopError
from backstop.math.wad import format_amount

# What contracts/mocks/MockUSDC.sol calls itself; anyone may mint it.
_TEST_TOKEN = ("Test USD Coin", "tUSDC")


@click.command("faucet")
@click.argument("amount", type=Amount())
@click.option("--to", "recipient", type=Address(), metavar="ADDRESS", help="Who gets them; else the key's owner.")
@chain_options
@key_options
@send_options
def faucet_command(
    amount: int,
    recipient: str | None,
    rpc: str,
    deployment: Path,
    keystore: Path | None,
    passphrase_file: Path | None,
    send: bool,
    as_json: bool,
) -> None:
    """Mint AMOUNT test tokens, where the deployment takes the project's own. A dry run unless --send is given."""
    from backstop.chain.bindings import MINT
    from backstop.trading.actions import Step, take, taken_documents

    client, sender = open_sender(rpc, deployment, keystore, passphrase_file)
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
