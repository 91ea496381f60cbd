"""Two inventories of one pool against each other, where nobody else holds the other side of a round."""

from __future__ import annotations

import pytest

from scripts.stage.venue import Venue, wad
from tests.contracts.published_case import outcome, skips, traders
from tests.support.acting import emitted, refused
from tests.support.desk import Account, Desk, open_desk
from tests.support.enums import Side, SkipReason, Trigger


@pytest.fixture
def both(venue: Venue) -> Desk:
    """Long 10 from 90 and short 10 from 110 in an empty pool, at a mark of 120, and nobody else in the market."""
    desk = open_desk(venue, "PEPE-USD", 100)
    desk.seat("""
        icarus   10 100 100
        midas   -10 100 100
    """)
    for name, mark in (("icarus", 90), ("midas", 120)):
        desk.price(mark)
        desk.take_over(desk.trader(name))
    return desk


def test_what_nobody_else_holds_is_netted_at_mark(both: Desk) -> None:
    desk = both
    claim = desk.fund.claim(desk.market.pool)
    assert desk.backing().balance == wad(-100)
    done = desk.deleverage(Side.SHORT, [])
    assert emitted(done, desk.fund.InventoryNetted) == [
        {
            "pool": desk.market.pool,
            "market": desk.market.id,
            "contracts": wad(10),
            "mark": wad(120),
            "result": wad(200),
        }
    ]
    assert outcome(desk, done) == {
        "side": Side.SHORT,
        "trigger": Trigger.DEPLETION,
        "mark": wad(120),
        "price": wad(110),
        "contracts": 0,
        "netted": wad(10),
        "value": 0,
        "compensation": wad(100),
    }
    assert desk.inventory(Side.LONG) == desk.inventory(Side.SHORT) == (0, 0)
    assert desk.open_interest() == 0
    assert desk.fund.claim(desk.market.pool) == claim == wad(200)
    assert (desk.backing().balance, desk.backing().pnl) == (wad(200), wad(200))
    assert emitted(done, desk.fund.InventoryClosed) == emitted(done, desk.engine.Deleveraged) == []


def test_candidates_that_are_none_do_not_stop_netting(both: Desk) -> None:
    desk = both
    done = desk.deleverage(Side.SHORT, traders(desk, "icarus midas"))
    assert [reason for _, reason in skips(desk, done)] == [SkipReason.FLAT, SkipReason.FLAT]
    assert outcome(desk, done)["netted"] == wad(10)


def test_what_is_left_after_the_last_holder_is_netted(both: Desk) -> None:
    """Somebody is long 4 against a new short: they are closed first, then what the pool's own long covers."""
    desk = both
    desk.price(100)
    desk.seat("""
        bull     4 100  400
        bear    -4 100   40
    """)
    desk.price(120)
    desk.take_over(desk.trader("bear"))
    assert desk.inventory(Side.SHORT) == (wad(-14), wad(-1540))
    done = desk.deleverage(Side.SHORT, traders(desk, "bull"))
    found = outcome(desk, done)
    assert (found["contracts"], found["netted"], found["price"]) == (wad(4), wad(10), wad(110))
    assert desk.holding(desk.trader("bull")) == Account(0, 0, wad(440))
    assert desk.inventory(Side.LONG) == desk.inventory(Side.SHORT) == (0, 0)
    assert desk.open_interest() == 0


def test_nothing_is_netted_while_somebody_holds_the_other_side(both: Desk) -> None:
    """A wei of contracts that was not called on is enough."""
    desk = both
    desk.price(100)
    desk.seat("""
        bull     4 100  400
        mite     1 100  100
        bear    -5 100 1000
    """)
    desk.price(120)
    done = desk.deleverage(Side.SHORT, traders(desk, "bull"))
    found = outcome(desk, done)
    assert (found["contracts"], found["netted"]) == (wad(4), 0)
    assert desk.inventory(Side.LONG) == (wad(10), wad(900))
    with refused(desk.engine.CandidatesMissing, market=desk.market.id):
        desk.deleverage(Side.SHORT, [])


def test_nothing_is_netted_while_a_bankrupt_holds_the_other_side(both: Desk) -> None:
    """It is to be taken over; then it is the pool's own."""
    desk = both
    desk.price(150)
    desk.seat(
        """
        daedal    4 150   20
        bear     -4 150 1000
    """.replace("   20", "   60")
    )
    desk.price(120)
    daedal = desk.trader("daedal")
    with refused(desk.engine.NothingDeleveraged, candidates=1):
        desk.deleverage(Side.SHORT, [daedal])
    desk.take_over(daedal)
    done = desk.deleverage(Side.SHORT, [])
    assert outcome(desk, done)["netted"] == wad(10)
    assert desk.inventory(Side.LONG)[0] == wad(4)


def test_the_larger_inventory_keeps_its_share_of_the_entry(both: Desk) -> None:
    """14 long from 90 and 100/7, of which 10 are netted: the entry that goes with them is rounded up."""
    desk = both
    desk.price(100)
    desk.seat("""
        phaethon   4 100    4
        bear      -4 100 9000
    """)
    desk.price(80)
    desk.take_over(desk.trader("phaethon"))
    size, entry = desk.inventory(Side.LONG)
    assert (size, entry) == (wad(14), wad(900 + 396))
    desk.price(120)
    done = desk.deleverage(Side.SHORT, [])
    gone = -(-entry * 10 // 14)
    assert desk.inventory(Side.LONG) == (wad(4), entry - gone)
    (netted,) = emitted(done, desk.fund.InventoryNetted)
    assert netted["result"] == wad(1100) - gone
