"""A round to the wei: entries, dust, and what is credited against what is debited."""

from __future__ import annotations

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.published_case import PRICE, outcome, published_case, traders
from tests.support.acting import emitted
from tests.support.desk import FLAT, Desk, open_desk
from tests.support.enums import Side


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The published case after the takeover: 800 long contracts to close."""
    return published_case(venue)


@pytest.fixture
def sevenths(venue: Venue) -> Desk:
    """7 long contracts bankrupt at 600/7 in an empty pool, at a mark of 80; heron is short 7 against them."""
    desk = open_desk(venue, "DOGE-USD", 100)
    desk.inherit("icarus", 7, 100, 100, 80, against="heron")
    return desk


def test_the_last_fill_closes_the_entry_to_the_wei(sevenths: Desk) -> None:
    """Rounded toward the pool contract by contract, but what it gets in all is what it owed."""
    desk = sevenths
    heron, gull = desk.trader("heron"), desk.trader("gull")
    desk.deposit(gull, 1000)
    desk.trade(gull, heron, wad("2.5"), wad(80))
    done = desk.deleverage(Side.LONG, [heron, gull])
    values = [each["value"] for each in emitted(done, desk.engine.Deleveraged)]
    assert [each["size"] for each in emitted(done, desk.engine.Deleveraged)] in (
        [wad("4.5"), wad("2.5")],
        [wad("2.5"), wad("4.5")],
    )
    assert sum(values) == wad(600)
    assert outcome(desk, done)["price"] == wad("85.714285714285714285")
    assert desk.inventory(Side.LONG) == (0, 0)
    assert desk.backing().balance == 0


def test_rounding_makes_nobody_insolvent(sevenths: Desk) -> None:
    """A short of one contract that has just enough: the fill is rounded up, but not beyond what it has."""
    desk = sevenths
    gull, heron = desk.trader("gull"), desk.trader("heron")
    step = wad("5.714285714285714285")
    desk.deposit(gull, 5)
    desk.trade(heron, gull, wad(-1), wad(80) + step - wad(5))
    assert desk.equity(gull) == step
    done = desk.deleverage(Side.LONG, [gull])
    (only,) = emitted(done, desk.engine.Deleveraged)
    # ceil(1 * 85.714285714285714286) would have been a wei more than there is.
    assert (only["price"], only["value"]) == (wad(80) + step, wad(80) + step)
    assert desk.holding(gull) == FLAT


@pytest.mark.parametrize("parts", [[1, 1, 1], [3, 5, 999_999_999]])
def test_dust_is_closed_too(sevenths: Desk, parts: list[int]) -> None:
    """A few wei of contracts: nobody pays more than they have, and the pool gets no more than it owed."""
    desk = sevenths
    heron = desk.trader("heron")
    mites = [desk.trader(f"mite {i}") for i in range(len(parts))]
    for mite, part in zip(mites, parts, strict=True):
        desk.deposit(mite, "0.000001")
        desk.trade(heron, mite, -part, wad(80))
    done = desk.deleverage(Side.LONG, mites)
    assert outcome(desk, done)["contracts"] == sum(parts)
    for mite in mites:
        held = desk.holding(mite)
        assert (held.size, held.entry) == (0, 0)
        assert 0 <= held.margin <= 10**12
    assert desk.backing().balance <= 0


def test_credits_are_debits(desk: Desk) -> None:
    """Both legs settle at one price: what the pool gets for the inventory is what the counterparties take on."""
    who = traders(desk, "hawk swift heron owl finch")
    cash = [desk.holding(each).cash for each in who]
    claim = desk.fund.claim(desk.market.pool)
    done = desk.deleverage(Side.LONG, who)
    paid = [before - desk.holding(each).cash for before, each in zip(cash, who, strict=True)]
    values = [each["value"] for each in emitted(done, desk.engine.Deleveraged)]
    assert paid == values + [0] * 3
    assert desk.fund.claim(desk.market.pool) - claim == sum(values) == outcome(desk, done)["value"]


def test_the_gain_of_a_counterparty_is_kept(desk: Desk) -> None:
    """Closed at the price, not a unit worse: its margin grows by what it had gained there."""
    who = traders(desk, "hawk swift")
    before = [desk.holding(each) for each in who]
    done = desk.deleverage(Side.LONG, who)
    for old, each, event in zip(before, who, emitted(done, desk.engine.Deleveraged), strict=True):
        closed = event["size"]
        gain = -old.entry * closed // -old.size - closed * PRICE // 10**18
        assert desk.holding(each).margin - old.margin >= gain - 1
