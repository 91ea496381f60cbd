"""A timelock in the place of the owner: nothing without its delay, a guardian replaced in time, a market ended."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import Done, act, now, refused
from tests.support.desk import Desk, open_desk
from tests.support.stakers import fresh

DAY = 86_400
DELAY = 2 * DAY
NOTHING = bytes(32)
OWNED = ("exchange", "fund", "round_book", "price_feed")


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100 in a pool of its own, made before the owner handed over."""
    return open_desk(venue, "LOCK-USD", 100, initial="0.1", maintenance="0.05")


@pytest.fixture(scope="module")
def timelock(venue: Venue, desk: Desk) -> Any:
    """Owns everything that can be owned: proposer proposes, anyone executes, nobody is its admin but itself."""
    nobody = "0x" + "0" * 40
    lock = venue.owner.deploy(project.BackstopTimelock, DELAY, [desk.trader("proposer").address], [nobody], nobody)
    for name in OWNED:
        act(venue.owner, getattr(venue.system, name).transferOwnership, lock.address)
    for name in OWNED:
        contract = getattr(venue.system, name)
        through(desk, lock, contract, contract.acceptOwnership)
    assert {getattr(venue.system, name).owner() for name in OWNED} == {lock.address}
    return lock


def announce(desk: Desk, lock: Any, target: Any, method: Any, *arguments: Any) -> tuple[Any, ...]:
    """What the proposer has the timelock wait for, as it is to be executed."""
    operation = target.address, 0, bytes(method.encode_input(*arguments)), NOTHING, NOTHING
    act(desk.trader("proposer"), lock.schedule, *operation, DELAY)
    return operation


def through(desk: Desk, lock: Any, target: Any, method: Any, *arguments: Any) -> Done:
    """A call by the timelock, as soon as it may be executed."""
    operation = announce(desk, lock, target, method, *arguments)
    return act(desk.trader("stranger"), lock.execute, *operation, at=now() + DELAY)


def test_who_deployed_has_nothing_left(venue: Venue, desk: Desk, timelock: Any) -> None:
    owner = venue.owner
    for contract, method, arguments in (
        (desk.exchange, desk.exchange.setBackstopRatio, (wad("0.5"),)),
        (desk.exchange, desk.exchange.closeMarket, (desk.market.id, 0, 2**256 - 1)),
        (desk.exchange, desk.exchange.setGuardian, (owner.address,)),
        (desk.fund, desk.fund.createPool, (NOTHING, 0, 0)),
        (desk.book, desk.book.setRewardParameters, ((0, 0, 0),)),
        (desk.price_feed, desk.price_feed.setSequencer, (owner.address, 0)),
    ):
        with refused(contract.OwnableUnauthorizedAccount, account=owner.address):
            act(owner, method, *arguments)


def test_nothing_before_its_delay(desk: Desk, timelock: Any) -> None:
    operation = announce(desk, timelock, desk.exchange, desk.exchange.setBackstopRatio, wad("0.6"))
    ready = now() + DELAY
    identity = timelock.hashOperation(*operation)
    with refused(timelock.TimelockUnexpectedOperationState, operationId=identity, expectedStates=waiting_for_ready()):
        act(desk.trader("proposer"), timelock.execute, *operation, at=ready - 1)
    assert desk.exchange.backstopRatio() == wad("0.5")
    act(desk.trader("stranger"), timelock.execute, *operation, at=ready)
    assert desk.exchange.backstopRatio() == wad("0.6")


def waiting_for_ready() -> bytes:
    """The only state in which an operation is executed, as the timelock's error has it: a bit of its enum."""
    ready = 2
    return (1 << ready).to_bytes(32, "big")


def test_not_less_than_its_delay(desk: Desk, timelock: Any) -> None:
    call = bytes(desk.exchange.setBackstopRatio.encode_input(wad("0.6")))
    with refused(timelock.TimelockInsufficientDelay, delay=DELAY - 1, minDelay=DELAY):
        act(desk.trader("proposer"), timelock.schedule, desk.exchange.address, 0, call, NOTHING, NOTHING, DELAY - 1)
    with refused(timelock.TimelockUnauthorizedCaller, caller=desk.trader("proposer").address):
        act(desk.trader("proposer"), timelock.updateDelay, 0)


def test_a_guardian_is_replaced_before_it_can_pause_again(desk: Desk, timelock: Any) -> None:
    bad, good = desk.trader("bad"), desk.trader("good")
    through(desk, timelock, desk.exchange, desk.exchange.setGuardian, bad.address)
    act(bad, desk.exchange.pause)
    rests = desk.exchange.pausedUntil() + desk.exchange.PAUSE_REST()
    done = through(desk, timelock, desk.exchange, desk.exchange.setGuardian, good.address)
    assert done.timestamp < desk.exchange.pausedUntil()
    with refused(desk.exchange.CallerNotGuardian, caller=bad.address):
        act(bad, desk.exchange.pause, at=rests)
    act(good, desk.exchange.pause)


def test_a_market_ends_at_the_mark_of_the_block_in_which_it_is_executed(desk: Desk, timelock: Any) -> None:
    """Between the prices that were announced with it."""
    desk.seat("""
        hawk  10 100 500
        dove -10 100 500
    """)
    bounds = wad(95), wad(110)
    operation = announce(desk, timelock, desk.exchange, desk.exchange.closeMarket, desk.market.id, *bounds)
    fresh(desk, at=now() + DELAY)
    error = desk.exchange.FinalPriceOutsideBounds
    for price in ("94.99", "110.01"):
        desk.price(price)
        with refused(error, market=desk.market.id, price=wad(price), lowest=bounds[0], highest=bounds[1]):
            act(desk.trader("stranger"), timelock.execute, *operation)
    desk.price("110")
    act(desk.trader("stranger"), timelock.execute, *operation)
    assert desk.mark() == wad(110)
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    act(
        desk.trader("stranger"),
        desk.exchange.settleClosed,
        desk.market.id,
        [desk.account(hawk), desk.account(dove)],
        at=desk.exchange.settlesAt(desk.market.id),
    )
    assert [desk.holding(each).margin for each in (hawk, dove)] == [wad(600), wad(400)]
