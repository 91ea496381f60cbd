"""Rounds and findings as JSON and for people."""

from __future__ import annotations

from typing import Any

from backstop.fund.units import show_time
from backstop.math.wad import format_amount
from backstop.render import make_console, make_table, show_amount
from backstop.rounds.book import RoundView
from backstop.rounds.watch import Finding

_SKIPPED = {
    "flat": "holds nothing any more",
    "inventorySide": "holds the side of the inventory",
    "bankrupt": "bankrupt: it is to be taken over",
    "duplicate": "stood on the list twice",
    "insolventAtAdlPrice": "would have been insolvent at the ADL price, and was not needed",
}


def round_document(found: RoundView, market: str) -> dict[str, Any]:
    """A round; amounts are decimal strings."""
    return {
        "id": found.id,
        "market": market,
        "side": found.side.value,
        "keeper": found.keeper,
        "block": found.block,
        "timestamp": found.time,
        "transaction": found.transaction,
        "trigger": found.trigger.value if found.trigger else None,
        "markPrice": format_amount(found.mark),
        "adlPrice": format_amount(found.price),
        "compensation": format_amount(found.compensation),
        "contracts": format_amount(found.contracts),
        "netted": format_amount(found.netted),
        "fills": [
            {
                "account": fill.account,
                "contracts": format_amount(fill.contracts),
                "price": format_amount(fill.price),
                "leveragedReturn": format_amount(fill.leveraged_return),
                "place": fill.place,
                "givenUp": format_amount(fill.given_up),
            }
            for fill in found.fills
        ],
        "skipped": [{"account": account, "reason": reason} for account, reason in found.skipped],
        "cutoff": {"account": found.cutoff_account, "leveragedReturn": format_amount(found.cutoff_return)}
        if found.bond
        else None,
        "openUntil": found.open_until or None,
        "bond": format_amount(found.bond),
        "bondLeft": format_amount(found.bond_left),
        "omissions": [
            {
                "account": one.account,
                "challenger": one.challenger,
                "leveragedReturn": format_amount(one.leveraged_return),
                "spared": format_amount(one.spared),
                "penalty": format_amount(one.penalty),
            }
            for one in found.proven
        ],
    }


def print_round(found: RoundView, market: str, symbol: str, now: int) -> None:
    """A round for people, as of a time of the chain."""
    console = make_console()
    why = f"by {found.trigger.value}" if found.trigger else ""
    console.print(f"Round {found.id}: {market}, {found.side.value} inventory, due {why}. Amounts in {symbol}.")
    console.print(f"  block {found.block}, {show_time(found.time)}, {found.transaction}")
    console.print(f"  keeper {found.keeper}")
    to_close = found.contracts + found.netted
    console.print(
        f"  {format_amount(to_close)} contracts at mark {format_amount(found.mark)}; ADL price "
        f"{format_amount(found.price)}, for a compensation of {format_amount(found.compensation)}"
    )
    if found.netted:
        console.print(f"  {format_amount(found.netted)} of them netted at mark within the pool: nobody else held any")
    if found.fills:
        console.print("  highest leveraged return first; equal ones by account id")
        table = make_table("Place", "Account", "Contracts", "Price", "Leveraged return", "Gave up")
        for fill in found.fills:
            table.add_row(
                str(fill.place),
                fill.account,
                show_amount(fill.contracts),
                show_amount(fill.price),
                show_amount(fill.leveraged_return),
                show_amount(fill.given_up),
            )
        console.print(table)
    for account, reason in found.skipped:
        console.print(f"  skipped {account}: {_SKIPPED[reason]}")
    if found.second_pass:
        console.print("  solvent accounts did not suffice: some were closed at the price that took their whole equity")
    if found.parameters is not None:
        is_open = now <= found.open_until
        console.print(
            f"  cutoff {format_amount(found.cutoff_return)} ({found.cutoff_account}); "
            f"{'open to challenges until' if is_open else 'closed to challenges since'} {show_time(found.open_until)}, "
            f"{format_amount(found.bond_left)} of the bond of {format_amount(found.bond)} left"
        )
    for one in found.proven:
        console.print(
            f"  left out: {one.account}, leveraged return {format_amount(one.leveraged_return)}, spared "
            f"{format_amount(one.spared)}; cost the keeper {format_amount(one.penalty)}, shown by {one.challenger}"
        )


def finding_document(finding: Finding) -> dict[str, Any]:
    """An omission; amounts are decimal strings."""
    return {
        "round": finding.round.id,
        "account": finding.omission.account,
        "keeper": finding.round.keeper,
        "leveragedReturn": format_amount(finding.omission.leveraged_return),
        "cutoffReturn": format_amount(finding.round.cutoff_return),
        "spared": format_amount(finding.omission.spared),
        "sent": finding.receipt is not None,
        "transaction": finding.receipt.transaction if finding.receipt else None,
        "gas": finding.gas,
        "refused": finding.refusal,
    }


def finding_line(finding: Finding) -> str:
    """An omission in one line."""
    omission = finding.omission
    what = (
        f"round {finding.round.id} left out {omission.account}: leveraged return "
        f"{format_amount(omission.leveraged_return)} above the cutoff {format_amount(finding.round.cutoff_return)}, "
        f"spared {format_amount(omission.spared)}"
    )
    if finding.receipt is not None:
        return f"{what}; challenged in {finding.receipt.transaction}, {finding.gas:,} gas"
    if finding.refusal is not None:
        return f"{what}; the challenge is refused: {finding.refusal}"
    return f"{what}; a challenge would use about {finding.gas:,} gas"


def looked_at_line(rounds: list[int]) -> str:
    """Which rounds were looked at, in one line: also where nobody was left out, or none was open."""
    if not rounds:
        return "no round is open to challenges"
    return f"looked at round{'s' if len(rounds) > 1 else ''} {', '.join(map(str, rounds))}"
