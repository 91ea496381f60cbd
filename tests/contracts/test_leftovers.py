"""What a liquidator leaves of a position that sinks on: the pool takes it over, and a round closes it with its debt."""

from __future__ import annotations

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import act, emitted, refused
from tests.support.desk import FLAT, Desk, open_desk, open_shared
from tests.support.enums import Side, Trigger

TEN = wad(10)
SIDES = pytest.mark.parametrize("side", list(Side), ids=["long", "short"])
# 10 from 100 with a margin of 100. At 92 or 108 there are 20 left, and all may be closed; at the gap the rest owes.
DUE = {Side.LONG: 92, Side.SHORT: 108}
GAP = {Side.LONG: 70, Side.SHORT: 130}


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market whose pool is empty and gets no fee from a liquidation."""
    desk = open_desk(venue, "SOL-USD", 100, initial="0.1", maintenance="0.05")
    desk.set_parameters(liquidation_discount=wad("0.05"), liquidation_fee=0)
    for name in ("whale", "liquidator"):
        desk.deposit(desk.trader(name), 100_000)
    return desk


def all_but(desk: Desk, side: Side, *left: int) -> None:
    """Somebody's position is liquidated down to each of these, and no further."""
    icarus, remaining = desk.open("icarus", side.sign * TEN, wad(100), 100), TEN
    desk.price(DUE[side])
    for each in left:
        desk.liquidate(icarus, remaining - each, by=desk.trader("liquidator"))
        remaining = each
        assert desk.holding(icarus).size == side.sign * remaining


@SIDES
@pytest.mark.parametrize(
    "left",
    [(1,), (2,), (10**9 + 7,), (wad(1),), (TEN - 1,), (wad(3), wad(1), 1)],
    ids=["one unit", "two units", "dust", "a contract", "all but one unit", "bit by bit down to one unit"],
)
def test_leave_one_unit_open_and_the_debt_is_still_resolved(desk: Desk, side: Side, left: tuple[int, ...]) -> None:
    """Not a wei of it stays with the pool, which had nothing to pay it with."""
    all_but(desk, side, *left)
    icarus, whale = desk.trader("icarus"), desk.trader("whale")
    desk.price(GAP[side])
    owed = -desk.equity(icarus)
    assert owed > 0
    desk.take_over(icarus)
    assert desk.holding(icarus) == FLAT
    assert desk.backing().balance == -owed
    terms = desk.terms(side)
    assert (terms.trigger, terms.compensation) == (Trigger.DEPLETION, owed)
    done = desk.deleverage(side, [whale])
    (fill,) = emitted(done, desk.engine.Deleveraged)
    assert fill["size"] == side.sign * left[-1]
    assert desk.inventory(side) == (0, 0)
    assert desk.backing().balance == 0
    assert desk.terms(side).trigger == Trigger.NONE
    # The other side is as large as what the liquidator carries.
    assert desk.holding(whale).size == -side.sign * (TEN - left[-1])
    assert desk.holding(desk.trader("liquidator")).size == side.sign * (TEN - left[-1])


@SIDES
def test_a_liquidator_who_leaves_a_unit_leaves_its_share_of_the_equity_too(desk: Desk, side: Side) -> None:
    """The penalty takes no more than the closed part of the equity: what is left is no deeper in debt."""
    all_but(desk, side, wad(1))
    assert desk.equity(desk.trader("icarus")) == wad(2)


@SIDES
def test_leave_one_leg_of_a_cross_account_open_and_its_debt_is_resolved(venue: Venue, side: Side) -> None:
    """One leg is liquidated whole, of the other a unit is left; that unit is taken over and deleveraged."""
    desks = open_shared(venue, "A-USD", "B-USD")
    swan = desks[0].cross("swan")
    desks[0].deposit(swan, 200)
    for each in desks:
        each.set_parameters(liquidation_discount=wad("0.05"), liquidation_fee=0)
        for name in ("whale", "liquidator"):
            each.deposit(each.trader(name), 100_000)
        each.trade(each.trader("whale"), swan, side.sign * TEN, wad(100))
    for each in desks:
        each.price(DUE[side])
    first, last = desks
    first.liquidate(swan, by=first.trader("liquidator"))
    last.liquidate(swan, TEN - 1, by=last.trader("liquidator"))
    assert last.exchange.crossAccount(swan.id).legs == last.market.id
    last.price(GAP[side])
    assert last.equity(swan) < 0
    act(last.trader("keeper"), last.exchange.takeOver, swan.id)
    assert (last.holding(swan), last.exchange.crossAccount(swan.id).legs) == (FLAT, 0)
    last.deleverage(side, [last.trader("whale")])
    assert last.inventory(side) == (0, 0)
    assert last.backing().balance == 0


@SIDES
def test_where_there_is_a_smallest_size_no_unit_is_left(desk: Desk, side: Side) -> None:
    """All or as much as leaves a position of that size."""
    desk.set_parameters(min_size=wad(1))
    icarus = desk.open("icarus", side.sign * TEN, wad(100), 100)
    desk.price(DUE[side])
    with refused(desk.exchange.PositionTooSmall, account=desk.account(icarus), contracts=wad(1) - 1, minSize=wad(1)):
        desk.liquidate(icarus, wad(9) + 1, by=desk.trader("liquidator"))
    desk.liquidate(icarus, wad(9), by=desk.trader("liquidator"))
    assert desk.holding(icarus).size == side.sign * wad(1)
