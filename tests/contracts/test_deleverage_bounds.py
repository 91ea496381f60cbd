"""When a round is due, and within which bounds of its sender it is executed."""

from __future__ import annotations

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.published_case import PRICE, outcome, published_case, traders
from tests.support.acting import act, now, refused, rpc, wait_until
from tests.support.desk import ANY_BOUNDS, Desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The published case after the takeover: 800 long contracts to close."""
    return published_case(venue)


def test_not_due(desk: Desk) -> None:
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.SHORT):
        desk.deleverage(Side.SHORT, traders(desk, "whale"))
    desk.price(86)
    assert desk.backing().drawdown == wad("0.11")
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
        desk.deleverage(Side.LONG, traders(desk, "hawk"))


def test_not_due_in_a_market_without_inventory(desk: Desk, venue: Venue, market: TestMarket) -> None:
    bare = Desk(venue, market)
    with refused(desk.engine.ADLNotDue, market=market.id, side=Side.LONG):
        bare.deleverage(Side.LONG, traders(desk, "hawk"))


def test_an_unlisted_market(desk: Desk) -> None:
    unlisted = desk.exchange.marketCount() + 1
    with refused(desk.fund.MarketUnassigned, market=unlisted):
        act(desk.trader("keeper"), desk.engine.deleverage, unlisted, Side.LONG, [], ANY_BOUNDS)


def test_deadline(desk: Desk) -> None:
    """By timestamp: the last second counts."""
    deadline = now() + 100
    with refused(desk.engine.DeadlinePassed, deadline=deadline):
        desk.deleverage(Side.LONG, traders(desk, "hawk"), deadline=deadline, at=deadline + 1)


def test_last_second(desk: Desk) -> None:
    deadline = now() + 100
    done = desk.deleverage(Side.LONG, traders(desk, "hawk"), deadline=deadline, at=deadline)
    assert outcome(desk, done)["contracts"] == wad(300)


@pytest.mark.parametrize("prices", [(PRICE + 1, 2**255 - 1), (-(2**255), PRICE - 1), (PRICE + 1, PRICE - 1)])
def test_a_price_that_was_not_planned_for(desk: Desk, prices: tuple[int, int]) -> None:
    with refused(desk.engine.PriceOutsideBounds, price=PRICE, minPrice=prices[0], maxPrice=prices[1]):
        desk.deleverage(Side.LONG, traders(desk, "hawk"), prices=prices)


def test_the_price_that_was_planned_for(desk: Desk) -> None:
    done = desk.deleverage(Side.LONG, traders(desk, "hawk"), prices=(PRICE, PRICE))
    assert outcome(desk, done)["price"] == PRICE


def test_no_round_without_a_price(desk: Desk) -> None:
    updated = desk.priced_at()
    wait_until(updated + 3600)
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=3600):
        desk.deleverage(Side.LONG, traders(desk, "hawk"), at=updated + 3601)


def test_the_price_of_a_round_is_remembered(desk: Desk) -> None:
    """From then on nobody can have an older answer accepted."""
    desk.price(79)
    published = desk.priced_at()
    with nothing_changes(desk.venue):
        desk.checkpoint()  # a reading, whoever asks for it
    assert desk.price_feed.accepted(desk.market.id).price == wad(80)
    desk.deleverage(Side.LONG, traders(desk, "hawk swift heron"))
    last = desk.price_feed.accepted(desk.market.id)
    assert (last.price, last.updatedAt) == (wad(79), published)
    act(desk.venue.owner, desk.market.feed.setRound, 99, 90 * 10**8, published - 1, 99)
    back = {"market": desk.market.id, "updatedAt": published - 1, "acceptedAt": published}
    with refused(desk.price_feed.PriceWentBack, **back):
        act(desk.trader("stranger"), desk.price_feed.accept, desk.market.id)


def test_a_round_that_is_refused_remembers_nothing(desk: Desk) -> None:
    desk.price(100)
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
        desk.deleverage(Side.LONG, traders(desk, "hawk"))
    assert desk.price_feed.accepted(desk.market.id).price == wad(80)


def test_anybody_may_and_at_once(desk: Desk) -> None:
    """No permission and no delay: takeover and round of a stranger with a bond in one block."""
    stranger = desk.trader("stranger")
    desk.bond(stranger)
    desk.seat("""
        midas    10 80   10
        anchor  -10 80 5000
    """)
    desk.price(70)
    candidates = [desk.account(each) for each in traders(desk, "hawk swift heron owl")]
    calls = [
        desk.exchange.takeOver.encode_input(desk.account(desk.trader("midas"))),
        desk.engine.deleverage.encode_input(desk.market.id, Side.LONG, candidates, ANY_BOUNDS),
    ]
    rpc("evm_setAutomine", False)
    try:
        sent = [
            rpc(
                "eth_sendTransaction",
                {"from": stranger.address, "to": to.address, "data": "0x" + bytes(data).hex(), "gas": hex(5_000_000)},
            )
            for to, data in zip((desk.exchange, desk.engine), calls, strict=True)
        ]
        rpc("evm_mine")
    finally:
        rpc("evm_setAutomine", True)
    receipts = [rpc("eth_getTransactionReceipt", each) for each in sent]
    assert [int(each["status"], 16) for each in receipts] == [1, 1]
    assert len({each["blockNumber"] for each in receipts}) == 1
    assert desk.inventory(Side.LONG) == (0, 0)
