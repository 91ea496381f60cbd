"""Time is the block's timestamp: however many blocks go by, and however few, only seconds count."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, wad
from tests.support.acting import act, now, refused, rpc
from tests.support.desk import Desk, open_desk
from tests.support.enums import Side, Trigger

BLOCKS = 1000  # of an L1 they would be more than three hours, and each price would be dead
A_MINUTE, HOUR = 60, 3600


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 80 the pool has lost 7,000 of 20,000 by an inventory of 800 from 88.75."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    desk.set_parameters(funding_cap=wad("0.0025"))
    desk.seat("""
        hawk    -800  90 20000
        icarus   800  90  1000
    """)
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    return desk


def blocks_in_seconds() -> None:
    """As many as Anvil mines while its clock goes on by itself."""
    before, second = int(rpc("eth_blockNumber"), 16), now()
    rpc("anvil_mine", hex(BLOCKS), hex(0))
    assert int(rpc("eth_blockNumber"), 16) - before == BLOCKS
    assert now() - second <= A_MINUTE


def standing(desk: Desk) -> tuple[Any, ...]:
    fund, market = desk.fund, desk.market.id
    terms = [tuple(fund.adlTerms(market, side)) for side in Side]
    return tuple(fund.backing(market)), terms, desk.exchange.fundingIndex(market), desk.mark()


def test_blocks_alone_change_nothing(desk: Desk) -> None:
    """Neither the age of a price, nor the auction, nor the window of the drawdown, nor funding, nor a deadline."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    desk.deposit(dove, 10_000)
    desk.price(80, at=(now() // HOUR + 1) * HOUR + 10)
    desk.trade(hawk, dove, wad(1), wad(79))
    order, taken = desk.order(hawk, -wad(1), wad(80)), desk.order(dove, wad(1), wad(80), expiry=now() + 2 * A_MINUTE)
    signatures = desk.signed(order, hawk), desk.signed(taken, dove)
    desk.checkpoint()
    deadline, before, (price, _) = now() + 2 * A_MINUTE, standing(desk), desk.auction(Side.LONG)
    blocks_in_seconds()
    assert standing(desk) == before
    # From 2 % above mark to 5 % below it in half an hour.
    assert 0 <= price - desk.auction(Side.LONG)[0] <= wad(80) * 7 // 100 // 30
    desk.settle(order, taken, wad(1), signatures, by=dove)
    desk.deleverage(Side.LONG, [hawk], deadline=deadline)
    assert desk.inventory(Side.LONG) == (0, 0)


@pytest.mark.parametrize("blocks", [1, BLOCKS])
def test_seconds_alone_count(desk: Desk, blocks: int) -> None:
    """A price dies by its age, and a drawdown's peak leaves its window, in one block as in a thousand."""
    start = desk.priced_at()
    if blocks > 1:
        rpc("anvil_mine", hex(blocks - 1), hex(0))
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=start, heartbeat=HEARTBEAT):
        desk.deleverage(Side.LONG, [desk.trader("hawk")], at=max(now(), start + HEARTBEAT) + 1)
    desk.price(80, at=now() + 8 * HOUR + 2 * 900)
    assert desk.terms(Side.LONG).trigger == Trigger.NONE
    act(desk.trader("keeper"), desk.fund.checkpoint, desk.market.id)
    assert desk.backing().loss == 0
