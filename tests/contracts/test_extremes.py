"""At the largest sizes, prices and notionals that the types hold: takeovers and rounds still end, nothing overflows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from ape import project

from backstop.deployment.pool_terms import PoolKind
from backstop.math.wad import WAD
from scripts.stage.venue import Venue
from tests.differential import extremes
from tests.support.acting import act, emitted
from tests.support.desk import FLAT, Desk, create_pool, list_in_pool
from tests.support.enums import Side, Trigger

NOTIONAL_MAX = 2**96 - 1  # at mark, when it is opened
TWO_DAYS = 172_800
UNIT = 10**12  # WAD in a token unit
FUZZED = 24


@dataclass(frozen=True)
class Ruin:
    """Signed contracts from `entry` with `margin`, ruined at `mark`; the first counterparty has `first` of them."""

    size: int
    entry: int
    mark: int
    margin: int
    first: int

    @property
    def side(self) -> Side:
        return Side.LONG if self.size > 0 else Side.SHORT

    @property
    def notional(self) -> int:
        return abs(self.size) * self.entry // WAD


def ruin(rng: Random, sign: int, *, utmost: bool) -> Ruin:
    """A position that the contracts accept at a price that they accept, and an accepted price that ruins it."""
    while True:
        entry = extremes.price(rng)
        most = min(extremes.INT112_MAX, NOTIONAL_MAX * WAD // entry)
        size = most if utmost or rng.random() < 0.3 else min(most, extremes.positive(rng, 111))
        least_mark, most_mark = (1, entry) if sign > 0 else (entry, extremes.PRICE_MAX)
        edge = least_mark if sign > 0 else most_mark
        mark = edge if utmost or rng.random() < 0.5 else rng.randint(least_mark, most_mark)
        margin = -(-(size * entry // WAD // 50 + 2) // UNIT) * UNIT
        equity = margin + sign * (size * mark // WAD - size * entry // WAD)
        if equity < 0 and size > 1:
            return Ruin(sign * size, entry, mark, margin, rng.choice((1, size - 1, size // 2 or 1)))


def units(amount: int) -> Decimal:
    """WAD as tokens, up to the next unit."""
    return Decimal(-(-amount // UNIT)) / 10**6


def publish(desk: Desk, price: int) -> None:
    """The next answer of a feed of 18 decimals."""
    act(desk.venue.owner, desk.market.feed.setAnswer, price)


def open_extreme(venue: Venue, name: str, pool: int) -> Desk:
    """A market at 100x whose feed may answer whatever 96 bits hold."""
    feed = venue.owner.deploy(project.MockAggregator, 18, WAD)
    market = list_in_pool(venue, name, pool, 1, "0.01", "0.005", feed)
    act(venue.owner, venue.system.price_feed.setFeed, market.id, feed.address, TWO_DAYS, 1, extremes.PRICE_MAX)
    return Desk(venue, market)


def seat(desk: Desk, one: Ruin) -> list[Any]:
    """The position and, against it, two counterparties that have as much as it is worth; they are returned."""
    publish(desk, one.entry)
    icarus = desk.trader("icarus")
    desk.deposit(icarus, units(one.margin))
    others = [desk.trader("hawk"), desk.trader("swift")]
    sign = 1 if one.size > 0 else -1
    for other, contracts in zip(others, (one.first, abs(one.size) - one.first), strict=True):
        desk.deposit(other, units(one.notional + UNIT))
        desk.trade(other, icarus, sign * contracts, one.entry)
    return others


def ends(desk: Desk, side: Side, others: list[Any]) -> int:
    """Rounds until nothing is due; how many there were."""
    rounds = 0
    while desk.terms(side).trigger != Trigger.NONE:
        done = desk.deleverage(side, others)
        assert emitted(done, desk.engine.RoundExecuted)
        rounds += 1
        assert rounds <= 3, desk.terms(side)
    return rounds


@pytest.mark.parametrize("seed", range(FUZZED))
def test_whatever_is_accepted_is_taken_over_and_deleveraged(venue: Venue, seed: int) -> None:
    """Scored, priced, closed and booked from one wei to the bounds of the types, for longs and shorts."""
    rng = Random(f"extremes {seed}")
    one = ruin(rng, (1, -1)[seed % 2], utmost=seed < 4)
    desk = open_extreme(venue, "EDGE-USD", create_pool(venue, "edge", PoolKind.ISOLATED))
    gift = rng.choice((0, 0, 1, extremes.magnitude(rng, 90) // UNIT))
    if gift:
        desk.contribute(Decimal(gift) / 10**6)
    others = seat(desk, one)
    publish(desk, one.mark)
    desk.take_over(desk.trader("icarus"))
    assert desk.holding(desk.trader("icarus")) == FLAT
    assert desk.inventory(one.side)[0] == one.size
    ranked = desk.engine.ranking(desk.market.id, one.side, [desk.account(each) for each in others])
    assert {bytes(each.account) for each in ranked} == {desk.account(each) for each in others}
    rounds = ends(desk, one.side, others)
    if not gift:
        assert rounds == 1
        assert desk.inventory(one.side) == (0, 0)
        assert [desk.holding(each).size for each in others] == [0, 0]
        assert desk.backing().balance >= -2
    assert all(desk.equity(each) >= 0 for each in others)


@pytest.mark.parametrize("sign", [1, -1], ids=["long", "short"])
@pytest.mark.parametrize("gift", [0, 1, 10**20], ids=["empty pool", "one unit", "a rich pool"])
def test_two_markets_at_the_bounds_share_the_depletion_of_a_pool(venue: Venue, sign: int, gift: int) -> None:
    """Shares of the largest deficit by the largest losses are products of both."""
    pool = create_pool(venue, "edges", PoolKind.SHARED)
    desks = [open_extreme(venue, name, pool) for name in ("EDGE-USD", "RIM-USD")]
    if gift:
        desks[0].contribute(Decimal(gift) / 10**6)
    rng = Random(f"two extremes {sign}")
    ruined = []
    for desk in desks:
        one = ruin(rng, sign, utmost=True)
        ruined.append((desk, one, seat(desk, one)))
    for desk, one, _ in ruined:
        publish(desk, one.mark)
    for desk, _, _ in ruined:
        desk.take_over(desk.trader("icarus"))
    for desk, one, others in ruined:
        ends(desk, one.side, others)
    if not gift:
        assert [desk.inventory(one.side)[0] for desk, one, _ in ruined] == [0, 0]


def test_the_fuzz_comes_to_the_bounds() -> None:
    """Or it would prove little."""
    drawn = [ruin(Random(f"extremes {seed}"), (1, -1)[seed % 2], utmost=seed < 4) for seed in range(FUZZED)]
    assert {each.mark for each in drawn} >= {1, extremes.PRICE_MAX}
    assert max(abs(each.size) for each in drawn) == extremes.INT112_MAX
    assert max(each.notional for each in drawn) >= NOTIONAL_MAX // 2
