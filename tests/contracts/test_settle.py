"""Two signed orders against each other, `Exchange.settle`: what a trade moves, and that it wants a price."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.bouts import HUNDRED, TEN, Bout, open_ring
from tests.support.acting import act, emitted, later, refused, wait_until
from tests.support.desk import Account, Desk, open_desk
from tests.support.proofs import nothing_changes


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each; the market is at 100, IM 10 %, MM 5 %."""
    return open_ring(venue, market)


@pytest.fixture(scope="module")
def other(venue: Venue) -> Desk:
    """Another market."""
    return open_desk(venue, "BTC-USD", 100)


# ---------------------------------------------------------------------- what a trade moves


def test_both_accounts_take_the_same_amount(desk: Desk) -> None:
    bout = Bout(desk)
    done = bout.settle()
    assert desk.holding(bout.maker) == Account(size=-TEN, entry=wad(-1000), margin=wad(1000))
    assert desk.holding(bout.taker) == Account(size=TEN, entry=wad(1000), margin=wad(1000))
    assert emitted(done, desk.exchange.Settled) == [
        {
            "market": desk.market.id,
            "maker": desk.account(bout.maker),
            "taker": desk.account(bout.taker),
            "size": TEN,
            "value": wad(1000),
            "price": HUNDRED,
            "makerFee": 0,
            "takerFee": 0,
            "makerOrder": bout.hash("maker"),
            "takerOrder": bout.hash("taker"),
        }
    ]


def test_a_selling_taker(desk: Desk) -> None:
    bout = Bout(desk, size=-TEN)
    (event,) = emitted(bout.settle(), desk.exchange.Settled)
    assert (event["size"], event["value"]) == (-TEN, wad(-1000))
    assert desk.holding(bout.maker) == Account(size=TEN, entry=wad(1000), margin=wad(1000))
    assert desk.holding(bout.taker) == Account(size=-TEN, entry=wad(-1000), margin=wad(1000))


def test_anybody_settles(desk: Desk) -> None:
    bout = Bout(desk)
    bout.settle(by=desk.trader("matcher"))
    assert desk.holding(bout.taker).size == TEN


@pytest.mark.parametrize(("size", "limit"), [(TEN, "101.5"), (-TEN, "98.5")], ids=["buying taker", "selling taker"])
def test_the_makers_price_holds(desk: Desk, size: int, limit: str) -> None:
    bout = Bout(desk, size=size)
    bout.change("taker", limit_price=wad(limit))
    (event,) = emitted(bout.settle(), desk.exchange.Settled)
    assert (event["price"], event["value"]) == (HUNDRED, size * 100)


@pytest.mark.parametrize(
    ("size", "price", "value"),
    [
        (1, wad("0.5"), 1),
        (-1, wad("0.5"), 0),
        (3, HUNDRED + 1, 301),
        (-3, HUNDRED + 1, -300),
        (TEN + 1, HUNDRED + 1, wad(1000) + 111),
        (-TEN - 1, HUNDRED + 1, wad(-1000) - 110),
    ],
)
def test_the_quote_amount_is_rounded_up_for_the_taker(desk: Desk, size: int, price: int, value: int) -> None:
    """What the taker's cash loses the maker's gains, to the wei."""
    bout = Bout(desk, size=size)
    bout.change("maker", limit_price=price)
    bout.change("taker", limit_price=price)
    before = desk.holding(bout.maker), desk.holding(bout.taker)
    (event,) = emitted(bout.settle(), desk.exchange.Settled)
    assert event["value"] == value
    assert desk.holding(bout.maker).cash == before[0].cash + value
    assert desk.holding(bout.taker).cash == before[1].cash - value


# Positions opened by dove from hawk as (size, price) fills, and what the last fill leaves of entry and margin.
@pytest.mark.parametrize(
    ("fills", "size", "entry", "margin"),
    [
        ([(10, "100"), (5, "110")], 15, wad(1550), wad(1000)),
        ([(10, "100"), (-4, "110")], 6, wad(600), wad(1040)),
        ([(10, "100"), (-10, "90.5")], 0, 0, wad(905)),
        ([(10, "100"), (-15, "110")], -5, wad(-550), wad(1100)),
        ([(-10, "100"), (-5, "90")], -15, wad(-1450), wad(1000)),
        ([(-10, "100"), (4, "110")], -6, wad(-600), wad(960)),
        ([(-10, "100"), (10, "90.5")], 0, 0, wad(1095)),
        ([(-10, "100"), (15, "90")], 5, wad(450), wad(1100)),
        # An entry that does not divide: the part that closes is rounded up.
        ([(3, "33.333333333333333333"), (-1, "40")], 2, 66666666666666666666, wad("1006.666666666666666667")),
        ([(3, "33.333333333333333334"), (-2, "40")], 1, 33333333333333333334, wad("1013.333333333333333332")),
        ([(-7, "10"), (3, "11")], -4, wad(-40), wad(997)),
    ],
    ids=[
        "long grows", "long reduces", "long closes", "long flips",
        "short grows", "short reduces", "short closes", "short flips",
        "a third closes", "two thirds close", "three sevenths close",
    ],
)  # fmt: skip
def test_how_a_fill_changes_a_position(
    desk: Desk, fills: list[tuple[int, str]], size: int, entry: int, margin: int
) -> None:
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    for contracts, price in fills:
        desk.price(price[:11])  # near enough for the initial margin
        desk.trade(hawk, dove, wad(contracts), wad(price))
    assert desk.holding(dove) == Account(wad(size), entry, margin)


@pytest.mark.parametrize(
    ("size", "entry", "closed", "left"),
    [(3, 100, 1, 66), (3, 101, 1, 67), (3, 101, 2, 33), (-3, -100, 1, -67), (-3, -101, 2, -34), (7, 50, 3, 28)],
)
def test_the_closed_part_of_an_entry_is_rounded_up(desk: Desk, size: int, entry: int, closed: int, left: int) -> None:
    """A few wei of a position, whose entry is a few wei too: `entry - ceil(entry * closed / size)`."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    sign_of = 1 if size > 0 else -1
    # One wei of size at a price of n*W is worth exactly n wei.
    desk.trade(hawk, dove, sign_of, wad(abs(entry) - abs(size) + 1))
    desk.trade(hawk, dove, size - sign_of, wad(1))
    assert desk.holding(dove) == Account(size, entry, wad(1000))
    desk.trade(hawk, dove, -sign_of * closed, wad(20))
    assert desk.holding(dove).entry == left
    assert desk.holding(dove).cash == wad(1000) - entry + sign_of * closed * 20


@pytest.mark.parametrize(("size", "change", "entry"), [(3, -10, -17), (-3, 10, 18)], ids=["to short", "to long"])
def test_the_entry_after_a_flip_is_rounded_up(desk: Desk, size: int, change: int, entry: int) -> None:
    """10 wei at 2.5, of which 7 remain: `ceil(value * 7 / 10)` of a value of 25 or -25."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    desk.trade(hawk, dove, size, wad(2))
    cash = desk.holding(dove).cash
    desk.trade(hawk, dove, change, wad("2.5"))
    held = desk.holding(dove)
    assert (held.size, held.entry) == (size + change, entry)
    assert held.cash == cash - (25 if change > 0 else -25)


def test_open_interest_is_the_sum_of_the_longs(desk: Desk) -> None:
    hawk, dove, swan = (desk.trader(name) for name in ("hawk", "dove", "swan"))
    desk.deposit(swan, 1000)
    steps = [
        (hawk, dove, 10, 10),  # dove opens a long
        (dove, swan, 4, 10),  # which passes to swan in part
        (swan, hawk, 3, 7),  # swan and hawk close
        (hawk, dove, -8, 2),  # dove flips to short, hawk to long
        (hawk, dove, 2, 1),  # dove closes, hawk flips back
    ]
    for maker, taker, size, expected in steps:
        desk.trade(maker, taker, wad(size), HUNDRED)
        assert desk.open_interest() == wad(expected)
        for side in (0, 1):
            assert desk.exchange.accountsOpenInterest(desk.market.id, side) == wad(expected)


def test_two_accounts_of_one_owner_trade(desk: Desk) -> None:
    hawk = desk.trader("hawk")
    desk.deposit(hawk, 1000, index=1)
    bout = Bout(desk, taker="hawk")
    bout.change("taker", account=desk.account(hawk, 1))
    bout.settle()
    assert (desk.holding(hawk, 0).size, desk.holding(hawk, 1).size) == (-TEN, TEN)


def test_an_account_without_a_deposit_is_listed_when_it_trades(desk: Desk) -> None:
    """A price far enough from mark meets its initial margin; the lens must show it all the same."""
    hawk, squatter = desk.trader("hawk"), desk.trader("squatter")
    listed = desk.exchange.accountCount(desk.market.id)
    desk.trade(hawk, squatter, wad(1), wad(1))
    assert desk.holding(squatter) == Account(wad(1), wad(1), 0)
    assert desk.exchange.accountCount(desk.market.id) == listed + 1
    assert desk.exchange.accountAt(desk.market.id, listed) == desk.account(squatter)
    desk.deposit(squatter, 1)
    assert desk.exchange.accountCount(desk.market.id) == listed + 1


def test_risk_time_is_that_of_the_last_fill_that_raised_risk(desk: Desk) -> None:
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    raised = 0
    for size, raises in ((10, True), (5, True), (-3, False), (-20, True), (4, False), (4, False)):
        later()
        done = desk.trade(hawk, dove, wad(size), HUNDRED)
        raised = done.timestamp if raises else raised
        for who in (hawk, dove):
            assert desk.exchange.position(desk.account(who), desk.market.id).riskTime == raised
    assert desk.holding(dove).size == 0


# ---------------------------------------------------------------------- price feed


def test_no_trade_on_a_stale_price(desk: Desk) -> None:
    updated = desk.priced_at()
    bout = Bout(desk)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        bout.settle(at=updated + 3601)


def test_a_market_without_a_feed_does_not_trade(desk: Desk, venue: Venue) -> None:
    pool = desk.fund.poolCount() + 1
    desk.fund.createPool(b"dark".ljust(32, b"\0"), 0, 0, sender=venue.owner)
    act(venue.owner, desk.exchange.listMarket, b"DARK-USD".ljust(32, b"\0"), pool, desk.parameters())
    dark = Desk(venue, replace(desk.market, id=desk.exchange.marketCount(), name="DARK-USD", pool=pool))
    for name in ("hawk", "dove"):
        dark.deposit(dark.trader(name), 1000)
    with refused(desk.price_feed.FeedMissing, market=dark.market.id):
        Bout(dark).settle()


def test_a_dead_feed_elsewhere_stops_nothing(desk: Desk, other: Desk) -> None:
    wait_until(other.priced_at() + 3601)
    desk.price(100)
    Bout(desk).settle()
    assert desk.holding(desk.trader("dove")).size == TEN


def test_a_stranger_can_not_make_up_a_trade(desk: Desk) -> None:
    """Out of two orders of others that do not cross."""
    bout = Bout(desk)
    bout.change("taker", limit_price=wad(99))
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.PriceNotCrossed, makerPrice=HUNDRED, takerPrice=wad(99)),
    ):
        bout.settle(by=desk.trader("stranger"))
