"""One sequence: a book, a plan, what others do meanwhile, the round, what they do afterwards, and every challenge."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from backstop.adl.listing import NO_BOUND
from backstop.adl.planning import Plan
from backstop.keeper.duties import SIDE_CODES

from .books import KEEPERS, Book, largest
from .deeds import Deeds
from .judge import Record
from .venue import Venue, plans_of
from .world import IDS, Ground

KEEPER = KEEPERS[0]
ATTEMPTS = 3


def play(ground: Ground, seed: int, counts: Counter[str], *, is_honest: bool, is_careless: bool = False) -> None:
    """A careless keeper sends an honest list without the bounds that go with it.

    Raises AssertionError where the contracts and the model differ, or where an honest keeper could be slashed."""
    rng = Random(f"{seed} {is_honest}")
    venue = Venue(ground, counts)
    book = Book(venue, rng)
    counts["books"] += bool(book.plans)
    if not book.plans:
        return
    deeds = Deeds(book)
    record = _honest(book, deeds, is_careless) if is_honest else _dishonest(book)
    if record is None:
        return
    counts["rounds that were judged"] += 1
    venue.hold_as_of()
    for _ in range(rng.randrange(7)):
        deeds.after()
    venue.hold_as_of()
    venue.challenge_all()


def _honest(book: Book, deeds: Deeds, is_careless: bool) -> Record | None:
    """Plans and sends, and where the round is refused plans anew."""
    for _ in range(ATTEMPTS):
        one = book.rng.choice(book.plans)
        if is_careless:
            one = replace(one, listing=replace(one.listing, marks=(), lowest_return=NO_BOUND))
        book.venue.now += book.rng.choice((0, 1, 12))
        for _ in range(book.rng.randrange(6)):
            deeds.before()
        record = book.venue.submit(KEEPER, one, book.view)
        if record is not None:
            book.venue.counts["rounds whose list left somebody off"] += one.listing.lowest_return != NO_BOUND
            return record
        book.view = deeds.view = book.venue.view()
        book.plans = plans_of(book.view)
        if not book.plans:
            return None
    return None


def _dishonest(book: Book) -> Record | None:
    """Leaves somebody off the list that it should have sent."""
    venue, rng = book.venue, book.rng
    one = rng.choice(book.plans)
    listed = list(one.listing.accounts)
    left_off = rng.choice((_first, _middle, _largest, _all_but_last, _first_for_second))(one)
    kept = [bytes.fromhex(account[2:]) for account in listed if account not in left_off]
    venue.now += rng.choice((121, 150))
    return venue.round(KEEPER, IDS[one.market], SIDE_CODES[one.side], kept) if kept else None


def _first(one: Plan) -> set[str]:
    return {one.fills[0].account}


def _middle(one: Plan) -> set[str]:
    return {one.fills[len(one.fills) // 2].account}


def _largest(one: Plan) -> set[str]:
    return {largest(one)}


def _all_but_last(one: Plan) -> set[str]:
    return {fill.account for fill in one.fills[:-1]} or {one.fills[0].account}


def _first_for_second(one: Plan) -> set[str]:
    """Only the second is on the list, and the rest that is not to be closed."""
    closed = [fill.account for fill in one.fills]
    return set(closed) - set(closed[1:2])
