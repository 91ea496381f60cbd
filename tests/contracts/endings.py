"""A market that ends, and the hands that end and settle it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backstop.chain.snapshot import ChainState, read_chain
from scripts.stage.venue import Venue, wad
from tests.support.acting import Done, act, rpc, wait_until
from tests.support.desk import Desk, open_desk

DAY = 86_400
HUNDRED = wad(100)


def close(desk: Desk, lowest: int = 0, highest: int = 2**256 - 1) -> Done:
    return act(desk.venue.owner, desk.exchange.closeMarket, desk.market.id, lowest, highest)


def wait_for_settlement(desk: Desk) -> None:
    wait_until(desk.exchange.settlesAt(desk.market.id))


def settle(desk: Desk, *who: Any, by: str = "stranger", at: int | None = None) -> Done:
    accounts = [desk.account(each) for each in who]
    return act(desk.trader(by), desk.exchange.settleClosed, desk.market.id, accounts, at=at)


def state_of(desk: Desk) -> ChainState:
    return read_chain(desk.venue.endpoint, desk.venue.deployment)


def traders(desk: Desk, names: str) -> list[Any]:
    return [desk.trader(name) for name in names.split()]


@contextmanager
def undone() -> Iterator[None]:
    """What the block does is taken back."""
    state = rpc("evm_snapshot")
    yield
    assert rpc("evm_revert", state)


BOOK = """
    hawk    7  100 100
    eagle   3  100  90
    dove  -10  100 400
"""


def open_ending(venue: Venue) -> Desk:
    """A market at 100, 10x, mmf 5 %, in a pool of its own that is empty."""
    return open_desk(venue, "END-USD", 100, initial="0.1", maintenance="0.05")


def seat_book(desk: Desk) -> Desk:
    """Two longs and a short of 10 from 100, and a pool of 1,000; the mark is 103."""
    desk.contribute(1000)
    desk.seat(BOOK)
    desk.price("103")
    return desk
