"""Whom to put on the list of a round, and what bounds make that list safe to submit.

A round may be challenged for whoever was left off its list and ranks above its cutoff. So the bounds hold it to marks
within `DRIFT` of what they were, and to leveraged returns that nobody left off can reach there. That they are not what
refuses it when all marks and returns have gone down, the list carries, beside those that are to be closed and spares
for those who leave, everybody who may at best rank as high as the last of them at worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from backstop.adl.execution import Round, SkipReason
from backstop.adl.scoring import SideBook
from backstop.adl.snapshot import Account, MarginMode, Side, Snapshot
from backstop.math.leveraged_return import leveraged_return
from backstop.math.margin import margin_rate, margin_requirement, position_value, value_leg
from backstop.math.wad import WAD, div_ceil

# Gas that a counterparty may take: where another round may still be challenged, it is kept as that one found it. In the
# first round of an hour an isolated one takes a quarter of that, a cross one half (`make bench`).
_OF_ISOLATED, _OF_CROSS, _OF_OTHER_LEG = 100_000, 190_000, 15_000
MOST_GAS = 13_500_000  # for all of them: half a block of 30 million. The next round takes the rest
DRIFT = WAD // 100  # of a mark, to both sides, between the snapshot and the round
# Where too many may rise too high with that to be listed, less is allowed for; in the end nothing.
_DRIFTS = (DRIFT, WAD * 3 // 1000, WAD // 1000)
_SPARES = 3  # one for so many that are to be closed
NO_BOUND = -(2**255)  # nobody is left off
_MANY = 200  # holders from which on doubles save more time than it takes to load numpy
_HIGHEST = 2**255 - 1


@dataclass(frozen=True, slots=True)
class MarkBounds:
    """How far a mark may have moved. WAD."""

    market: str
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Accounts to submit; the bounds of marks, and of the leveraged return to be closed, that go with them. WAD.

    The first of `marks` are the round's market's; the others those that cross accounts left off the list depend on.
    `nearest_price` is how near to the mark the ADL price may come, where the list goes by who is insolvent there.
    """

    accounts: tuple[str, ...]
    marks: tuple[MarkBounds, ...]
    lowest_return: int
    nearest_price: int | None = None


def list_candidates(
    snapshot: Snapshot, market: str, side: Side, book: SideBook, result: Round, adl_price: int
) -> Listing:
    """The list for a round against the holders of `side`, as `result` has it, that takes at most `MOST_GAS`.

    Where more accounts than that may rise so high that nobody could be closed before them, the round is held to marks
    nearer to those of the snapshot, and in the end to those themselves: solvency does not wait for a crowd of dust.
    """
    holders = _holders(snapshot, market, book)
    listings: list[Listing] = []
    for drift in _DRIFTS:
        depths = [_depth(snapshot, market, holders[fill.account], drift) for fill in result.fills]
        listing = _list(snapshot, market, holders, book, result, drift, None, min(depths, default=0))
        if listing.lowest_return <= max(depths, default=0):
            return listing
        listings.append(listing)
    best = max((fill.leveraged_return for fill in result.fills), default=0)
    for listing in listings:
        if listing.lowest_return <= best:
            return listing
    return _list(snapshot, market, holders, book, result, 0, adl_price, _cutoff(result))


def _cutoff(result: Round) -> int:
    return min((fill.leveraged_return for fill in result.fills), default=0)


def _holders(snapshot: Snapshot, market: str, book: SideBook) -> dict[str, Account]:
    """Those of the book, ranked or bankrupt, by id."""
    bankrupt = set(book.bankrupt)
    holders = {one.account.id: one.account for one in book.ranked}
    return holders | {account.id: account for account in snapshot.accounts if account.id in bankrupt}


def _list(
    snapshot: Snapshot,
    market: str,
    holders: dict[str, Account],
    book: SideBook,
    result: Round,
    drift: int,
    adl_price: int | None,
    floor: int,
) -> Listing:
    """`floor` is what the returns of those to be closed do not fall below."""
    reach = _Reach(snapshot, market, holders, drift, adl_price)
    fills = [fill.account for fill in result.fills]
    passed_over = [skip.account for skip in result.skipped if skip.reason is SkipReason.INSOLVENT_AT_ADL_PRICE]
    following = [one.account.id for one in book.ranked[result.reached :]]
    spares = following[: max(1, -(-len(fills) // _SPARES))]
    rising = sorted(reach.at_least(floor, following), key=reach.key)
    wanted = dict.fromkeys((*fills, *passed_over, *book.bankrupt, *spares, *rising))
    accounts = tuple(_first(holders, wanted))
    listed = set(accounts)
    left_off = [account for name, account in holders.items() if name not in listed]
    depended_on = {position.market for account in left_off for position in account.positions} - {market}
    return Listing(
        accounts=accounts,
        marks=(
            _mark_bounds(snapshot, market, drift),
            *(_mark_bounds(snapshot, other, drift) for other in snapshot.markets if other in depended_on),
        ),
        lowest_return=reach.highest(account.id for account in left_off),
        nearest_price=adl_price if left_off else None,
    )


class _Reach:
    """The reach of holders, asked exactly only where doubles don't settle it: of ten thousand, a handful matter."""

    def __init__(
        self, snapshot: Snapshot, market: str, holders: dict[str, Account], drift: int, adl_price: int | None
    ) -> None:
        self._holders = holders
        self._asked = snapshot, market, drift, adl_price
        self._known: dict[str, int | None] = {}
        self._ceilings = dict.fromkeys(holders, inf)
        if adl_price is None and len(holders) >= _MANY:
            from backstop.ranking.reach import ceilings

            bounds = _mark_bounds(snapshot, market, drift)
            found = ceilings(
                [_as_scored(snapshot, market, account, drift) for account in holders.values()],
                {bounds.lowest, snapshot.markets[market].mark_price, bounds.highest},
                snapshot.markets[market].maintenance_margin_fraction,
            )
            self._ceilings = dict(zip(holders, found.tolist(), strict=True))

    def of(self, account: str) -> int | None:
        """Exactly; None where it has no bound."""
        if account not in self._known:
            snapshot, market, drift, adl_price = self._asked
            self._known[account] = _reach(snapshot, market, self._holders[account], drift, adl_price)
        return self._known[account]

    def at_least(self, floor: int, accounts: Iterable[str]) -> Iterator[str]:
        """Those who may rise as high as the floor."""
        for account in accounts:
            if self._ceilings[account] >= floor:
                known = self.of(account)
                if known is None or known >= floor:
                    yield account

    def highest(self, accounts: Iterable[str]) -> int:
        """The highest that any of them may rise. Who may become solvent with next to nothing ranks above everybody."""
        most = NO_BOUND
        for account in sorted(accounts, key=self._ceilings.__getitem__, reverse=True):
            if self._ceilings[account] < most:
                break
            known = self.of(account)
            most = max(most, _HIGHEST if known is None else min(known, _HIGHEST))
        return most

    def key(self, account: str) -> tuple[bool, int, str]:
        """By which those who rise highest come first."""
        known = self.of(account)
        return known is not None, -(known or 0), account


def _as_scored(snapshot: Snapshot, market: str, account: Account, drift: int) -> tuple[int, int, int, int]:
    """An account's position, and what it has and needs but for it where the other marks are worst."""
    [own] = [position for position in account.positions if position.market == market]
    others, required = _others(snapshot, market, account, drift, worse=True)
    return own.size, own.entry_notional, account.margin + others, required


def _mark_bounds(snapshot: Snapshot, market: str, drift: int) -> MarkBounds:
    mark = snapshot.markets[market].mark_price
    return MarkBounds(market, mark - mark * drift // WAD, mark + mark * drift // WAD)


def _reach(snapshot: Snapshot, market: str, account: Account, drift: int, adl_price: int | None) -> int | None:
    """The largest leveraged return of an account while the marks stay within their bounds; None where it has no bound.

    The market's own mark is taken as it is and at both ends, all others at whichever end is worse: for the equity the
    one, for the margin required the upper one. With an `adl_price` the equity is at least what the account has to have
    to be solvent there, since nobody else is an omission.
    """
    here = snapshot.markets[market]
    own = next(position for position in account.positions if position.market == market)
    others, required = _others(snapshot, market, account, drift, worse=True)
    reach = NO_BOUND
    bounds = _mark_bounds(snapshot, market, drift)
    for mark in {bounds.lowest, here.mark_price, bounds.highest}:
        leg = value_leg(own.size, own.entry_notional, mark, here.maintenance_margin_fraction)
        least = 0 if adl_price is None else div_ceil(abs(own.size) * abs(adl_price - mark), WAD)
        equity = max(account.margin + others + leg.unrealized_pnl, least)
        if leg.unrealized_pnl <= 0 and equity <= 0:
            reach = max(reach, 0)
        elif equity <= 0:
            return None
        else:
            # What a deposit of a wei brings is beyond what is rounded here.
            rate = margin_rate(required + leg.maintenance_margin, equity) + (equity == least)
            reach = max(reach, leveraged_return(leg.unrealized_pnl, own.entry_notional, rate) + (equity == least))
    return reach


def _depth(snapshot: Snapshot, market: str, account: Account, drift: int) -> int:
    """The smallest leveraged return of an account that is to be closed, as `_reach` has the largest; of where it is
    bankrupt nothing is said."""
    here = snapshot.markets[market]
    own = next(position for position in account.positions if position.market == market)
    others, required = _others(snapshot, market, account, drift, worse=False)
    bounds = _mark_bounds(snapshot, market, drift)
    depths = []
    for mark in {bounds.lowest, here.mark_price, bounds.highest}:
        leg = value_leg(own.size, own.entry_notional, mark, here.maintenance_margin_fraction)
        equity = account.margin + others + leg.unrealized_pnl
        if equity > 0:
            rate = margin_rate(required + leg.maintenance_margin, equity)
            depths.append(leveraged_return(leg.unrealized_pnl, own.entry_notional, rate))
    return min(depths)


def _others(snapshot: Snapshot, market: str, account: Account, drift: int, *, worse: bool) -> tuple[int, int]:
    """What the other legs gain and require, each at the end of its mark's drift that is worse for it, or better."""
    gained, required = 0, 0
    for position in account.positions:
        if position.market == market:
            continue
        bounds = _mark_bounds(snapshot, position.market, drift)
        mark = bounds.lowest if (position.size > 0) == worse else bounds.highest
        gained += position_value(position.size, mark) - position.entry_notional
        fraction = snapshot.markets[position.market].maintenance_margin_fraction
        required += margin_requirement(position.size, bounds.highest if worse else bounds.lowest, fraction)
    return gained, required


def _first(holders: dict[str, Account], wanted: Iterable[str]) -> Iterator[str]:
    """As many as a round may have, in order, and at least one."""
    total = 0
    for place, name in enumerate(wanted):
        total += gas_of(holders[name])
        if place and total > MOST_GAS:
            return
        yield name


def gas_of(account: Account) -> int:
    """What a counterparty may take of a round's gas."""
    if account.margin_mode is MarginMode.ISOLATED:
        return _OF_ISOLATED
    return _OF_CROSS + _OF_OTHER_LEG * (len(account.positions) - 1)
