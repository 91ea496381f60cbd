"""What must hold after every call, and the whole state to compare before and after one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backstop.chain.bindings import LENS_ACCOUNTS, LENS_SYSTEM
from backstop.chain.snapshot import read_chain
from scripts.stage.venue import Venue

PAGE = 1000
# Where BackstopLens.MarketView has them.
ID, OPEN_INTEREST, LONG = 0, 12, -4


def whole_state(venue: Venue) -> tuple[Any, ...]:
    """Everything that the lens shows but block and time: tokens held, markets, pools, and accounts by market."""
    lens = venue.system.lens.address
    _, _, backstop_ratio, tokens_held, markets, pools = venue.endpoint.call(lens, LENS_SYSTEM)
    accounts = {view[ID]: venue.endpoint.call(lens, LENS_ACCOUNTS, view[ID], 0, PAGE) for view in markets}
    return backstop_ratio, tokens_held, markets, pools, accounts


def assert_proofs(venue: Venue) -> None:
    """Tokens held are what accounts and pools may claim; sizes sum to zero; open interest is the sum of the longs."""
    state = read_chain(venue.endpoint, venue.deployment)
    assert state.tokens_held == state.claims, f"{state.tokens_held - state.claims} wei held beyond the claims"
    assert not any(state.sums_of_sizes.values()), f"sizes do not sum to zero: {state.sums_of_sizes}"
    _, _, markets, _, accounts = whole_state(venue)
    for view in markets:
        inventory, *_ = view[LONG]
        longs = inventory + sum(max(size, 0) for _, size, _, _ in accounts[view[ID]])
        assert view[OPEN_INTEREST] == longs, f"open interest of market {view[ID]}"


@contextmanager
def nothing_changes(venue: Venue) -> Iterator[None]:
    """The block must leave everything as it is."""
    before = whole_state(venue)
    yield
    assert whole_state(venue) == before
