"""What a round leaves alone, and how everybody goes on after it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.published_case import outcome, published_case, traders
from tests.support.acting import act, emitted, later
from tests.support.desk import Account, Desk, open_desk
from tests.support.enums import Side
from tests.support.proofs import assert_proofs


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The published case after the takeover: 800 long contracts to close."""
    return published_case(venue)


def test_the_other_inventory_is_not_touched(desk: Desk) -> None:
    """The pool also holds a short that gains: a round of the long leaves it alone."""
    desk.inherit("midas", -100, 80, 1000, 99, against="kraken")
    desk.price(80)
    short = desk.inventory(Side.SHORT)
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    assert desk.inventory(Side.SHORT) == short == (wad(-100), wad(-9000))
    assert desk.inventory(Side.LONG) == (0, 0)


def test_both_sides_of_a_market_are_deleveraged(venue: Venue) -> None:
    """Long from 99 and short from 91 at 95: first one, then the other, each at the price of its share."""
    desk = open_desk(venue, "XRP-USD", 100)
    desk.contribute(10_000)
    desk.inherit("icarus", 1000, 100, 1000, 99, against="bear")
    desk.inherit("midas", -1000, 90, 1000, 91, against="bull")
    desk.price(95)
    # 8,000 of 10,000 are lost; 5,500 above the target, half of it on each side.
    assert [desk.terms(side).price for side in Side] == [wad("97.75"), wad("92.25")]
    desk.deleverage(Side.LONG, traders(desk, "bear"))
    assert desk.terms(Side.SHORT).price == wad("92.25")
    done = desk.deleverage(Side.SHORT, traders(desk, "bull"))
    assert outcome(desk, done)["compensation"] == wad(2750)
    assert (desk.backing().drawdown, desk.backing().balance) == (wad("0.25"), wad(7500))


def test_nothing_is_created_by_trading_on_after_a_round(desk: Desk) -> None:
    """Trade on and move the mark: sizes sum to zero, tokens held are the claims, and what some win others lose."""
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    whale, swift, hawk = traders(desk, "whale swift hawk")
    for price, maker, taker, contracts in (
        (85, whale, swift, "33.333333333333333333"),
        (70, swift, hawk, "-0.000000000000000007"),
        ("91.23456789", whale, hawk, "-12.5"),
        (60, hawk, whale, "100.1"),
    ):
        desk.price(price)
        desk.trade(maker, taker, wad(contracts), wad(price))
        assert_proofs(desk.venue)
    names = "hawk swift heron owl finch whale"
    before = sum(desk.equity(each) for each in traders(desk, names))
    held = desk.backing().balance
    desk.price(75)
    after = sum(desk.equity(each) for each in traders(desk, names))
    # Values are rounded down, by less than a wei for each account.
    assert abs(after - before) <= 6
    assert desk.backing().balance == held


def test_a_deleveraged_trader_trades_on(desk: Desk) -> None:
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    hawk, whale = traders(desk, "hawk whale")
    desk.trade(whale, hawk, wad(-10), wad(80))
    assert desk.holding(hawk) == Account(wad(-10), wad(-800), wad(8250))
    act(hawk, desk.exchange.withdraw, desk.account(hawk), 8_000_000_000, hawk.address)


def test_a_round_is_no_risk_taken(desk: Desk) -> None:
    """`riskTime` stays: to be deleveraged raises nobody's risk."""
    who = traders(desk, "hawk swift")
    before = [desk.exchange.position(desk.account(each), desk.market.id).riskTime for each in who]
    later()
    desk.deleverage(Side.LONG, who)
    after = [desk.exchange.position(desk.account(each), desk.market.id).riskTime for each in who]
    assert after == before


def test_another_bankruptcy_opens_another_round(desk: Desk) -> None:
    """The pool stands at 15,000 with 5,000 lost: a new loss of 1,000 brings it to 30 %, and 1,000 are due again."""
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    desk.inherit("phaethon", 100, 80, 100, 69, against="kraken")
    assert desk.backing().loss == wad(6000)
    done = desk.deleverage(Side.LONG, [desk.trader("kraken")])
    assert outcome(desk, done)["compensation"] == wad(1000)
    assert outcome(desk, done)["price"] == wad(79)
    assert emitted(done, desk.engine.RoundExecuted)[0]["round"] == 2


def test_the_largest_positions(venue: Venue) -> None:
    """A thousandth of the contracts that 112 bits hold, worth nearly all that one may be: nothing overflows."""
    desk = open_desk(venue, "BIG-USD", "0.05")
    huge = 15 * 10**11
    icarus, whale = desk.trader("icarus"), desk.trader("whale")
    desk.deposit(icarus, huge * Decimal("0.00055"))
    desk.deposit(whale, huge * Decimal("0.05"))
    desk.trade(whale, icarus, wad(huge), wad("0.05"))
    desk.price("0.0001")
    desk.take_over(icarus)
    done = desk.deleverage(Side.LONG, [whale])
    assert outcome(desk, done)["price"] == wad("0.04945")
    assert outcome(desk, done)["value"] == wad("0.04945") * huge
    assert desk.holding(whale) == Account(0, 0, wad("0.05055") * huge)


def test_twenty_counterparties_in_a_fraction_of_a_block(desk: Desk) -> None:
    """Gas is set by the batch that the caller chooses: less than 70,000 a counterparty, sorting, record and all."""
    anchor = desk.trader("anchor")
    flock = [desk.trader(f"starling {i}") for i in range(20)]
    desk.price(90)
    desk.deposit(anchor, 100_000)
    for i, each in enumerate(flock):
        desk.deposit(each, 20 + i % 7)
        desk.trade(anchor, each, wad(-10), wad(90))
    desk.price(80)
    done = desk.deleverage(Side.LONG, flock)
    assert outcome(desk, done)["contracts"] == wad(200)
    assert done.gas_used < 20 * 70_000
