"""A market in which a round is due, and whoever is left out of one is known: for bonds, challenges and watchers."""

from __future__ import annotations

from typing import Any

from scripts.stage.venue import Venue, wad
from tests.support.acting import Done, act, later
from tests.support.desk import Desk, open_desk
from tests.support.enums import Exemption, Side

LONG = Side.LONG
FOUR = wad(4)
SHORTS = {"ant": 40, "bee": 60, "cat": 100, "dog": 160}


def open_queue(venue: Venue) -> Desk:
    """At 80, four shorts of four from 100, the least margin first in rank; the empty pool has eight long from 90."""
    desk = open_desk(venue, "SOL-USD", 100, initial="0.1", maintenance="0.05")
    seat(desk)
    later(600)
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    return desk


def seat(desk: Desk, shorts: dict[str, int] | None = None) -> None:
    """Shorts of four each from 100, by margin; icarus is long against the first two, whale against all others."""
    shorts = shorts or SHORTS
    icarus, whale = desk.trader("icarus"), desk.trader("whale")
    desk.deposit(icarus, 80)
    desk.deposit(whale, 5000)
    for place, (name, margin) in enumerate(shorts.items()):
        desk.deposit(desk.trader(name), margin)
        desk.trade(icarus if place < 2 else whale, desk.trader(name), -FOUR, wad(100))


def names(desk: Desk, given: str) -> list[Any]:
    """Those with these names."""
    return [desk.trader(name) for name in given.split()]


def rounded(desk: Desk, given: str, **options: Any) -> int:
    """The id of a round of a keeper that lists these."""
    desk.deleverage(LONG, names(desk, given), **options)
    return int(desk.engine.roundCount())


def challenge(desk: Desk, number: int, who: Any, by: Any = None) -> Done:
    """Somebody shows that an account was left out."""
    account = desk.account(who)
    return act(by or desk.trader("hunter"), desk.book.challenge, number, account, desk.book.kept(number, account))


def omission(desk: Desk, number: int, who: Any) -> tuple[Exemption, int, int]:
    """Why an account is none, its leveraged return as of the round, and what it was spared."""
    reason, leveraged_return, spared = desk.book.omission(number, desk.account(who))
    return Exemption(reason), leveraged_return, spared


def parameters(desk: Desk, **changes: int) -> tuple[int, ...]:
    """The round parameters, some of them changed."""
    present = desk.book.roundParameters()
    fields = ("window", "exemptAge", "tolerance", "returnFloor", "minPenalty", "bondCap")
    return tuple(changes.get(name, getattr(present, name)) for name in fields)
