"""A book of accounts that is ranked again and again, as marks move and accounts change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from backstop.adl.snapshot import Account, Market, Side, Snapshot
from backstop.errors import UnknownMarketError
from backstop.ranking import wide
from backstop.ranking.bounds import Amounts
from backstop.ranking.columns import AccountColumns
from backstop.ranking.queue import Queue, SideColumns, SideKey, Source
from backstop.ranking.scoring import Rest, value
from backstop.ranking.wide import Flags, Rows, Wide


class RankingEngine:
    """The queues of a book's sides, exactly as `backstop.adl.scoring` orders them. WAD.

    What a change does not touch is kept: after a market's own mark has moved, a side costs no more than to be scored
    and to have its order mended; after another mark has, the accounts that hold several are valued there anew.
    Not for several threads.
    """

    def __init__(self, markets: Mapping[str, Market], accounts: Iterable[Account]) -> None:
        self._markets = dict(markets)
        self._names = list(markets)
        self._number = {name: number for number, name in enumerate(markets)}
        self._sides: dict[SideKey, SideColumns] = {}
        self._orders: dict[SideKey, Rows] = {}
        self._use(AccountColumns.of(accounts, self._number))

    @classmethod
    def of(cls, snapshot: Snapshot) -> RankingEngine:
        """The accounts of a snapshot at its marks."""
        return cls(snapshot.markets, snapshot.accounts)

    def __len__(self) -> int:
        """How many accounts hold a position."""
        return len(self._columns.ids)

    def move_marks(self, marks: Mapping[str, int]) -> None:
        """The marks from now on, WAD, for some of the markets. Raises UnknownMarketError, and then moves none."""
        for name in marks:
            self._check(name)
        moved = {name for name, mark in marks.items() if mark != self._markets[name].mark_price}
        for name in moved:
            self._markets[name] = replace(self._markets[name], mark_price=marks[name])
            self._value(self._number[name])
        for key in [key for key, side in self._sides.items() if side.elsewhere & moved]:
            del self._sides[key]

    def update(self, changed: Iterable[Account]) -> None:
        """Accounts as they are now, in place of what was known of them; one without positions leaves."""
        by_id = {one.id: one for one in changed}
        if by_id:
            self._use(self._columns.with_changes(by_id, self._number))

    def queue(self, market: str, side: Side | str) -> Queue:
        """The queue of a side at the present marks. Raises UnknownMarketError, and ValueError for an unknown side."""
        self._check(market)
        key = market, Side(side)
        if key not in self._sides:
            self._sides[key] = self._side(key)
        columns = self._columns
        names = self._names
        source = Source(columns.ids, lambda place: columns.account(place, names), dict(self._markets))
        found = Queue.of(key, self._sides[key], source, self._orders.get(key))
        self._orders[key] = found.rows
        return found

    def _check(self, market: str) -> None:
        if market not in self._markets:
            raise UnknownMarketError(market, self._names)

    def _use(self, columns: AccountColumns) -> None:
        self._columns = columns
        self._sides.clear()
        self._orders.clear()
        legs = np.diff(columns.first)
        self._owner = columns.owner
        several = (legs > 1)[self._owner]
        # Legs of accounts that hold several, by market: only of them anybody asks what they are worth elsewhere.
        self._elsewhere = [np.flatnonzero(several & (columns.market == number)) for number in range(len(self._names))]
        count = len(columns.market)
        self._gain, self._required = wide.zeros(count), wide.zeros(count)
        self._sure = np.ones(count, np.bool_)
        for number in range(len(self._names)):
            self._value(number)

    def _value(self, number: int) -> None:
        """What the legs of accounts with several are worth in a market, at its mark."""
        legs = self._elsewhere[number]
        if not len(legs):
            return
        market = self._markets[self._names[number]]
        size, entry = self._columns.size.take(legs), self._columns.entry.take(legs)
        worth = value(size, entry, market.mark_price, market.maintenance_margin_fraction)
        for whole, part in ((self._gain, worth.gain), (self._required, worth.required)):
            whole.low[legs], whole.high[legs] = part.low, part.high
        self._sure[legs] = worth.sure

    def _side(self, key: SideKey) -> SideColumns:
        columns = self._columns
        wanted = columns.market == self._number[key[0]]
        short = columns.size.is_negative
        legs = np.flatnonzero(wanted & (short if key[1] is Side.SHORT else ~short))
        places = self._owner[legs]
        unsure = np.isin(places, list(columns.too_large))
        large = {
            row: next(leg.size for leg in columns.too_large[int(places[row])].positions if leg.market == key[0])
            for row in np.flatnonzero(unsure).tolist()
        }
        rest, sure, elsewhere = self._rest(legs, places)
        size, entry = columns.size.take(legs), columns.entry.take(legs)
        return SideColumns(
            places=places,
            size=size,
            entry=entry,
            rest=rest,
            amounts=Amounts(*(each.to_floats() for each in (size, entry, rest.equity, rest.required))),
            unsure=unsure | ~sure,
            large=large,
            elsewhere=elsewhere,
        )

    def _rest(self, legs: Rows, places: Rows) -> tuple[Rest, Flags, frozenset[str]]:
        """What the accounts at `places` have and need but for these legs, and the markets that it depends on."""
        columns = self._columns
        equity, required = columns.margin.take(places), wide.zeros(len(legs))
        sure = np.ones(len(legs), np.bool_)
        first, end = columns.first[places], columns.first[places + 1]
        elsewhere: set[int] = set()
        for offset in range(int(np.max(end - first, initial=1))):
            other = first + offset
            rows = np.flatnonzero((other < end) & (other != legs) & (end - first > 1))
            at = other[rows]
            _add_at(equity, rows, self._gain.take(at))
            _add_at(required, rows, self._required.take(at))
            sure[rows] &= self._sure[at]
            elsewhere |= set(np.unique(columns.market[at]).tolist())
        return Rest(equity, required), sure, frozenset(self._names[number] for number in elsewhere)


def _add_at(total: Wide, rows: Rows, part: Wide) -> None:
    total.low[rows], total.high[rows] = wide.add(total.take(rows), part)
