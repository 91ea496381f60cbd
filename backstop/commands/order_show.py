"""`backstop order show`: what has become of an order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backstop.commands.options import FILE
from backstop.commands.settings_options import chain_options
from backstop.math.wad import format_amount

if TYPE_CHECKING:
    from backstop.chain.endpoint import Endpoint


@click.command("show")
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@chain_options
def show_command(file: Path, as_json: bool, rpc: Endpoint, deployment: Path) -> None:
    """Show the order in FILE, and how much of it is filled. It needs no key, and nothing is sent."""
    from backstop.trading.client import Client
    from backstop.trading.order_file import load
    from backstop.trading.ordering import End, check_order, order_state, terms_in_words

    item = load(file)
    client = Client.open(rpc, deployment)
    check_order(client, item)
    state = order_state(client, item)
    whole = abs(item.order.size)
    remaining = 0 if state.end is not None or state.filled is None else whole - state.filled
    if as_json:
        document = {
            "order": "0x" + item.digest.hex(),
            "market": item.market,
            "side": item.side.value,
            "contracts": format_amount(whole),
            "price": format_amount(item.order.limit_price),
            "signed": item.signature is not None,
            "filled": None if state.filled is None else format_amount(state.filled),
            "remaining": format_amount(remaining),
            "ended": state.end and state.end.name.lower(),
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{terms_in_words(item)}: {'not signed yet' if item.signature is None else 'signed'}")
    click.echo(f"  order 0x{item.digest.hex()}")
    facts = [] if state.filled is None else [f"{format_amount(state.filled)} of {format_amount(whole)} filled"]
    if state.end is None:
        facts.append(f"{format_amount(remaining)} can still be filled")
    elif state.end is not End.FILLED:
        facts.append(state.end)
    click.echo(f"  {', '.join(facts)}")
