"""Rounds seen from outside: what all have together before and after them, and who paid how much of it."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from backstop.math.wad import WAD
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, refused
from tests.support.desk import FLAT, Account, Desk, open_desk
from tests.support.enums import Side, Trigger
from tests.support.proofs import assert_proofs

GIFT = 20_000
# At 80 the pool, which took icarus over at 88.75, has lost 7,000 of 20,000: 2,000 are due for 800 contracts.
MARGINS = {"hawk": 3000, "swift": 5400, "heron": 8000, "owl": 10_000, "finch": 6000, "whale": 60_000, "icarus": 1000}
BOOK = """
    hawk    -300 100  3000
    swift   -600  90  5400
    heron   -400 100  8000
    owl     -200 100 10000
    finch   -200  90  6000
    whale    900 100 60000
    icarus   800  90  1000
"""
SHORTS = ("hawk", "swift", "heron", "owl", "finch")
SIDES = pytest.mark.parametrize("side", list(Side), ids=["long", "short"])


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The book at 80, after the takeover."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(GIFT)
    desk.seat(BOOK)
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    return desk


def traders(desk: Desk, *names: str) -> list[Any]:
    return [desk.trader(name) for name in names]


def fills(desk: Desk, done: Any) -> list[dict[str, Any]]:
    return emitted(done, desk.engine.Deleveraged)


# ---------------------------------------------------------------------- all together


def assert_sums(desk: Desk) -> None:
    """What all accounts and the pool have won and lost is nothing, exactly; open interest is the sum of each side."""
    mark = desk.mark()
    held = {name: desk.holding(desk.trader(name)) for name in MARGINS}
    sizes = [one.size for one in held.values()] + [desk.inventory(side)[0] for side in Side]
    pnl = [(held[name].cash - wad(margin)) * WAD + held[name].size * mark for name, margin in MARGINS.items()]
    pool = (desk.fund.claim(desk.market.pool) - wad(GIFT)) * WAD + sum(desk.inventory(side)[0] for side in Side) * mark
    assert sum(pnl) + pool == 0
    assert sum(sizes) == 0
    assert desk.open_interest() == sum(max(size, 0) for size in sizes) == sum(max(-size, 0) for size in sizes)


def test_after_rounds_trades_and_moves_of_the_mark_pnl_sums_to_zero(desk: Desk) -> None:
    """Rounds that leave inventory, positions cut by them that grow, shrink, flip and are cut again."""
    assert_sums(desk)
    desk.deleverage(Side.LONG, traders(desk, "owl"))
    assert_sums(desk)
    for price, maker, taker, contracts in (
        ("80.00000001", "whale", "owl", "-12.345678901234567891"),
        ("79.5", "swift", "hawk", "299.999999999999999999"),
        ("81.123", "whale", "swift", "0.700000000000000001"),
        ("80", "finch", "hawk", "55"),
        ("80", "whale", "finch", "-3.3"),
    ):
        desk.price(price)
        assert_sums(desk)
        desk.trade(*traders(desk, maker, taker), wad(contracts), wad(price))
        assert_sums(desk)
    for mark in ("77.77777777", "84", "80"):
        desk.price(mark)
        assert_sums(desk)
    for names in (("swift",), ("hawk", "owl"), ("finch", "heron", "owl")):
        if desk.terms(Side.LONG).trigger != Trigger.NONE:
            desk.deleverage(Side.LONG, traders(desk, *names))
            assert_sums(desk)
            assert_proofs(desk.venue)
    assert desk.inventory(Side.LONG) == (0, 0)
    desk.price("93.1")
    assert_sums(desk)


@pytest.mark.parametrize("parts", [1, 3, 10])
def test_trading_on_in_parts_gives_nothing_back(desk: Desk, parts: int) -> None:
    """What a round took stays taken: a position reopened in many trades is the one that a single trade opens."""
    desk.deleverage(Side.LONG, traders(desk, "hawk", "swift"))
    hawk, whale = traders(desk, "hawk", "whale")
    margin = desk.holding(hawk).margin
    for _ in range(parts):
        desk.trade(whale, hawk, wad(-30) // parts, wad(80))
    for _ in range(parts):
        desk.trade(whale, hawk, wad(15) // parts, wad(80))
    assert desk.holding(hawk) == Account(wad(-15), wad(-1200), margin)
    assert_sums(desk)


# ---------------------------------------------------------------------- who pays


@SIDES
@pytest.mark.parametrize("gift", [0, 1, 500, 100_000])
@pytest.mark.parametrize("times", [Decimal("1.2"), 10, 100_000], ids=lambda each: f"{each} fold")
def test_gains_are_bounded_by_what_the_bankrupt_had_and_the_pool_pays(
    venue: Venue, side: Side, gift: int, times: Decimal | int
) -> None:
    """However far it gaps: the winner's credit is the loser's margin and what has left the pool, to the wei."""
    desk = open_desk(venue, "GAP-USD", 100, initial="0.1", maintenance="0.05")
    if gift:
        desk.contribute(gift)
    icarus, whale = traders(desk, "icarus", "whale")
    desk.deposit(icarus, 100)
    desk.deposit(whale, 1000)
    desk.trade(whale, icarus, side.sign * wad(10), wad(100))
    desk.price(100 / Decimal(times) if side is Side.LONG else 100 * times)
    desk.take_over(icarus)
    while desk.terms(side).trigger != Trigger.NONE:
        desk.deleverage(side, [whale])
    held, pool = desk.holding(whale), desk.fund.claim(desk.market.pool)
    if held.size:  # the pool carries it
        assert desk.backing().balance > 0
        assert desk.inventory(side)[0] == -held.size
    credit = held.cash - wad(1000)
    assert credit == wad(100) + wad(gift) - pool
    if not held.size:
        assert 0 <= pool <= wad(gift)
        assert credit <= wad(100 + gift)


@pytest.mark.parametrize("seed", range(6))
def test_no_more_is_closed_or_taken_than_is_needed(desk: Desk, seed: int) -> None:
    """Whatever lists keepers send, round after round: closed / needed <= 1, of contracts and of compensation."""
    rng = random.Random(seed)
    needed, inventory = desk.terms(Side.LONG).compensation, desk.inventory(Side.LONG)[0]
    assert (needed, inventory) == (wad(2000), wad(800))
    closed = received = count = 0
    while desk.terms(Side.LONG).trigger != Trigger.NONE:
        names = rng.sample(SHORTS, rng.randint(1, len(SHORTS)))
        able = [name for name in names if desk.holding(desk.trader(name)).size < 0]
        if not able:
            with refused(desk.engine.NothingDeleveraged, candidates=len(names)):
                desk.deleverage(Side.LONG, traders(desk, *names))
            continue
        for fill in fills(desk, desk.deleverage(Side.LONG, traders(desk, *names))):
            closed += fill["size"]
            received += fill["value"] - fill["size"] * 80
            count += 1
        assert closed <= inventory
        assert received <= needed + count
    assert (closed, desk.inventory(Side.LONG)) == (inventory, (0, 0))
    assert needed - count <= received
    # And nobody can be made to give more.
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
        desk.deleverage(Side.LONG, traders(desk, *SHORTS))


@pytest.mark.parametrize("seed", range(4))
def test_the_bankruptcy_price_is_that_of_the_whole_before_its_fills(venue: Venue, seed: int) -> None:
    """Two ruins of one empty pool, at 90 and at 99: each fill is at their mean by size, however they are cut up."""
    desk = open_desk(venue, "DANGO-USD", 100)
    desk.seat("""
        icarus    100 100 1000
        phaethon   50 100   50
        hawk      -80 100 2000
        swift     -40 100 2000
        heron     -30 100 2000
    """)
    desk.price(85)
    for name in ("icarus", "phaethon"):
        desk.take_over(desk.trader(name))
    assert desk.inventory(Side.LONG) == (wad(150), wad(9000 + 4950))
    rng, left = random.Random(seed), ["hawk", "swift", "heron"]
    rng.shuffle(left)
    while left:
        names = [left.pop() for _ in range(rng.randint(1, len(left)))]
        done = desk.deleverage(Side.LONG, traders(desk, *names))
        assert {each["price"] for each in fills(desk, done)} == {wad(93)}
        assert all(each["value"] == each["size"] * 93 for each in fills(desk, done))
    assert desk.inventory(Side.LONG) == (0, 0)
    assert desk.backing().balance == 0


@pytest.mark.parametrize("mark", [80, 50, 1])
def test_being_deleveraged_against_ones_own_ruin_earns_nothing(venue: Venue, mark: int) -> None:
    """Long and short of one hand: what the one account could not pay, the other does not get."""
    desk = open_desk(venue, "SELF-USD", 100)
    icarus, shadow = traders(desk, "icarus", "shadow")
    desk.deposit(icarus, 100)
    desk.deposit(shadow, 1000)
    desk.trade(shadow, icarus, wad(10), wad(100))
    desk.price(mark)
    desk.take_over(icarus)
    desk.deleverage(Side.LONG, [shadow])
    assert desk.holding(icarus) == FLAT
    assert desk.holding(shadow) == Account(0, 0, wad(1100))


def test_a_round_itself_never_pays_who_is_closed(desk: Desk) -> None:
    """Who is closed is worse off than at mark by their share of what is due, and nobody else is better off."""
    before = {name: desk.equity(desk.trader(name)) for name in MARGINS}
    done = desk.deleverage(Side.LONG, traders(desk, *SHORTS))
    closed = {each["account"]: each["size"] for each in fills(desk, done)}
    for name, equity in before.items():
        contracts = closed.get(desk.account(desk.trader(name)), 0)
        assert desk.equity(desk.trader(name)) == equity - contracts * 5 // 2
    assert len(closed) == 2


# ---------------------------------------------------------------------- small fills


def test_fills_are_of_the_smallest_size_but_for_the_last(desk: Desk) -> None:
    """Where a market has one, dust can't be put in front of the queue, nor can a round be cut into dust."""
    desk.set_parameters(min_size=wad(10))
    mite, whale = traders(desk, "mite", "whale")
    desk.deposit(mite, 1000)
    for contracts in (wad(10) - 1, 1):
        with refused(desk.exchange.PositionTooSmall, account=desk.account(mite), contracts=contracts, minSize=wad(10)):
            desk.trade(whale, mite, -contracts, wad(80))
    desk.trade(whale, mite, wad(-10), wad(80))
    done = desk.deleverage(Side.LONG, traders(desk, *SHORTS, "mite"))
    sizes = [each["size"] for each in fills(desk, done)]
    assert all(size >= wad(10) for size in sizes[:-1])
    assert sum(sizes) == wad(800)


def test_whoever_is_named_is_closed_whole_but_for_the_last(desk: Desk) -> None:
    """Nobody who calls chooses how much of a position a round takes."""
    whole = {name: -desk.holding(desk.trader(name)).size for name in SHORTS}
    taken = []
    for name in ("owl", "finch", "hawk", "swift"):
        (fill,) = fills(desk, desk.deleverage(Side.LONG, traders(desk, name)))
        taken.append((fill["size"], whole[name]))
    assert [size == held for size, held in taken] == [True, True, True, False]
    assert sum(size for size, _ in taken) == wad(800)


# ---------------------------------------------------------------------- everybody leaves


@pytest.mark.parametrize("seed", range(8))
def test_after_rounds_everybody_is_paid_in_every_order(desk: Desk, seed: int) -> None:
    """All close against each other and withdraw, the last as well as the first; what is left is the pool's."""
    desk.deleverage(Side.LONG, traders(desk, "hawk", "swift"))
    others = desk.token.balanceOf(desk.exchange) - tokens(sum(MARGINS.values()) + GIFT)
    rng, whale = random.Random(seed), desk.trader("whale")
    names = [name for name in MARGINS if name != "icarus"]
    for name in rng.sample(names, len(names)):
        size = desk.holding(desk.trader(name)).size
        if size < 0:
            desk.trade(whale, desk.trader(name), -size, wad(80))
    rng.shuffle(names)
    for name in names:
        who = desk.trader(name)
        margin = desk.holding(who).margin
        before = desk.token.balanceOf(who.address)
        act(who, desk.exchange.withdraw, desk.account(who), margin // 10**12, who.address)
        assert desk.token.balanceOf(who.address) - before == margin // 10**12
        assert desk.holding(who) == Account(0, 0, margin % 10**12)
    assert desk.fund.claim(desk.market.pool) == wad(15_000)
    assert desk.token.balanceOf(desk.exchange) - others == tokens(15_000)
