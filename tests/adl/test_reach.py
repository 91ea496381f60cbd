"""What doubles leave out of what is asked exactly changes nothing of a list."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pytest

from backstop.adl import listing
from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Account, Side, Snapshot
from tests.ranking.books import MARKETS, SIDES, book

DRIFTS = (listing.DRIFT, listing.DRIFT // 7, 0)
BOUNDLESS = 2**256
FLOORS = (listing.NO_BOUND, -(10**20), -(10**10), -1, 0, 1, 10**10, 10**20)


@pytest.fixture(autouse=True)
def always_by_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of books that are small enough to be asked exactly at once."""
    monkeypatch.setattr(listing, "_MANY", 0)


def reach_of(state: Snapshot, market: str, side: Side, drift: int, price: int | None = None) -> listing._Reach:
    holders = listing._holders(state, market, score_sides(state, [(market, side)])[market, side])
    return listing._Reach(state, market, holders, drift, price)


@pytest.mark.parametrize("seed", range(20))
def test_whoever_may_rise_as_high_is_found_and_the_highest_of_them_to_the_wei(seed: int) -> None:
    draws = Random(seed)
    state = book(draws, 60)
    for market, side, drift in product(MARKETS, SIDES, DRIFTS):
        price = draws.choice((None, state.markets[market].mark_price * draws.randrange(80, 120) // 100))
        reach = reach_of(state, market, side, drift, price)
        names = draws.sample(list(reach._holders), len(reach._holders))
        exactly = {name: listing._reach(state, market, reach._holders[name], drift, price) for name in names}
        known = sorted(value for value in exactly.values() if value is not None)
        bounds = {name: BOUNDLESS if value is None else value for name, value in exactly.items()}
        for floor in (*FLOORS, *known[:: max(1, len(known) // 5)]):
            assert list(reach.at_least(floor, names)) == [name for name in names if bounds[name] >= floor]
        for some in (names, names[::2], names[::7], []):
            highest = max((bounds[name] for name in some), default=listing.NO_BOUND)
            assert reach.highest(some) == min(highest, listing._HIGHEST)


def test_most_are_never_asked_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    state = book(Random(1), 400)
    asked: list[Account] = []
    exactly = listing._reach

    def noted(state: Snapshot, market: str, account: Account, drift: int, price: int | None) -> int | None:
        asked.append(account)
        return exactly(state, market, account, drift, price)

    monkeypatch.setattr(listing, "_reach", noted)
    reach = reach_of(state, "ETH", Side.LONG, listing.DRIFT)
    finite = {name for name, ceiling in reach._ceilings.items() if np.isfinite(ceiling)}
    reach.highest(finite)
    assert len(finite) > 50
    assert 1 <= len(asked) <= 3


def test_small_books_do_without_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """And give the same list."""
    state = book(Random(2), 60)
    found = {}
    for many in (0, 10**6):
        monkeypatch.setattr(listing, "_MANY", many)
        reach = reach_of(state, "ETH", Side.LONG, listing.DRIFT)
        assert any(np.isfinite(one) for one in reach._ceilings.values()) == (many == 0)
        found[many] = list(reach.at_least(0, reach._holders)), reach.highest(reach._holders)
    assert found[0] == found[10**6]
