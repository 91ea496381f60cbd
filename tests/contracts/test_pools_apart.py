"""Pools of their own: an empty one is no richer for those beside it, and an insolvent one costs no other anything."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.deployment.pool_terms import PoolKind
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import act, emitted
from tests.support.desk import Desk, create_pool, open_desk
from tests.support.enums import Side, Trigger

SIDES = pytest.mark.parametrize("side", list(Side), ids=["long", "short"])
MARKS = {Side.LONG: 60, Side.SHORT: 140}


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market whose own pool is empty."""
    return open_desk(venue, "JELLY-USD", 100)


@pytest.fixture(scope="module")
def rich(venue: Venue, market: TestMarket, desk: Desk) -> list[Desk]:
    """Beside it: a market with a rich pool of its own, and two that share a rich one."""
    shared = create_pool(venue, "majors", PoolKind.SHARED)
    desks = [
        open_desk(venue, "BTC-USD", 100),
        *(open_desk(venue, name, 100, pool=shared) for name in ("A-USD", "B-USD")),
    ]
    desks[0].contribute(1_000_000)
    desks[1].contribute(2_000_000)
    return desks


def standing(desk: Desk) -> tuple[Any, ...]:
    """A market and its pool as the fund has them: cash, result, peak, drawdown, inventories, terms."""
    fund, market = desk.fund, desk.market
    return (
        tuple(fund.pool(market.pool)),
        fund.claim(market.pool),
        tuple(fund.backing(market.id)),
        [tuple(each) for each in fund.inventories(market.id)],
        [tuple(fund.adlTerms(market.id, side)) for side in Side],
        tuple(fund.parameters(market.id)),
    )


@SIDES
def test_an_own_pool_that_is_empty_beside_rich_ones_fires_adl(desk: Desk, rich: list[Desk], side: Side) -> None:
    """At the bankruptcy price, as if the rich were not there; they keep every wei."""
    before = [standing(each) for each in rich]
    desk.inherit("icarus", side.sign * 100, 100, 1000, MARKS[side])
    whale = desk.trader("whale")
    margin = desk.holding(whale).margin
    assert desk.terms(side).trigger == Trigger.DEPLETION
    done = desk.deleverage(side, [whale])
    (fill,) = emitted(done, desk.engine.Deleveraged)
    assert (fill["price"], fill["size"]) == (wad(100) - side.sign * wad(10), side.sign * wad(100))
    # All that it gains is what icarus had.
    assert desk.holding(whale).margin - margin == wad(1000)
    assert desk.inventory(side) == (0, 0)
    assert (desk.backing().balance, desk.fund.claim(desk.market.pool)) == (0, 0)
    assert [standing(each) for each in rich] == before


@SIDES
def test_a_market_that_is_insolvent_leaves_another_pool_unchanged(desk: Desk, rich: list[Desk], side: Side) -> None:
    """Another whose own inventory has lost, but not enough to be due, stands throughout exactly as it stood."""
    for each in rich:
        each.inherit("midas", side.sign * 1000, 100, 1000, 100 - side.sign * 30, against="kraken")
    before = [standing(each) for each in rich]
    assert all(state[2][4] > 0 for state in before)

    desk.inherit("icarus", side.sign * 100, 100, 1000, MARKS[side])
    assert desk.backing().balance < 0
    assert [standing(each) for each in rich] == before
    desk.checkpoint()
    desk.deposit(desk.trader("buyer"), 100_000)
    desk.contribute(1)
    desk.deleverage(side, [desk.trader("whale")])
    assert desk.inventory(side) == (0, 0)
    assert [standing(each) for each in rich] == before


@SIDES
def test_nobody_s_round_is_paid_by_another_pool(desk: Desk, rich: list[Desk], side: Side) -> None:
    """Both due at once: each at the terms that it has alone, whichever comes first."""
    one, *_ = rich
    one.inherit("midas", side.sign * 30_000, 100, 30_000, 100 - side.sign * 20, against="kraken")
    alone = tuple(one.terms(side))
    assert one.terms(side).trigger == Trigger.DRAWDOWN
    desk.inherit("icarus", side.sign * 100, 100, 1000, MARKS[side])
    assert tuple(one.terms(side)) == alone
    first = tuple(desk.terms(side))
    act(one.trader("keeper"), one.fund.checkpoint, one.market.id)
    one.deleverage(side, [one.trader("kraken")])
    assert one.inventory(side) == (0, 0)
    assert tuple(desk.terms(side)) == first
