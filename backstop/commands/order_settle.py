"""`backstop order settle`: signed orders against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.options import FILE, Amount, key_options, send_options, show_steps
from backstop.commands.settings_options import chain_options
from backstop.math.wad import format_amount

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("settle")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="MAKER TAKER [MAKER TAKER]...")
@click.option("--contracts", type=Amount(), help="How many of each pair; else all that remains of both orders.")
@chain_options
@key_options
@send_options
def settle_command(
    files: tuple[Path, ...],
    contracts: int | None,
    rpc: Endpoint,
    deployment: Path,
    keystore: Path | None,
    passphrase_file: Path | None,
    send: bool,
    as_json: bool,
) -> None:
    """Settle pairs of signed orders, each at its maker's price. A dry run unless --send is given.

    Anyone may: a dry run needs no key. Of several pairs those that the exchange refuses are left out and told, with
    exit status 1; where it would settle none, nothing is sent.
    """
    from eth_account import Account

    from backstop.chain.keys import load_key
    from backstop.commands.sent import remember
    from backstop.trading.actions import take, taken_documents
    from backstop.trading.client import Client
    from backstop.trading.order_file import load
    from backstop.trading.settling import make_pairs, plan_settlement, refused_pairs
    from backstop.transactions.sender import Sender

    items = [load(file) for file in files]
    signer = load_key(keystore, passphrase_file) if send or keystore else Account.create()
    client = Client.open(rpc, deployment)
    sender = remember(Sender(client.endpoint, signer, client.deployment.chain_id))
    plan = plan_settlement(client, sender, make_pairs(client, items, contracts))
    hopeless = all(plan.refusals)
    taken = [] if hopeless else take(sender, [plan.step], send=send)
    receipt = taken[0].receipt if taken else None
    refusals = refused_pairs(receipt, plan) if receipt else plan.refusals
    if as_json:
        document = {
            "action": plan.step.name,
            "sent": receipt is not None,
            "pairs": [
                {
                    "maker": "0x" + pair.maker.digest.hex(),
                    "taker": "0x" + pair.taker.digest.hex(),
                    "market": pair.maker.market,
                    "contracts": format_amount(pair.contracts),
                    "price": format_amount(pair.maker.order.limit_price),
                    "refused": refusal,
                }
                for pair, refusal in zip(plan.pairs, refusals, strict=True)
            ],
            "steps": taken_documents(taken),
        }
        click.echo(json.dumps(document, indent=2))
    else:
        for pair, refusal in zip(plan.pairs, refusals, strict=True):
            click.echo(
                f"settle {format_amount(pair.contracts)} {pair.maker.market} at "
                f"{format_amount(pair.maker.order.limit_price)}: {pair.maker.file} with {pair.taker.file}"
            )
            if refusal:
                click.echo(f"  refused: {refusal}")
        if hopeless:
            click.echo(f"Nothing {'was' if send else 'would be'} sent: every pair is refused.")
        else:
            show_steps(taken)
    if any(refusals):
        click.get_current_context().exit(1)
