"""A cross account loses its legs in every order of markets: by trades, liquidations, rounds, and in one takeover."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from scripts.stage.venue import Venue, wad
from tests.support.acting import emitted, rpc
from tests.support.desk import FLAT, Cross, Desk, open_shared
from tests.support.enums import Side, Trigger
from tests.support.proofs import assert_proofs

HUNDRED = wad(100)
FOUR = ("A-USD", "B-USD", "C-USD", "D-USD")


def legs_of(desk: Desk, cross: Cross) -> list[int]:
    word = desk.exchange.crossAccount(cross.id).legs
    return [word >> 16 * i & 0xFFFF for i in range(16) if word >> 16 * i]


def open_legs(venue: Venue, count: int, margin: int, contracts: int) -> tuple[list[Desk], Cross]:
    """A cross account that holds so many markets, long and short in turn; the orders are then tried from this state."""
    desks = open_shared(venue, *FOUR[:count])
    swan = desks[0].cross("swan")
    desks[0].deposit(swan, margin)
    for i, each in enumerate(desks):
        for name in ("whale", "liquidator"):
            each.deposit(each.trader(name), 100_000)
        each.trade(each.trader("whale"), swan, wad(contracts) * (-1) ** i, HUNDRED)
    return desks, swan


def every_order(desks: list[Desk]) -> Any:
    """Each order of the markets, from the same state."""
    for order in itertools.permutations(desks):
        saved = rpc("evm_snapshot")
        yield order
        assert_proofs(desks[0].venue)
        rpc("evm_revert", saved)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_legs_are_closed_in_every_order(venue: Venue, count: int) -> None:
    desks, swan = open_legs(venue, count, 1000, 10)
    for order in every_order(desks):
        left = [each.market.id for each in desks]
        for each in order:
            each.trade(each.trader("whale"), swan, -each.holding(swan).size, HUNDRED)
            left.remove(each.market.id)
            assert legs_of(each, swan) == left
        assert desks[0].holding(swan).margin == wad(1000)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_legs_are_liquidated_in_every_order(venue: Venue, count: int) -> None:
    """So near to bankruptcy that each leg asked for is closed whole; no order leaves one that can't be."""
    desks, swan = open_legs(venue, count, 100 * count, 10)
    for i, each in enumerate(desks):
        each.price(100 - 9 * (-1) ** i)
    for order in every_order(desks):
        left = [each.market.id for each in desks]
        for each in order:
            each.liquidate(swan, by=each.trader("liquidator"))
            left.remove(each.market.id)
            assert legs_of(each, swan) == left
            assert each.exchange.health(swan.id).equity >= 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_legs_are_deleveraged_in_every_order(venue: Venue, count: int) -> None:
    """A counterparty in each market, closed there whole by a round; its other legs stand until their own."""
    desks, swan = open_legs(venue, count, 10_000, 10)
    for i, each in enumerate(desks):
        sign = -((-1) ** i)
        each.inherit("icarus", sign * 100, 100, 1000, 100 - sign * 30)
    sides = {each.market.id: (Side.SHORT, Side.LONG)[i % 2] for i, each in enumerate(desks)}
    for order in every_order(desks):
        left = [each.market.id for each in desks]
        for each in order:
            side = sides[each.market.id]
            assert each.terms(side).trigger == Trigger.DEPLETION
            done = each.deleverage(side, [swan, each.trader("whale")])
            assert swan.id in {fill["account"] for fill in emitted(done, each.engine.Deleveraged)}
            left.remove(each.market.id)
            assert legs_of(each, swan) == left
            assert each.inventory(side) == (0, 0)
        assert desks[0].holding(swan).margin > wad(10_000)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_after_any_leg_was_liquidated_the_rest_is_taken_over_whole(venue: Venue, count: int) -> None:
    """Whichever legs went first, one call takes all that are left, none of them picked."""
    desks, swan = open_legs(venue, count, 100 * count, 10)
    for i, each in enumerate(desks):
        each.price(100 - 9 * (-1) ** i)
    for order in every_order(desks):
        for each in order[: count // 2]:
            each.liquidate(swan, by=each.trader("liquidator"))
        for i, each in enumerate(desks):
            each.price(100 - 30 * (-1) ** i)
        rest = legs_of(desks[0], swan)
        done = order[0].take_over(swan)
        assert [each["market"] for each in emitted(done, order[0].exchange.TakenOver)] == rest
        assert (legs_of(desks[0], swan), {each.holding(swan) for each in desks}) == ([], {FLAT})
