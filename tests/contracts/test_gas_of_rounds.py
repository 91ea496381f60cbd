"""A round over as many counterparties as a keeper puts into one stays below half a block of 30 million gas."""

from __future__ import annotations

import random
from typing import Any

import pytest

from backstop.adl.listing import MOST_GAS
from backstop.math.wad import WAD
from scripts.stage.venue import Venue, wad
from tests.support.acting import act, emitted, rpc
from tests.support.desk import ANY_BOUNDS, Desk, open_desk, open_shared
from tests.support.enums import Side, Trigger

HALF_A_BLOCK = 15_000_000
LEGS = 16
BATCH = 10


def sell_each(desk: Desk, makers: list[Any], taker: Any, price: int) -> None:
    """A contract of each maker, the first at `price` and each next a little higher, to one taker who takes them all.

    So far above mark that what they gain at once is their margin, and all margins differ.
    """
    taken = desk.order(taker, WAD * len(makers), wad(1000))
    signature = desk.signed(taken, taker)
    pairs = []
    for i, maker in enumerate(makers):
        made = desk.order(maker, -WAD, price + i * wad("0.05"))
        pairs.append((made.values(), desk.signed(made, maker), taken.values(), signature, WAD))
    for start in range(0, len(pairs), BATCH):
        done = act(taker, desk.exchange.settleBatch, pairs[start : start + BATCH])
        assert not emitted(done, desk.exchange.PairRefused)


def assert_within_half_a_block(desk: Desk, candidates: list[bytes]) -> None:
    """Given in no order, so that the chain sorts them all, and each closed whole.

    Asked for and not sent: Anvil keeps the memory of each step of what it mines, and a machine has not so much.
    """
    given = random.Random(20_261_122).sample(candidates, len(candidates))
    data = bytes(desk.engine.deleverage.encode_input(desk.market.id, Side.LONG, given, ANY_BOUNDS))
    desk.bond(desk.trader("keeper"))
    call = {"from": desk.trader("keeper").address, "to": desk.engine.address, "data": "0x" + data.hex()}
    assert int(rpc("eth_call", call | {"gas": hex(HALF_A_BLOCK)}, "latest"), 16) == desk.engine.roundCount() + 1
    assert sum(-desk.holding(each).size for each in candidates) <= desk.inventory(Side.LONG)[0]


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "after a harsher one"])
def test_the_most_isolated_counterparties_of_a_round(venue: Venue, is_first: bool) -> None:
    """After a harsher one that may still be challenged each is kept as that one found it."""
    desk = open_desk(venue, "CROWD-USD", 100)
    icarus = desk.trader("icarus")
    most = MOST_GAS // 100_000 + 1
    desk.deposit(icarus, 60 * most // 2)
    starlings = [desk.trader(f"starling {i}") for i in range(most)]
    sell_each(desk, starlings, icarus, wad(105))
    desk.price(60)
    desk.take_over(icarus)
    assert desk.terms(Side.LONG).trigger == Trigger.DEPLETION
    if not is_first:
        desk.deleverage(Side.LONG, starlings[:1])
        desk.price(64)
    assert_within_half_a_block(desk, [desk.account(each) for each in starlings[1:]])


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "after another one"])
def test_the_most_cross_counterparties_of_a_round(venue: Venue, is_first: bool) -> None:
    """Each with sixteen positions, in a pool of sixteen markets with inventory in all of them: every one is read."""
    desks = open_shared(venue, *(f"M{i}-USD" for i in range(LEGS)))
    herd = [desks[0].cross(f"wildebeest {i}") for i in range(MOST_GAS // (190_000 + 15_000 * (LEGS - 1)) + 1)]
    for desk in desks:
        desk.inherit("icarus", 2 * len(herd), 100, 20 * len(herd), 92, against="kraken")
        whale = desk.trader("whale")
        desk.deposit(whale, 100_000)
        desk.price(100)
        for i, each in enumerate(herd):
            desk.trade(whale, each, -WAD, wad(115) + i * wad("0.05"))
    first = desks[0]
    first.price(80)
    assert first.terms(Side.LONG).trigger != Trigger.NONE
    if not is_first:
        first.deleverage(Side.LONG, [herd[0].id])
    assert_within_half_a_block(first, [each.id for each in herd[1:]])
