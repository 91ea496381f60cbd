"""On what terms a losing inventory is deleveraged: `InsuranceFund.adlTerms`."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.account_id import isolated_sub_id
from backstop.deployment.pool_terms import PoolKind
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, now, refused, wait_until
from tests.support.desk import Desk, create_pool, open_desk
from tests.support.enums import Side, Trigger

NINE_HOURS = 9 * 3600
WEI = pytest.mark.parametrize("wei", [-1, 0, 1], ids=["a wei below", "at it", "a wei above"])


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100 in a pool of its own that is empty."""
    return open_desk(venue, "SOL-USD", 100)


def lapse(*desks: Desk) -> None:
    """Samples the results and lets the window pass, so that what is lost so far is nobody's drawdown; prices stay."""
    marks = [each.mark() // 10**10 for each in desks]
    for each in desks:
        each.checkpoint()
    wait_until(now() + NINE_HOURS)
    for each, mark in zip(desks, marks, strict=True):
        act(each.venue.owner, each.market.feed.setAnswer, mark)


def judged(terms: Any) -> tuple[Trigger, int, int, int]:
    """Trigger, compensation, price and execution price."""
    return Trigger(terms.trigger), terms.compensation, terms.price, terms.executionPrice


NOT_DUE = (Trigger.NONE, 0, 0, 0)


def bounds(desk: Desk, trigger: str, stop: str, target: str) -> None:
    """Sets the drawdown bounds."""
    act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, wad(trigger), wad(stop), wad(target))


# ---------------------------------------------------------------------- nothing due


def test_no_inventory(desk: Desk) -> None:
    for side in Side:
        terms = desk.terms(side)
        assert judged(terms) == NOT_DUE
        assert (terms.size, terms.entryNotional, terms.inventoryLoss, terms.mark) == (0, 0, 0, 0)


def test_losing_but_not_due(desk: Desk) -> None:
    desk.contribute(20_000)
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.price(94)
    terms = desk.terms(Side.LONG)
    assert judged(terms) == NOT_DUE
    assert (terms.size, terms.entryNotional, terms.inventoryLoss) == (wad(1000), wad(99_000), wad(5000))


@pytest.mark.parametrize("mark", [99, 150], ids=["at its price", "far above"])
def test_inventory_that_does_not_lose(desk: Desk, mark: int) -> None:
    desk.inherit("icarus", 1000, 100, 1000, 98)
    desk.price(mark)
    terms = desk.terms(Side.LONG)
    assert judged(terms) == NOT_DUE
    assert (terms.size, terms.inventoryLoss) == (wad(1000), 0)


def test_a_deficit_that_no_inventory_carries(desk: Desk) -> None:
    """Short of 1,000 for good, while what is left of the inventory gains: nobody is asked for that."""
    desk.inherit("icarus", 1000, 100, 1000, 98)
    desk.deleverage(Side.LONG, [desk.trader("whale")])
    desk.inherit("phaethon", 10, 98, 98, 88)
    desk.price(120)
    for side in Side:
        assert judged(desk.terms(side)) == NOT_DUE


# ---------------------------------------------------------------------- by drawdown


@pytest.mark.parametrize(
    ("target", "compensation", "price"),
    [("0.25", 2000, "82.5"), ("0.27", 1600, "82"), ("0.3", 1000, "81.25")],
    ids=["target at stop", "target between", "target at trigger"],
)
def test_the_published_case(desk: Desk, target: str, compensation: int, price: str) -> None:
    """20,000; 800 from 90 with a margin of 1,000; the mark gaps to 80."""
    bounds(desk, "0.3", "0.25", target)
    desk.contribute(20_000)
    desk.inherit("icarus", 800, 90, 1000, 80)
    terms = desk.terms(Side.LONG)
    assert judged(terms) == (Trigger.DRAWDOWN, wad(compensation), wad(price), wad(price))
    assert (terms.size, terms.entryNotional, terms.inventoryLoss) == (wad(800), wad(71_000), wad(7000))
    assert terms.mark == wad(80)
    assert judged(desk.terms(Side.SHORT)) == NOT_DUE


@pytest.mark.parametrize(("target", "compensation", "price"), [("0.25", 2000, "97.5"), ("0.3", 1000, "98.75")])
def test_the_published_case_mirrored(desk: Desk, target: str, compensation: int, price: str) -> None:
    """A short of 800 from 90 with 1,000 is bankrupt at 91.25; the mark gaps to 100."""
    bounds(desk, "0.3", "0.25", target)
    desk.contribute(20_000)
    desk.inherit("icarus", -800, 90, 1000, 100)
    terms = desk.terms(Side.SHORT)
    assert judged(terms) == (Trigger.DRAWDOWN, wad(compensation), wad(price), wad(price))
    assert (terms.size, terms.entryNotional, terms.inventoryLoss) == (wad(-800), wad(-73_000), wad(7000))
    assert judged(desk.terms(Side.LONG)) == NOT_DUE


@WEI
def test_at_the_trigger_a_target_there_asks_for_nothing(desk: Desk, wei: int) -> None:
    bounds(desk, "0.3", "0.25", "0.3")
    desk.contribute(20_000)
    desk.inherit("icarus", 1000, 100, 1000, 99, wei=wei)
    desk.price(93)
    assert desk.backing().drawdownDue is (wei >= 0)
    price = wad(93) + 1
    assert judged(desk.terms(Side.LONG)) == (NOT_DUE if wei <= 0 else (Trigger.DRAWDOWN, 1, price, price))


@pytest.mark.parametrize("direction", [1, -1], ids=["long", "short"])
def test_the_step_is_rounded_toward_the_pool(desk: Desk, direction: int) -> None:
    """1,000 for 700 contracts are 1.428571428571428571 and a bit each."""
    desk.contribute(20_000)
    desk.inherit("icarus", direction * 700, 100, 700, 100 - direction)
    desk.price("90.42857142" if direction > 0 else "109.57142858")
    mark, loss = desk.mark(), 700 * wad("8.57142858")
    terms = desk.terms(Side.LONG if direction > 0 else Side.SHORT)
    assert terms.inventoryLoss == loss
    compensation = loss - wad(5000)
    step = -(-compensation // 700)
    assert step * 700 != compensation
    assert judged(terms) == (Trigger.DRAWDOWN, compensation, mark + direction * step, mark + direction * step)


def test_never_beyond_the_bankruptcy_price(desk: Desk) -> None:
    """Part was closed at a loss, then the price came back: what is due is more than what is left has lost."""
    desk.contribute(20_000)
    desk.inherit("icarus", 800, 90, 1000, 80)
    desk.deleverage(Side.LONG, [_short(desk, "hawk", 300)])
    desk.price(86)
    bounds(desk, "0.06", "0.05", "0.05")
    terms = desk.terms(Side.LONG)
    assert terms.inventoryLoss == 500 * wad("2.75")
    assert terms.compensation == wad(1875) + 500 * wad("2.75") - wad(1000) > terms.inventoryLoss
    assert (terms.price, terms.executionPrice) == (wad("88.75"), wad("88.75"))


def _short(desk: Desk, name: str, contracts: int) -> Any:
    """Somebody who is short at mark, against the anchor."""
    trader, anchor = desk.trader(name), desk.trader("anchor")
    mark = desk.mark()
    for who in (trader, anchor):
        desk.deposit(who, 100_000)
    desk.trade(anchor, trader, wad(-contracts), mark)
    return trader


def test_long_and_short_share_by_loss(desk: Desk) -> None:
    """1,000 long from 99 and 500 short from 91 at 95: of 1,000 due the long carries two thirds, the short the rest."""
    desk.contribute(20_000)
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.inherit("midas", -500, 90, 500, 91, against="kraken")
    desk.price(95)
    two_thirds = wad(2000) // 3
    rest = wad(1000) - two_thirds
    assert (two_thirds % 10, rest % 10) == (6, 4)
    long_price = wad(95) - (-two_thirds // 1000)
    short_price = wad(95) + (-rest // 500)
    assert judged(desk.terms(Side.LONG)) == (Trigger.DRAWDOWN, two_thirds, long_price, long_price)
    assert judged(desk.terms(Side.SHORT)) == (Trigger.DRAWDOWN, rest, short_price, short_price)


def test_only_the_losing_side_pays(desk: Desk) -> None:
    desk.contribute(20_000)
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.inherit("midas", -500, 90, 500, 91, against="kraken")
    desk.price(90)
    assert desk.terms(Side.LONG).compensation == wad(4000)
    assert judged(desk.terms(Side.SHORT)) == NOT_DUE


# ---------------------------------------------------------------------- by depletion


def test_an_empty_pool_pays_the_bankruptcy_price(desk: Desk) -> None:
    """Where the fund has nothing the price of ADL is the bankruptcy price of the bankrupt trader."""
    desk.inherit("icarus", 800, 90, 1000, 80)
    assert judged(desk.terms(Side.LONG)) == (Trigger.DEPLETION, wad(7000), wad("88.75"), wad("88.75"))


@pytest.mark.parametrize(
    ("contracts", "mark", "price", "execution"),
    [
        (7, 80, "85.714285714285714285", "85.714285714285714286"),
        (-7, 120, "114.285714285714285715", "114.285714285714285714"),
    ],
    ids=["long", "short"],
)
def test_the_bankruptcy_price_is_rounded_toward_mark(
    desk: Desk, contracts: int, mark: int, price: str, execution: str
) -> None:
    """7 contracts from 100 with a margin of 100; fills are rounded toward the pool, up to what is owed."""
    desk.inherit("icarus", contracts, 100, 100, mark)
    terms = desk.terms(Side.LONG if contracts > 0 else Side.SHORT)
    assert judged(terms) == (Trigger.DEPLETION, wad(40), wad(price), wad(execution))


@WEI
@pytest.mark.parametrize("direction", [1, -1], ids=["long", "short"])
def test_a_balance_of_nothing(desk: Desk, direction: int, wei: int) -> None:
    """20,000 lost of 20,000, long ago: at a balance of zero nothing is due, a wei below it is that wei."""
    desk.contribute(20_000)
    desk.inherit("icarus", direction * 1000, 100, 1000, 100 - direction, wei=wei)
    desk.price(100 - 21 * direction)
    lapse(desk)
    backing = desk.backing()
    assert (backing.balance, backing.drawdown) == (-wei, 0)
    price = desk.mark() + direction
    expected = (Trigger.DEPLETION, 1, price, price) if wei > 0 else NOT_DUE
    assert judged(desk.terms(Side.LONG if direction > 0 else Side.SHORT)) == expected


def test_long_and_short_share_a_deficit(desk: Desk) -> None:
    """4,000 and 2,000 lost of 5,000, long ago: of 1,000 missing the long carries two thirds, the short the rest."""
    desk.contribute(5000)
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.inherit("midas", -500, 90, 500, 91, against="kraken")
    desk.price(95)
    lapse(desk)
    two_thirds = wad(2000) // 3
    assert desk.terms(Side.LONG).compensation == two_thirds
    assert desk.terms(Side.SHORT).compensation == wad(1000) - two_thirds
    assert {desk.terms(side).trigger for side in Side} == {Trigger.DEPLETION}


def test_an_own_pool_that_is_empty_beside_rich_ones(desk: Desk, venue: Venue) -> None:
    """Shared collateral must not hide the loss."""
    rich = open_desk(venue, "BTC-USD", 100)
    rich.contribute(1_000_000)
    desk.inherit("icarus", 800, 90, 1000, 80)
    assert desk.terms(Side.LONG).trigger == Trigger.DEPLETION


# ---------------------------------------------------------------------- a pool of several markets


@pytest.fixture
def majors(venue: Venue) -> list[Desk]:
    """Three markets at 100 in one pool, which is empty."""
    pool = create_pool(venue, "majors", PoolKind.SHARED)
    return [open_desk(venue, name, 100, pool=pool) for name in ("A-USD", "B-USD", "C-USD")]


def test_markets_share_a_deficit_by_loss_and_the_last_takes_the_remainder(majors: list[Desk]) -> None:
    """Lost long ago: 4,000 by A's long, 1,000 by B's short, 2,000 by C's long; of 7,000 the pool had 1,000."""
    a, b, c = majors
    a.contribute(1000)
    a.inherit("icarus", 1000, 100, 1000, 99)
    b.inherit("midas", -100, 100, 100, 101)
    c.inherit("phaethon", 200, 100, 200, 99)
    for each, price in ((a, 95), (b, 111), (c, 89)):
        each.price(price)
    lapse(*majors)
    shares = [6000 * wad(4000) // 7000, 6000 * wad(1000) // 7000]
    shares.append(wad(6000) - sum(shares))
    found = [a.terms(Side.LONG), b.terms(Side.SHORT), c.terms(Side.LONG)]
    assert [terms.compensation for terms in found] == shares
    assert {terms.trigger for terms in found} == {Trigger.DEPLETION}
    assert shares[2] != 6000 * wad(2000) // 7000


def test_a_market_that_does_not_lose_carries_no_deficit(majors: list[Desk]) -> None:
    a, b, _ = majors
    a.inherit("icarus", 1000, 100, 1000, 99)
    b.inherit("midas", -100, 100, 100, 101)
    a.price(95)
    b.price(90)
    assert a.terms(Side.LONG).compensation == wad(4000)
    assert judged(b.terms(Side.SHORT)) == NOT_DUE


def old_and_new(majors: list[Desk], cash: str) -> tuple[Desk, Desk]:
    """A has lost 5,000 long ago and 1,000 now, B 1,000 long ago and 1,000 now; the pool had `cash`."""
    a, b, _ = majors
    a.contribute(cash)
    for each, name in ((a, "icarus"), (b, "phaethon")):
        each.inherit(name, 1000, 100, 1000, 99)
    a.price(94)
    b.price(98)
    lapse(a, b)
    a.price(93)
    b.price(97)
    return a, b


@pytest.mark.parametrize(
    ("cash", "trigger", "compensation"),
    [
        # base is cash - 6,000, the deficit 8,000 - cash, of which A carries 6/8.
        ("6000.4", Trigger.DEPLETION, "1499.7"),
        ("6999.999996", Trigger.DEPLETION, "750.000003"),
        ("7000", Trigger.DRAWDOWN, "750"),
        ("7000.000004", Trigger.DRAWDOWN, "749.999999"),
        ("7500", Trigger.DRAWDOWN, "625"),
    ],
    ids=["deficit", "deficit by a little", "a tie", "drawdown by a little", "drawdown"],
)
def test_of_both_triggers_the_larger_counts(majors: list[Desk], cash: str, trigger: Trigger, compensation: str) -> None:
    a, _ = old_and_new(majors, cash)
    terms = a.terms(Side.LONG)
    assert (Trigger(terms.trigger), terms.compensation) == (trigger, wad(compensation))


def test_each_market_is_judged_by_itself(majors: list[Desk]) -> None:
    """With 7,000 a tie for A: 750 either way. B's share of the deficit is 250, its drawdown asks for 750."""
    a, b = old_and_new(majors, "7000")
    assert a.backing().base == b.backing().base == wad(1000)
    assert (b.terms(Side.LONG).trigger, b.terms(Side.LONG).compensation) == (Trigger.DRAWDOWN, wad(750))


def test_a_pool_of_sixteen_markets(venue: Venue) -> None:
    """The most that a pool may back, all losing: shares add up to the deficit, and there is gas enough by far."""
    pool = create_pool(venue, "many", PoolKind.SHARED)
    desks = [open_desk(venue, "M0-USD", 100, pool=pool)]
    desks += [open_desk(venue, f"M{i}-USD", 100, pool=pool, feed=desks[0].market.feed) for i in range(1, 16)]
    icarus, whale = desks[0].trader("icarus"), desks[0].trader("whale")
    for who in (icarus, whale):
        desks[0].fill_purse(who, 10_000)
    for i, each in enumerate(desks):
        for who, margin in ((icarus, 7 + i), (whale, 100)):
            act(who, each.exchange.deposit, isolated_sub_id(each.market.id), tokens(margin))
        each.trade(whale, icarus, wad(7 + i), wad(100))
    desks[0].contribute(100)
    desks[0].price("88.88888888")
    assert max(each.take_over(icarus).gas_used for each in desks) < 3_000_000
    lapse(*desks)
    found = [each.terms(Side.LONG) for each in desks]
    assert sum(terms.compensation for terms in found) == -desks[0].backing().balance > 0
    assert all(terms.trigger == Trigger.DEPLETION for terms in found)
    assert desks[7].deleverage(Side.LONG, [whale]).gas_used < 3_000_000


# ---------------------------------------------------------------------- prices


def test_no_terms_without_a_price(desk: Desk) -> None:
    """There are none to read where a round is due; where none is, nothing needs a price."""
    desk.inherit("icarus", 800, 90, 1000, 80)
    assert desk.terms(Side.LONG).trigger != Trigger.NONE
    updated = now()
    wait_until(updated + 3601)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        act(desk.trader("keeper"), desk.fund.adlTerms, desk.market.id, Side.LONG)
    assert desk.terms(Side.SHORT).trigger == Trigger.NONE


def test_another_market_of_the_pool_without_a_price_counts_at_its_last_one_moved_by_mmf(majors: list[Desk]) -> None:
    a, b, _ = majors
    for each, name in ((a, "icarus"), (b, "phaethon")):
        each.inherit(name, 1000, 100, 1000, 90)
    updated = b.priced_at()
    wait_until(updated + 3601)
    a.price(90)
    before = a.backing()
    fraction = b.exchange.maintenanceMarginFraction(b.market.id)
    haircut = wad(90) * fraction // 10**18
    # Both hold 1,000 from 99.
    assert (before.longLoss, before.balance) == (wad(9000), -wad(18_000) - 1000 * haircut)
    terms = a.terms(Side.LONG)
    assert (terms.trigger, terms.mark) == (Trigger.DEPLETION, wad(90))
    # The pool's whole deficit, shared by loss.
    assert terms.compensation == -before.balance * wad(9000) // (wad(18_000) + 1000 * haircut)
    with refused(b.price_feed.PriceStale, market=b.market.id, updatedAt=updated, heartbeat=3600):
        act(b.trader("keeper"), b.fund.adlTerms, b.market.id, Side.LONG)
