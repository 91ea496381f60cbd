"""`backstop order`: orders as files, made, signed, settled and cancelled (docs/orders.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.by_hand import open_sender
from backstop.commands.options import (
    FILE,
    INDEX,
    STDOUT,
    AccountChoice,
    Address,
    Amount,
    Whole,
    key_options,
    send_options,
    show_steps,
)
from backstop.commands.order_output import check_fresh, hand_over
from backstop.commands.order_settle import settle_command
from backstop.commands.order_show import show_command
from backstop.commands.settings_options import chain_options
from backstop.errors import BackstopError

_DAY = 86400

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.group("order")
def order_group() -> None:
    """Orders as files (docs/orders.md): make, sign, show, settle, cancel."""


order_group.add_command(settle_command)
order_group.add_command(show_command)


@order_group.command("new")
@click.option("--market", required=True, metavar="NAME", help="The market to trade in.")
@click.option("--side", required=True, type=click.Choice(["buy", "sell"]), help="What to do.")
@click.option("--contracts", required=True, type=Amount(), help="How many contracts in all.")
@click.option("--price", required=True, type=Amount(), help="Worst acceptable price.")
@click.option("--cross", is_flag=True, help="Trade on a cross account; else on the isolated one of the market.")
@click.option(
    "--index",
    type=INDEX,
    default=0,
    metavar="INDEX",
    help="Which of the owner's accounts of that kind. Default 0.",
)
@click.option("--owner", type=Address(), metavar="ADDRESS", help="Whose account; else the key's owner.")
@click.option("--expires-in", type=Whole(1), metavar="SECONDS", help="After the latest block. Default 86400, a day.")
@click.option("--expiry", type=Whole(0), metavar="TIMESTAMP", help="Or when, in seconds since 1970.")
@click.option("--reduce-only", is_flag=True, help="Fills may only bring the position nearer to zero.")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write to FILE, which must not exist yet; - is stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print the order, also where it is written to a file.")
@chain_options
@key_options
def new_command(
    market: str,
    side: str,
    contracts: int,
    price: int,
    cross: bool,
    index: int,
    owner: str | None,
    expires_in: int | None,
    expiry: int | None,
    reduce_only: bool,
    output: Path | None,
    as_json: bool,
    rpc: Endpoint,
    deployment: Path,
    keystore: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Write an order of the owner's present epoch, with a random salt. It is not signed yet, and nothing is sent."""
    from backstop.chain.keys import load_key
    from backstop.trading.client import Client
    from backstop.trading.ordering import doubts, new_order

    if expires_in is not None and expiry is not None:
        raise BackstopError("--expires-in and --expiry say the same: give one of them")
    check_fresh(output)
    who = owner or str(load_key(keystore, passphrase_file).address)
    client = Client.open(rpc, deployment)
    item = new_order(
        client,
        who,
        AccountChoice(None if cross else market, cross, index).sub_id(client),
        market,
        contracts if side == "buy" else -contracts,
        price,
        seconds=_DAY if expires_in is None else expires_in,
        timestamp=expiry,
        reduce_only=reduce_only,
    )
    for doubt in doubts(client, item):
        click.echo(f"warning: {doubt}", err=True)
    hand_over(item, None if output == STDOUT else output, as_json, fresh=True)


@order_group.command("sign")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, metavar="OUT", help="Write to OUT, which must not exist yet; - is stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print the signed order too.")
@chain_options
@key_options
def sign_command(
    file: Path,
    output: Path | None,
    as_json: bool,
    rpc: Endpoint,
    deployment: Path,
    keystore: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Sign the order in FILE with its owner's key, and write the signature into FILE. Nothing is sent.

    What is signed is told first. An order for another exchange, or one that could not be filled any more (it has
    expired, is filled or cancelled), is not signed.
    """
    from backstop.chain.keys import load_key
    from backstop.trading.client import Client
    from backstop.trading.order_file import load
    from backstop.trading.ordering import check_to_sign, signed_order, terms_in_words

    check_fresh(output)
    signer = load_key(keystore, passphrase_file)
    client, item = Client.open(rpc, deployment), load(file)
    check_to_sign(client, item, signer.address)
    click.echo(f"signing: {terms_in_words(item)}", err=True)
    to = None if output == STDOUT else output or file
    hand_over(signed_order(item, signer), to, as_json, fresh=output is not None)


@order_group.command("cancel")
@click.argument("file", type=FILE, required=False)
@click.option("--all", "everything", is_flag=True, help="All orders of the key's owner, by a new epoch.")
@chain_options
@key_options
@send_options
def cancel_command(
    file: Path | None,
    everything: bool,
    rpc: Endpoint,
    deployment: Path,
    keystore: Path | None,
    passphrase_file: Path | None,
    send: bool,
    as_json: bool,
) -> None:
    """Cancel the order in FILE, or with --all every order of the key's owner. A dry run unless --send is given."""
    from backstop.chain.bindings import CANCEL, CANCEL_ALL
    from backstop.trading.actions import Step, take, taken_documents
    from backstop.trading.order_file import load
    from backstop.trading.ordering import check_order, check_owner, new_epoch, order_state

    if (file is None) == (not everything):
        raise BackstopError("give one order FILE to cancel, or --all")
    item = load(file) if file else None
    client, sender = open_sender(rpc, deployment)
    exchange = client.deployment.exchange
    if item is None:
        step = Step("cancelAll", exchange, CANCEL_ALL.encode())
        what = f"all orders of {sender.address}, epoch {client.epoch(sender.address)}"
    else:
        check_order(client, item)
        check_owner(item, sender.address)
        if (end := order_state(client, item).end) is not None:
            raise BackstopError(f"{item.file} is {end} already: there is nothing to cancel")
        step, what = Step("cancel", exchange, CANCEL.encode(item.order.values())), str(item)
    taken = take(sender, [step], send=send)
    epoch = new_epoch(taken[0].receipt) if taken[0].receipt else None
    if as_json:
        digest = "0x" + item.digest.hex() if item else None
        document = {"action": step.name, "sent": send, "order": digest, "epoch": epoch}
        click.echo(json.dumps(document | {"steps": taken_documents(taken)}, indent=2))
        return
    click.echo(f"cancel {what}")
    show_steps(taken)
    if epoch is not None:
        click.echo(f"  the order epoch is {epoch} now: no order of an older one can be filled")
