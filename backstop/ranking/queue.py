"""The queue of one side of a market at one mark, as the engine found it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, overload

import numpy as np

from backstop.adl.scoring import Candidate, score_sides
from backstop.adl.snapshot import Account, Market, Side, Snapshot
from backstop.math.leveraged_return import adl_light
from backstop.ranking import wide
from backstop.ranking.bounds import Amounts, bound
from backstop.ranking.order import Returns, in_order
from backstop.ranking.scoring import Rest, score
from backstop.ranking.wide import Flags, Rows, Wide

SideKey: TypeAlias = tuple[str, Side]

_AT_ONCE = 256  # candidates that are made when one is asked for


class SideColumns(NamedTuple):
    """Who holds a side, by account id: `places` of the accounts, and what they have and need but for this position.

    `unsure` rows have numbers that are too large for columns, `large` the sizes among them that are; `elsewhere` are
    the markets that `rest` depends on.
    """

    places: Rows
    size: Wide
    entry: Wide
    rest: Rest
    amounts: Amounts
    unsure: Flags
    large: Mapping[int, int]
    elsewhere: frozenset[str]


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: account ids by place, the accounts themselves, and the markets at their marks."""

    ids: Sequence[str]
    account: Callable[[int], Account]
    markets: Mapping[str, Market]

    def candidates(self, key: SideKey, places: Sequence[int]) -> dict[int, Candidate]:
        """The accounts at these places as `backstop.adl` scores them, but for those with `E <= 0`."""
        held = {self.ids[place]: place for place in places}
        accounts = tuple(self.account(place) for place in places)
        book = score_sides(Snapshot(None, dict(self.markets), {}, accounts), [key])[key]
        return {held[one.account.id]: one for one in book.ranked}


@dataclass(frozen=True, slots=True)
class Queue(Sequence[Candidate]):
    """The candidates of a side with `E > 0`, first to be deleveraged first, each made when it is asked for.

    `rows` are theirs in the side's columns, in the order of the queue; `bankrupt` the ids with `E <= 0`, ascending.
    """

    key: SideKey
    rows: Rows
    bankrupt: tuple[str, ...]
    _columns: SideColumns
    _source: Source
    _made: dict[int, Candidate] = field(default_factory=dict)
    _ahead: list[Wide] = field(default_factory=list)

    @classmethod
    def of(cls, key: SideKey, columns: SideColumns, source: Source, before: Rows | None = None) -> Queue:
        """The queue of a side at the mark of its market; `before` is an earlier order of the same columns."""
        market = source.markets[key[0]]
        found = bound(columns.amounts, market.mark_price, market.maintenance_margin_fraction)
        ranked, bankrupt = found.ranked & ~columns.unsure, found.bankrupt & ~columns.unsure
        doubtful = np.flatnonzero(~ranked & ~bankrupt)
        if len(doubtful):
            returns, is_bankrupt = _exact(key, columns, source, doubtful)
            bankrupt[doubtful] = is_bankrupt
            known = np.array(returns, np.float64)
            found.low[doubtful], found.high[doubtful] = np.nextafter(known, -np.inf), np.nextafter(known, np.inf)
        in_queue = ~bankrupt
        if before is None:
            rows = np.flatnonzero(in_queue)
        else:
            entered = in_queue.copy()
            entered[before] = False
            rows = np.concatenate([before[in_queue[before]], np.flatnonzero(entered)])
        return cls(
            key=key,
            rows=in_order(
                rows,
                found.low,
                found.high,
                lambda some: _exact(key, columns, source, some)[0],
                is_mended=before is not None,
            ),
            bankrupt=tuple(source.ids[place] for place in columns.places[bankrupt].tolist()),
            _columns=columns,
            _source=source,
        )

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> list[Candidate]: ...
    def __getitem__(self, at: int | slice) -> Candidate | list[Candidate]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = range(len(self))[at]
        if place not in self._made:
            start = place - place % _AT_ONCE
            held = self._columns.places[self.rows[start : start + _AT_ONCE]].tolist()
            made = self._source.candidates(self.key, held)
            self._made.update({start + offset: made[each] for offset, each in enumerate(held)})
        return self._made[place]

    def __iter__(self) -> Iterator[Candidate]:
        return (self[place] for place in range(len(self)))

    def accounts(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Ids of accounts at these places, from 0."""
        return [self._source.ids[place] for place in self._columns.places[self.rows[start:stop]].tolist()]

    def leveraged_returns(self, start: int = 0, stop: int | None = None) -> list[int]:
        """Leveraged returns at these places, from 0. WAD."""
        return list(_exact(self.key, self._columns, self._source, self.rows[start:stop])[0])

    def contracts(self, start: int = 0, stop: int | None = None) -> list[int]:
        """Unsigned sizes at these places, from 0. WAD."""
        rows = self.rows[start:stop]
        sizes = wide.magnitude(self._columns.size.take(rows)).to_ints()
        if not self._columns.large:
            return sizes
        return [abs(self._columns.large.get(row, size)) for row, size in zip(rows.tolist(), sizes, strict=True)]

    def place_of(self, account: str) -> int | None:
        """Where in the queue an account is, from 0; None where it has no place in it."""
        at = bisect_left(self._source.ids, account)
        if at == len(self._source.ids) or self._source.ids[at] != account:
            return None
        row = int(np.searchsorted(self._columns.places, at))
        found = np.flatnonzero(self.rows == row)
        return int(found[0]) if row < len(self._columns.places) and len(found) else None

    def light(self, place: int) -> int:
        """The light of a place, from 0: 1 (first to be deleveraged) to 5."""
        ahead = self.contracts_ahead(place)
        return adl_light(ahead, self.contracts_ahead(place + 1) - ahead, self.contracts_ahead(len(self)))

    def contracts_ahead(self, place: int) -> int:
        """The contracts of all who go before a place, from 0; those of the whole side at its end. WAD."""
        if self._columns.large:
            return sum(self.contracts(0, place))
        if not self._ahead:
            self._ahead.append(wide.running_sum(wide.magnitude(self._columns.size.take(self.rows))))
        return self._ahead[0].take(slice(place - 1, place)).to_ints()[0] if place else 0


def _exact(key: SideKey, columns: SideColumns, source: Source, rows: Rows) -> tuple[Returns, Flags]:
    """The leveraged returns of rows, and who has `E <= 0`, whose return is then of no meaning."""
    market = source.markets[key[0]]
    scores = score(
        columns.size.take(rows),
        columns.entry.take(rows),
        columns.rest.take(rows),
        market.mark_price,
        market.maintenance_margin_fraction,
    )
    unsure = np.flatnonzero(~scores.sure | columns.unsure[rows]).tolist()
    if not unsure:
        return scores.returns, scores.bankrupt
    places = columns.places[rows].tolist()
    known = source.candidates(key, [places[at] for at in unsure])
    returns: list[int] = scores.returns.tolist()
    for at in unsure:
        candidate = known.get(places[at])
        scores.bankrupt[at] = candidate is None
        returns[at] = 0 if candidate is None else candidate.leveraged_return
    return returns, scores.bankrupt
