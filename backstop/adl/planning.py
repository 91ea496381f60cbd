"""What is due now, and the rounds that would end it: a pure function of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.adl.due import Due, Trigger, due_inventory
from backstop.adl.execution import Fill, Round, Skipped, run_round
from backstop.adl.listing import Listing, list_candidates
from backstop.adl.scoring import SideBook, score_sides
from backstop.adl.snapshot import Side, Snapshot
from backstop.math.fund import adl_price


@dataclass(frozen=True, slots=True)
class Plan:
    """One round: why, at which price, against whom. WAD; `side` is the inventory's, `contracts` its whole size.

    `compensation` is before the cap by the bankruptcy price; `netted` are contracts closed at mark against the pool's
    own opposite inventory, `uncovered` those without any counterparty. `listing` is what to submit.
    """

    market: str
    side: Side
    pool: str
    trigger: Trigger
    drawdown: int | None
    compensation: int
    adl_price: int
    contracts: int
    fills: tuple[Fill, ...]
    skipped: tuple[Skipped, ...]
    netted: int
    uncovered: int
    listing: Listing


def plan(snapshot: Snapshot) -> list[Plan]:
    """The rounds that are due, by market (in market order) then side; each from the state of the snapshot alone."""
    due = due_inventory(snapshot)
    books = score_sides(snapshot, {(item.inventory.market, _counter_side(item)) for item in due})
    return [_plan_one(snapshot, item, books[item.inventory.market, _counter_side(item)]) for item in due]


def _plan_one(snapshot: Snapshot, due: Due, book: SideBook) -> Plan:
    inventory = due.inventory
    mark = snapshot.markets[inventory.market].mark_price
    price = adl_price(inventory.size, inventory.entry_notional, mark, due.compensation)
    result = run_round(inventory, book, price, mark)
    netted = _netted(snapshot, due, book, result)
    return Plan(
        market=inventory.market,
        side=Side.of(inventory.size),
        pool=due.pool,
        trigger=due.trigger,
        drawdown=due.drawdown,
        compensation=due.compensation,
        adl_price=price.adl,
        contracts=abs(inventory.size),
        fills=tuple(result.fills),
        skipped=tuple(result.skipped),
        netted=netted,
        uncovered=abs(result.size) - netted,
        listing=list_candidates(snapshot, inventory.market, _counter_side(due), book, result, price.adl),
    )


def _counter_side(due: Due) -> Side:
    return Side.of(due.inventory.size).opposite


def _netted(snapshot: Snapshot, due: Due, book: SideBook, result: Round) -> int:
    """What is left is netted where no account holds the other side any more.

    Whoever is ranked is closed by then, so it is the bankrupt who are in the way: they are taken over first.
    """
    if book.bankrupt:
        return 0
    opposite = _counter_side(due)
    held = sum(
        abs(item.size)
        for item in snapshot.pools[due.pool].inventory
        if item.market == due.inventory.market and Side.of(item.size) is opposite
    )
    return min(abs(result.size), held)
