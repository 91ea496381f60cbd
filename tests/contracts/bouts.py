"""A maker's and a taker's order against each other, whole but for what a test changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backstop.orders import Order
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import Done
from tests.support.desk import Desk

TEN = wad(10)
HUNDRED = wad(100)


class Bout:
    """A maker's and a taker's order that would settle as they are, and what a test changes about them."""

    def __init__(self, desk: Desk, maker: str = "hawk", taker: str = "dove", size: int = TEN) -> None:
        """The taker takes signed `size` at 100."""
        self.desk = desk
        self.maker, self.taker = desk.trader(maker), desk.trader(taker)
        self.size = abs(size)
        self.made = desk.order(self.maker, -size, HUNDRED)
        self.taken = desk.order(self.taker, size, HUNDRED)

    def order(self, role: str) -> Order:
        return self.made if role == "maker" else self.taken

    def owner(self, role: str) -> Any:
        return self.maker if role == "maker" else self.taker

    def change(self, role: str, **changes: Any) -> Order:
        """Changes an order before it is signed."""
        changed = replace(self.order(role), **changes)
        if role == "maker":
            self.made = changed
        else:
            self.taken = changed
        return changed

    def hash(self, role: str) -> bytes:
        return self.desk.hash(self.order(role))

    def settle(self, size: int | None = None, *, by: Any = None, at: int | None = None, **signatures: bytes) -> Done:
        """Settles with good signatures, but for those given by role."""
        signed = [
            signatures.get(role) if role in signatures else self.desk.signed(self.order(role), self.owner(role))
            for role in ("maker", "taker")
        ]
        size = self.size if size is None else size
        return self.desk.settle(self.made, self.taken, size, tuple(signed), by=by or self.taker, at=at)


ROLES = pytest.mark.parametrize("role", ["maker", "taker"])
SIDES = pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])


def open_ring(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each; the market is at 100, IM 10 %, MM 5 %."""
    desk = Desk(venue, market)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    return desk
