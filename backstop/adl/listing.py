"""Whom to put on the list of a round, and what bounds make that list safe to submit.

A round may be challenged for whoever was left off its list and ranks above its cutoff. So the list carries, beside
those that are to be closed, spares for those who leave, and everybody who may rank as high once the marks have moved by
`DRIFT`; and the bounds hold the round to such marks, and to leveraged returns that nobody left off can reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from backstop.adl.execution import Round, SkipReason
from backstop.adl.scoring import SideBook, legs_of, score_sides
from backstop.adl.snapshot import Side, Snapshot
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import maintenance_margin, margin_rate
from backstop.math.wad import WAD, div_ceil

# A round over this many positions, those that cross counterparties hold in other markets among them, can be sent with
# half the gas of a block of 30 million: each asks for some 41,000, part of it refunded. The next one takes the rest.
MOST_POSITIONS = 300
DRIFT = WAD // 100  # of a mark, to both sides, between the snapshot and the round
_SPARES = 3  # one for so many that are to be closed
NO_BOUND = -(2**255)  # nobody is left off


@dataclass(frozen=True, slots=True)
class Listing:
    """Accounts to submit; the bounds of mark, and of the leveraged return to be closed, that go with them. WAD."""

    accounts: tuple[str, ...]
    lowest_mark: int
    highest_mark: int
    lowest_return: int


def list_candidates(
    snapshot: Snapshot, market: str, side: Side, book: SideBook, result: Round, adl_price: int
) -> Listing:
    """The list for a round against the holders of `side`, as `result` has it, of at most `MOST_POSITIONS` positions.

    Where more accounts than that are so near to bankruptcy that nobody could be closed before them, the round is held
    to the very mark of the snapshot instead: solvency does not wait for a crowd of dust.
    """
    listing = _list(snapshot, market, side, book, result, _reach(snapshot, market, side, book), DRIFT)
    best = max((fill.leveraged_return for fill in result.fills), default=0)
    if listing.lowest_return <= best:
        return listing
    return _list(snapshot, market, side, book, result, _reach_here(snapshot, market, book, adl_price), 0)


def _list(
    snapshot: Snapshot,
    market: str,
    side: Side,
    book: SideBook,
    result: Round,
    reach: dict[str, int | None],
    drift: int,
) -> Listing:
    fills = [fill.account for fill in result.fills]
    passed_over = [skip.account for skip in result.skipped if skip.reason is SkipReason.INSOLVENT_AT_ADL_PRICE]
    cutoff = min((fill.leveraged_return for fill in result.fills), default=0)
    following = [one.account.id for one in book.ranked[result.reached :]]
    spares = following[: max(1, -(-len(fills) // _SPARES))]
    rising = sorted(
        (each for each in following if _is_at_least(reach[each], cutoff)), key=lambda each: _key(reach, each)
    )
    wanted = dict.fromkeys((*fills, *passed_over, *book.bankrupt, *spares, *rising))
    accounts = tuple(_first(snapshot, wanted))
    mark = snapshot.markets[market].mark_price
    left_off = set(reach) - set(accounts)
    return Listing(
        accounts=accounts,
        lowest_mark=mark - mark * drift // WAD,
        highest_mark=mark + mark * drift // WAD,
        lowest_return=max((_bound(reach[each]) for each in left_off), default=NO_BOUND),
    )


def _reach(snapshot: Snapshot, market: str, side: Side, book: SideBook) -> dict[str, int | None]:
    """The largest leveraged return of each account at marks moved by the drift; None where one of them bankrupts it."""
    reach: dict[str, int | None] = {one.account.id: one.leveraged_return for one in book.ranked}
    reach |= dict.fromkeys(book.bankrupt)
    for moved in (WAD - DRIFT, WAD + DRIFT):
        elsewhere = score_sides(_at(snapshot, moved), [(market, side)])[market, side]
        for one in elsewhere.ranked:
            here = reach[one.account.id]
            reach[one.account.id] = None if here is None else max(here, one.leveraged_return)
        reach |= dict.fromkeys(elsewhere.bankrupt)
    return reach


def _reach_here(snapshot: Snapshot, market: str, book: SideBook, adl_price: int) -> dict[str, int | None]:
    """The leveraged returns at the marks as they are; of a bankrupt account the most that a deposit can bring it to.

    Whoever is to be an omission is solvent at the ADL price: `E >= |size| * |p_adl - mark|`.
    """
    reach: dict[str, int | None] = {one.account.id: one.leveraged_return for one in book.ranked}
    bankrupt = set(book.bankrupt)
    mark = snapshot.markets[market].mark_price
    for account in snapshot.accounts:
        if account.id not in bankrupt:
            continue
        legs = legs_of(snapshot, account)
        leg = next(leg for leg, position in zip(legs, account.positions, strict=True) if position.market == market)
        least = div_ceil(abs(leg.size) * abs(adl_price - mark), WAD)
        if leg.unrealized_pnl <= 0:
            reach[account.id] = 0
        elif not least:
            reach[account.id] = None
        else:
            rate = margin_rate(maintenance_margin(legs), least) + 1
            reach[account.id] = leveraged_return(leg.unrealized_pnl, leg.entry_notional, rate) + 1
    return reach


def _at(snapshot: Snapshot, moved: int) -> Snapshot:
    markets = {
        name: replace(market, mark_price=market.mark_price * moved // WAD) for name, market in snapshot.markets.items()
    }
    return replace(snapshot, markets=markets)


def _is_at_least(reach: int | None, cutoff: int) -> bool:
    return reach is None or reach >= cutoff


def _key(reach: dict[str, int | None], account: str) -> tuple[bool, int, str]:
    known = reach[account]
    return known is not None, -(known or 0), account


def _bound(reach: int | None) -> int:
    """Who may become solvent with next to nothing ranks above everybody."""
    return 2**255 - 1 if reach is None else min(reach, 2**255 - 1)


def _first(snapshot: Snapshot, wanted: Iterable[str]) -> Iterator[str]:
    """As many as a round may have, in order, and at least one."""
    wanted = list(wanted)
    chosen = set(wanted)
    positions = {one.id: len(one.positions) for one in snapshot.accounts if one.id in chosen}
    total = 0
    for place, account in enumerate(wanted):
        total += positions[account]
        if place and total > MOST_POSITIONS:
            return
        yield account
