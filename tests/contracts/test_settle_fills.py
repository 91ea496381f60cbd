"""Until when, how often and up to how much an order is settled."""

from __future__ import annotations

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.bouts import HUNDRED, ROLES, TEN, Bout, open_ring
from tests.support.acting import now, refused
from tests.support.desk import Account, Desk
from tests.support.proofs import nothing_changes


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each; the market is at 100, IM 10 %, MM 5 %."""
    return open_ring(venue, market)


@ROLES
def test_expiry(desk: Desk, role: str) -> None:
    last = now() + 100
    bout = Bout(desk)
    bout.change(role, expiry=last)
    with refused(desk.exchange.OrderExpired, order=bout.hash(role), expiry=last):
        bout.settle(TEN // 2, at=last + 1)


@ROLES
def test_last_second_before_expiry(desk: Desk, role: str) -> None:
    last = now() + 100
    bout = Bout(desk)
    bout.change(role, expiry=last)
    assert bout.settle(at=last).timestamp == last


def test_replay(desk: Desk) -> None:
    bout = Bout(desk)
    bout.settle()
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.OrderFilled, order=bout.hash("maker"), filled=TEN, size=TEN),
    ):
        bout.settle()


def test_a_filled_taker(desk: Desk) -> None:
    bout = Bout(desk)
    bout.settle()
    bout.change("maker", salt=10**6)
    with refused(desk.exchange.OrderFilled, order=bout.hash("taker"), filled=TEN, size=TEN):
        bout.settle(1)


@ROLES
def test_overfilled_by_one_wei(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    other_role = "taker" if role == "maker" else "maker"
    bout.change(other_role, size=2 * bout.order(other_role).size)
    with refused(desk.exchange.OrderOverfilled, order=bout.hash(role), requested=TEN + 1, remaining=TEN):
        bout.settle(TEN + 1)


def test_partial_fills_add_up_to_the_order(desk: Desk) -> None:
    bout = Bout(desk)
    for size, filled in ((1, 1), (wad(4), wad(4) + 1), (wad(5), wad(9) + 1)):
        bout.settle(size)
        for role in ("maker", "taker"):
            assert desk.exchange.filled(bout.hash(role)) == filled
    remaining = wad(1) - 1
    with refused(desk.exchange.OrderOverfilled, order=bout.hash("maker"), requested=remaining + 1, remaining=remaining):
        bout.settle(remaining + 1)
    bout.settle(remaining)
    assert desk.holding(bout.taker) == Account(TEN, wad(1000), wad(1000))
    with refused(desk.exchange.OrderFilled, order=bout.hash("maker"), filled=TEN, size=TEN):
        bout.settle(1)


def test_one_order_meets_many(desk: Desk) -> None:
    swan = desk.trader("swan")
    desk.deposit(swan, 1000)
    bout = Bout(desk)
    small = desk.order(swan, wad(3), HUNDRED)
    signatures = desk.signed(bout.made, bout.maker), desk.signed(small, swan)
    desk.settle(bout.made, small, wad(3), signatures, by=swan)
    with refused(desk.exchange.OrderOverfilled, order=bout.hash("maker"), requested=TEN, remaining=wad(7)):
        bout.settle()
    bout.settle(wad(7))
    assert [desk.holding(who).size for who in (bout.maker, swan, bout.taker)] == [-TEN, wad(3), wad(7)]


def test_a_refused_fill_does_not_count(desk: Desk) -> None:
    bout = Bout(desk, size=wad(101))
    desk.deposit(bout.taker, 100)
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(bout.maker),
        equity=wad(1000),
        required=wad(1010),
    ):
        bout.settle()
    assert desk.exchange.filled(bout.hash("maker")) == desk.exchange.filled(bout.hash("taker")) == 0
