"""What must hold after every call, and the whole state to compare before and after one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backstop.chain.bindings import FUND_ITEMS, LENS_ACCOUNTS, LENS_CROSS_ACCOUNTS, LENS_SYSTEM, Function
from backstop.chain.market_view import MarketView
from backstop.chain.snapshot import read_chain
from scripts.stage.venue import Venue
from tests.support.acting import now, rpc

PAGE = 1000
# Where BackstopLens.SystemView, Market and Backing have them.
BLOCK_AND_TIME, MARKETS = 2, -2
OPEN_INTEREST, FUNDING = 2, -1
BALANCE, LONG_LOSS, SHORT_LOSS = 0, 6, 7


def whole_state(venue: Venue, at: int | None = None) -> tuple[Any, ...]:
    """Everything that the lens shows but block and time, as of the latest block or as if that were at timestamp `at`.

    Tokens held, reserves, markets with their pots and fees, pools, accounts by market, cross accounts.
    """
    if at is None:
        at = now()

    def seen(function: Function, *arguments: Any) -> Any:
        data = {"to": venue.system.lens.address, "data": "0x" + function.encode(*arguments).hex()}
        answer: str = rpc("eth_call", data, "latest", {}, {"time": hex(at)})
        values = function.decode(bytes.fromhex(answer[2:]))
        return values[0] if len(values) == 1 else values

    system = seen(LENS_SYSTEM)[BLOCK_AND_TIME:]
    accounts = {view[0]: seen(LENS_ACCOUNTS, view[0], 0, PAGE) for view in system[MARKETS]}
    return *system, accounts, seen(LENS_CROSS_ACCOUNTS, 0, PAGE)


def assert_proofs(venue: Venue) -> None:
    """Tokens held are what everybody may claim; sizes sum to zero; open interest is the sum of the longs.

    Claims are those of accounts, isolated and cross, pools, funding pots, unswept fees, treasury and keeper budget.
    """
    state = read_chain(venue.endpoint, venue.deployment)
    *_, markets, pools, accounts, cross = whole_state(venue)
    assert state.tokens_held == state.claims, f"{state.tokens_held - state.claims} wei held beyond the claims"
    assert state.claims == claims_by_hand(venue), "the snapshot sums the claims up differently"
    assert not any(state.sums_of_sizes.values()), f"sizes do not sum to zero: {state.sums_of_sizes}"
    for view in (MarketView(*each) for each in markets):
        rows = accounts[view.id]
        longs = view.long[0] + sum(max(size, 0) for _, size, *_ in rows)
        assert view.listed[OPEN_INTEREST] == longs, f"open interest of market {view.id}"
    assert_accounts_of_pools(venue, pools)
    assert_pots_cover([MarketView(*each) for each in markets], pools, accounts)
    assert len({account for account, _ in cross}) == len(cross), "a cross account is listed twice"


def assert_accounts_of_pools(venue: Venue, pools: Any) -> None:
    """The items of a pool's account sum to its cash, to the wei."""
    for number, name, _, _, cash, *_ in pools:
        items = venue.endpoint.call(venue.deployment.fund, FUND_ITEMS, number)
        assert sum(items) == cash, f"the items of {name!r} sum to {sum(items)}, its cash is {cash}: {items}"


def claims_by_hand(venue: Venue) -> int:
    """What everybody may claim, summed here and not by the package under test. WAD."""
    *_, treasury, keepers, _, markets, pools, accounts, cross = whole_state(venue)
    claims: int = treasury + keepers + sum(margin for _, margin in cross)
    for view in markets:
        *_, pot, fees, _ = view[3][FUNDING]
        claims += pot + fees + sum(margin - entry for _, _, entry, margin, _ in accounts[view[0]])
    return claims + sum(cash - _entries(markets, served) for _, _, _, _, cash, _, served in pools)


def _entries(markets: Any, served: Any) -> int:
    views = [MarketView(*each) for each in markets]
    return sum(view.long[1] + view.short[1] for view in views if view.id in served)


def assert_pots_cover(markets: list[MarketView], pools: Any, accounts: Any) -> None:
    """Once all have paid and got what they owe and are owed, pots hold the dust and what roundings left there."""
    for _, name, _, _, cash, _, served in pools:
        views = [view for view in markets if view.id in served]
        if not views or any(view.backing_error for view in views):
            continue
        losses = sum(view.backing[LONG_LOSS] + view.backing[SHORT_LOSS] for view in views)
        owed = cash - losses - views[0].backing[BALANCE]  # by the inventories of all markets of the pool
        positions = 0
        for view in views:
            *_, pot, _, dust = view.listed[FUNDING]
            rows = accounts[view.id]
            owed += pot - dust + sum(funding for *_, funding in rows)
            positions += 3 + sum(size != 0 for _, size, *_ in rows)
        assert 0 <= owed <= positions, f"the pots of {name!r} would end with {owed} wei beside their dust"


@contextmanager
def nothing_changes(venue: Venue) -> Iterator[None]:
    """The block must leave everything as it is.

    Seen at one time: a refused transaction is mined, and funding and auctions go on with the clock.
    """
    at = now()
    before = whole_state(venue, at)
    yield
    assert whole_state(venue, at) == before
