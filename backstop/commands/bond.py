"""`backstop bond`: what a keeper stakes on leaving nobody out of a round."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.by_hand import open_sender
from backstop.commands.options import Address, Amount, key_options, send_options, show_steps
from backstop.commands.sending_options import signer_options
from backstop.commands.settings_options import chain_options
from backstop.math.wad import format_amount

if TYPE_CHECKING:
    from backstop.rounds.bonds import BondView
    from backstop.trading.actions import Step
    from backstop.transactions.sender import Sender


@click.group("bond")
def bond_group() -> None:
    """What a keeper stakes on leaving nobody out of a round."""


@bond_group.command("post")
@click.argument("amount", type=Amount())
@chain_options
@key_options
@signer_options
@send_options
def post_command(amount: int, send: bool, as_json: bool, **options: Any) -> None:
    """Add AMOUNT tokens to the key's bond. A dry run unless --send is given.

    An approval of just AMOUNT is sent first where one is needed.
    """
    from backstop.rounds.bonds import post_steps

    client, sender = open_sender(**options)
    steps = post_steps(client, sender.address, amount)
    line = f"post {format_amount(amount)} {client.token.symbol} to the bond of {sender.address}"
    _do(sender, steps, {"keeper": sender.address, "amount": format_amount(amount)}, line, send=send, as_json=as_json)


@bond_group.command("withdraw")
@click.argument("amount", type=Amount(), required=False)
@click.option("--claim", "claims", is_flag=True, help="Take out what was asked for and is ripe.")
@click.option("--cancel", "cancels", is_flag=True, help="Call off what was asked for.")
@click.option("--rewards", is_flag=True, help="Take out what challenges have brought.")
@chain_options
@key_options
@signer_options
@send_options
def withdraw_command(
    amount: int | None, claims: bool, cancels: bool, rewards: bool, send: bool, as_json: bool, **options: Any
) -> None:
    """Ask for AMOUNT tokens of the key's bond, and take them out with --claim once they are ripe.

    From the request on they cover no new rounds; they are ripe an hour after the window of the rounds. A dry run unless
    --send is given.
    """
    from backstop.rounds.bonds import claim_steps, read_bond, request_steps, withdraw_steps

    if (amount is not None) + claims + cancels + rewards != 1:
        raise click.UsageError("give one of AMOUNT, --claim, --cancel, --rewards")
    client, sender = open_sender(**options)
    bond = read_bond(client, sender.address)
    symbol = client.token.symbol
    if amount is not None or cancels:
        steps = request_steps(client, bond, amount or 0)
        line = f"ask for {format_amount(amount)} {symbol} of the bond" if amount else "call off what was asked for"
        if amount and bond.leaving:
            line += (
                f", instead of the {format_amount(bond.leaving)} that were asked for{_ripe(bond)}: "
                "the time to wait begins anew for all of it"
            )
        document = {"keeper": sender.address, "amount": format_amount(amount or 0)}
        document |= {"replaces": format_amount(bond.leaving)} if amount and bond.leaving else {}
    elif claims:
        steps = withdraw_steps(client, bond)
        most = min(bond.leaving, bond.amount - bond.reserved)
        line = f"take {format_amount(most)} {symbol} of the bond out"
        document = {"keeper": sender.address, "amount": format_amount(most)}
    else:
        steps = claim_steps(client, bond)
        line = f"take out the {format_amount(bond.claimable)} {symbol} that challenges have brought"
        document = {"keeper": sender.address, "amount": format_amount(bond.claimable)}
    _do(sender, steps, document, line, send=send, as_json=as_json)


@bond_group.command("release")
@chain_options
@key_options
@signer_options
@send_options
def release_command(send: bool, as_json: bool, **options: Any) -> None:
    """Free what covers rounds that have closed while an older one is still open. A dry run unless --send is given.

    Rounds and withdrawals free in order by themselves.
    """
    from backstop.rounds.bonds import read_bond, release_steps

    client, sender = open_sender(**options)
    bond = read_bond(client, sender.address)
    steps = release_steps(client, bond)
    line = f"free what covers closed rounds of {sender.address}"
    _do(sender, steps, {"keeper": sender.address}, line, send=send, as_json=as_json)


@bond_group.command("show")
@click.argument("keeper", type=Address())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@chain_options
def show_command(keeper: str, as_json: bool, **options: Any) -> None:
    """The bond of KEEPER, an address: posted, covering rounds, asked for, free; and what a round needs."""
    from backstop.rounds.bonds import read_bond
    from backstop.trading.client import Client

    client = Client.open(**options)
    bond = read_bond(client, keeper)
    document = _document(bond)
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    symbol = client.token.symbol
    click.echo(f"bond of {keeper}, in {symbol}")
    lines = {
        "posted": document["posted"],
        "covering rounds": document["reserved"],
        "asked for": f"{document['leaving']}{_ripe(bond)}",
        "free for new rounds": document["available"],
        "from challenges": document["claimable"],
        "a round needs": f"twice its compensation, {document['minPenalty']} to {document['bondCap']}",
        "for": f"{bond.parameters.window} s after it",
    }
    for name, value in lines.items():
        click.echo(f"  {name:<20} {value}")


def _ripe(bond: BondView) -> str:
    if not bond.leaving:
        return ""
    return ", ripe" if bond.now >= bond.ripe_at else f", ripe in {bond.ripe_at - bond.now} s"


def _document(bond: BondView) -> dict[str, Any]:
    return {
        "keeper": bond.keeper,
        "posted": format_amount(bond.amount),
        "reserved": format_amount(bond.reserved),
        "leaving": format_amount(bond.leaving),
        "ripeAt": bond.ripe_at or None,
        "available": format_amount(bond.available),
        "claimable": format_amount(bond.claimable),
        "minPenalty": format_amount(bond.parameters.min_penalty),
        "bondCap": format_amount(bond.parameters.bond_cap),
        "window": bond.parameters.window,
    }


def _do(sender: Sender, steps: list[Step], document: dict[str, Any], line: str, *, send: bool, as_json: bool) -> None:
    from backstop.trading.actions import take, taken_documents

    taken = take(sender, steps, send=send)
    if as_json:
        head = {"action": steps[-1].name, "sent": send}
        click.echo(json.dumps(head | document | {"steps": taken_documents(taken)}, indent=2))
        return
    click.echo(line)
    show_steps(taken)
