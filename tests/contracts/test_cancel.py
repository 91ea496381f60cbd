"""Taking orders back: `Exchange.cancel` for one, `Exchange.cancelAll` for all of an owner up to now."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from backstop.orders import Order
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, refused
from tests.support.desk import Desk

TEN = wad(10)
HUNDRED = wad(100)
CANCELLED = 2**256 - 1


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each."""
    desk = Desk(venue, market)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    return desk


def bid(desk: Desk, **changes: Any) -> Order:
    """Hawk buys 10 at 100."""
    return desk.order(desk.trader("hawk"), TEN, HUNDRED, **changes)


def hit(desk: Desk, order: Order, size: int = TEN) -> Done:
    """Dove sells into hawk's order."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    taken = desk.order(dove, -size, HUNDRED)
    return desk.settle(order, taken, size, (desk.signed(order, hawk), desk.signed(taken, dove)), by=dove)


def test_a_cancelled_order_is_dead(desk: Desk) -> None:
    hawk, order = desk.trader("hawk"), bid(desk)
    done = act(hawk, desk.exchange.cancel, order.values())
    assert emitted(done, desk.exchange.OrderCancelled) == [{"account": desk.account(hawk), "order": desk.hash(order)}]
    assert desk.exchange.filled(desk.hash(order)) == CANCELLED
    with refused(desk.exchange.OrderCancelledAlready, order=desk.hash(order)):
        hit(desk, order)


def test_the_rest_of_an_order(desk: Desk) -> None:
    hawk, order = desk.trader("hawk"), bid(desk)
    hit(desk, order, wad(4))
    act(hawk, desk.exchange.cancel, order.values())
    with refused(desk.exchange.OrderCancelledAlready, order=desk.hash(order)):
        hit(desk, order, 1)
    assert desk.holding(hawk).size == wad(4)


def test_cancelling_twice_and_after_the_fill_changes_nothing_more(desk: Desk) -> None:
    hawk, order = desk.trader("hawk"), bid(desk)
    hit(desk, order)
    for _ in range(2):
        act(hawk, desk.exchange.cancel, order.values())
        with refused(desk.exchange.OrderCancelledAlready, order=desk.hash(order)):
            hit(desk, order)
    assert desk.holding(hawk).size == TEN


def test_the_taker_may_cancel_too(desk: Desk) -> None:
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    made, taken = bid(desk), desk.order(dove, -TEN, HUNDRED)
    act(dove, desk.exchange.cancel, taken.values())
    with refused(desk.exchange.OrderCancelledAlready, order=desk.hash(taken)):
        desk.settle(made, taken, TEN, (desk.signed(made, hawk), desk.signed(taken, dove)), by=hawk)


def test_an_order_that_differs_in_its_salt_lives_on(desk: Desk) -> None:
    hawk = desk.trader("hawk")
    act(hawk, desk.exchange.cancel, bid(desk, salt=1).values())
    hit(desk, bid(desk, salt=2))
    assert desk.holding(hawk).size == TEN


def test_only_the_owner(desk: Desk) -> None:
    rival = desk.trader("rival")
    order = bid(desk)
    with refused(desk.exchange.NotAccountOwner, account=order.account, caller=rival.address):
        act(rival, desk.exchange.cancel, order.values())
    hit(desk, order)


def test_a_contract_wallet_cancels(desk: Desk) -> None:
    vault = desk.venue.owner.deploy(project.MockWallet, desk.trader("warden").address)
    desk.venue.endpoint.request("anvil_setBalance", vault.address, hex(10**20))
    order = desk.order(vault, TEN, HUNDRED)
    act(vault, desk.exchange.cancel, order.values())
    assert desk.exchange.filled(desk.hash(order)) == CANCELLED


# ---------------------------------------------------------------------- all at once


def test_cancel_all_ends_the_epoch(desk: Desk) -> None:
    hawk = desk.trader("hawk")
    old, older = bid(desk), bid(desk)
    hit(desk, older, wad(1))
    done = act(hawk, desk.exchange.cancelAll)
    assert emitted(done, desk.exchange.OrdersCancelled) == [{"owner": hawk.address.lower(), "epoch": 1}]
    assert desk.exchange.orderEpoch(hawk.address) == 1
    for order in (old, older):
        with refused(desk.exchange.OrderEpochNotCurrent, order=desk.hash(order), epoch=0, current=1):
            hit(desk, order, 1)


def test_orders_of_the_new_epoch_fill(desk: Desk) -> None:
    hawk = desk.trader("hawk")
    act(hawk, desk.exchange.cancelAll)
    hit(desk, bid(desk, epoch=1))
    assert desk.holding(hawk).size == TEN


def test_an_order_for_a_later_epoch_waits_for_it(desk: Desk) -> None:
    """Cancel-all leaves nothing that was signed before: an order cannot escape it by naming an epoch to come."""
    hawk, order = desk.trader("hawk"), bid(desk, epoch=1)
    with refused(desk.exchange.OrderEpochNotCurrent, order=desk.hash(order), epoch=1, current=0):
        hit(desk, order, wad(1))
    act(hawk, desk.exchange.cancelAll)
    hit(desk, order, wad(1))
    act(hawk, desk.exchange.cancelAll)
    with refused(desk.exchange.OrderEpochNotCurrent, order=desk.hash(order), epoch=1, current=2):
        hit(desk, order, wad(1))


def test_cancel_all_is_for_every_account_of_its_owner_and_nobody_else(desk: Desk) -> None:
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    desk.deposit(hawk, 1000, index=1)
    second = bid(desk, account=desk.account(hawk, 1))
    doves = desk.order(dove, TEN, HUNDRED)
    act(hawk, desk.exchange.cancelAll)
    with refused(desk.exchange.OrderEpochNotCurrent, order=desk.hash(second), epoch=0, current=1):
        hit(desk, second)
    hawks = bid(desk, epoch=1, size=-TEN)
    desk.settle(doves, hawks, TEN, (desk.signed(doves, dove), desk.signed(hawks, hawk)), by=hawk)
    assert desk.holding(dove).size == TEN


def test_cancelling_needs_no_price_and_no_position(desk: Desk) -> None:
    desk.venue.endpoint.request("anvil_setCode", desk.market.feed.address, "0xfe")
    nobody = desk.trader("nobody")
    act(nobody, desk.exchange.cancelAll)
    act(nobody, desk.exchange.cancel, desk.order(nobody, TEN, HUNDRED).values())
    assert desk.exchange.orderEpoch(nobody.address) == 1
