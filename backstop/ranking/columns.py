"""Accounts and their positions as columns: what a snapshot holds, laid out so that a side can be scored at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from backstop.adl.snapshot import Account, MarginMode, Position
from backstop.ranking import wide
from backstop.ranking.wide import Flags, Rows, Wide

# 20 trillion, with room for sums over millions. What has more, in a snapshot file say, columns leave to `too_large`.
_LARGEST = 2**104
_AT_ONCE = 1 << 15  # accounts: while columns are filled, no more of them are in memory


@dataclass(frozen=True, slots=True)
class AccountColumns:
    """Accounts by id, ascending, and their legs, one account's after another's, each account's in its own order.

    `first[i]` is the row of the i-th account's first leg, and one more entry ends the last; `market` are numbers. An
    account whose amounts do not fit is in `too_large`, by its place, and its amounts in the columns are zeros.
    """

    ids: list[str]
    isolated: Flags
    margin: Wide
    first: Rows
    market: Rows
    size: Wide
    entry: Wide
    too_large: dict[int, Account]

    @classmethod
    def of(cls, accounts: Iterable[Account], number: Mapping[str, int]) -> AccountColumns:
        """The accounts that hold a position; `number` is that of each market."""
        held = (one for one in accounts if one.positions)
        parts: list[AccountColumns] = []
        while part := list(islice(held, _AT_ONCE)):
            parts.append(cls._in_turn(part, number))
        return _joined(parts or [cls._in_turn([], number)])._by_id()

    @classmethod
    def _in_turn(cls, held: Sequence[Account], number: Mapping[str, int]) -> AccountColumns:
        """Accounts in the order in which they come."""
        too_large = {place: one for place, one in enumerate(held) if not _fits(one)}
        kept = [_emptied(one) if place in too_large else one for place, one in enumerate(held)] if too_large else held
        legs = [leg for one in kept for leg in one.positions]
        return cls(
            ids=[one.id for one in held],
            isolated=np.fromiter((one.margin_mode is MarginMode.ISOLATED for one in held), np.bool_, len(held)),
            margin=wide.of_ints(one.margin for one in kept),
            first=_starts(np.fromiter((len(one.positions) for one in held), np.int64, len(held))),
            market=np.fromiter((number[leg.market] for leg in legs), np.int64, len(legs)),
            size=wide.of_ints(leg.size for leg in legs),
            entry=wide.of_ints(leg.entry_notional for leg in legs),
            too_large=too_large,
        )

    def _by_id(self) -> AccountColumns:
        order = np.array(sorted(range(len(self.ids)), key=self.ids.__getitem__), np.int64)
        counts = np.diff(self.first)[order]
        first = _starts(counts)
        legs = np.repeat(self.first[order] - first[:-1], counts) + np.arange(len(self.market))
        place_of = {old: place for place, old in enumerate(order.tolist())} if self.too_large else {}
        return AccountColumns(
            ids=[self.ids[place] for place in order.tolist()],
            isolated=self.isolated[order],
            margin=self.margin.take(order),
            first=first,
            market=self.market[legs],
            size=self.size.take(legs),
            entry=self.entry.take(legs),
            too_large={place_of[place]: one for place, one in self.too_large.items()},
        )

    @property
    def owner(self) -> Rows:
        """The place of each leg's account."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.first))

    def place(self, account: str) -> int | None:
        """Where an account is; None where it holds nothing."""
        place = bisect_left(self.ids, account)
        return place if place < len(self.ids) and self.ids[place] == account else None

    def account(self, place: int, names: Sequence[str]) -> Account:
        """The account at a place; `names` are the markets by number."""
        if place in self.too_large:
            return self.too_large[place]
        legs = slice(int(self.first[place]), int(self.first[place + 1]))
        [margin] = self.margin.take(slice(place, place + 1)).to_ints()
        return Account(
            id=self.ids[place],
            margin_mode=MarginMode.ISOLATED if self.isolated[place] else MarginMode.CROSS,
            margin=margin,
            positions=tuple(
                Position(names[market], size, entry)
                for market, size, entry in zip(
                    self.market[legs].tolist(),
                    self.size.take(legs).to_ints(),
                    self.entry.take(legs).to_ints(),
                    strict=True,
                )
            ),
        )

    def with_changes(self, changed: Mapping[str, Account], number: Mapping[str, int]) -> AccountColumns:
        """These columns with some accounts, by id, as they are now; one without positions leaves."""
        gone = np.array(sorted(place for each in changed if (place := self.place(each)) is not None), np.int64)
        new = AccountColumns.of(changed.values(), number)
        ids = _without(self.ids, gone)
        at = np.array([bisect_left(ids, each) for each in new.ids], np.int64)
        # What follows leaves out rows and puts others in, in the same way for accounts and for their legs.
        stays = np.ones(len(self.ids), np.bool_)
        stays[gone] = False
        owner = self.owner
        leg_stays = stays[owner]
        legs_before = _starts(np.diff(self.first)[stays])
        legs_at = np.repeat(legs_before[at], np.diff(new.first))
        counts = np.insert(np.diff(self.first)[stays], at, np.diff(new.first))
        merged = _merged(ids, new.ids, at)
        kept_large = {self.ids[place]: one for place, one in self.too_large.items() if stays[place]}
        large = kept_large | {one.id: one for one in new.too_large.values()}
        return AccountColumns(
            ids=merged,
            isolated=np.insert(self.isolated[stays], at, new.isolated),
            margin=_inserted(self.margin.take(stays), at, new.margin),
            first=_starts(counts),
            market=np.insert(self.market[leg_stays], legs_at, new.market),
            size=_inserted(self.size.take(leg_stays), legs_at, new.size),
            entry=_inserted(self.entry.take(leg_stays), legs_at, new.entry),
            too_large={bisect_left(merged, each): one for each, one in large.items()},
        )


def _joined(parts: Sequence[AccountColumns]) -> AccountColumns:
    """One's accounts after another's."""
    before = _starts(np.array([len(part.ids) for part in parts], np.int64)).tolist()
    return AccountColumns(
        ids=[each for part in parts for each in part.ids],
        isolated=np.concatenate([part.isolated for part in parts]),
        margin=wide.concatenate([part.margin for part in parts]),
        first=_starts(np.concatenate([np.diff(part.first) for part in parts])),
        market=np.concatenate([part.market for part in parts]),
        size=wide.concatenate([part.size for part in parts]),
        entry=wide.concatenate([part.entry for part in parts]),
        too_large={
            start + place: one
            for start, part in zip(before, parts, strict=False)
            for place, one in part.too_large.items()
        },
    )


def _fits(account: Account) -> bool:
    return abs(account.margin) < _LARGEST and all(
        abs(leg.size) < _LARGEST and abs(leg.entry_notional) < _LARGEST for leg in account.positions
    )


def _emptied(account: Account) -> Account:
    # A size keeps its sign, which is the side that it stands on.
    legs = tuple(Position(leg.market, 1 if leg.size > 0 else -1, 0) for leg in account.positions)
    return Account(account.id, account.margin_mode, 0, legs)


def _starts(counts: Rows) -> Rows:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _without(ids: list[str], gone: Rows) -> list[str]:
    kept = ids.copy()
    for place in reversed(gone.tolist()):
        del kept[place]
    return kept


def _merged(ids: list[str], new: list[str], at: Rows) -> list[str]:
    parts: list[str] = []
    last = 0
    for each, place in zip(new, at.tolist(), strict=True):
        parts += ids[last:place]
        parts.append(each)
        last = place
    return parts + ids[last:]


def _inserted(column: Wide, at: Rows, new: Wide) -> Wide:
    return Wide(np.insert(column.low, at, new.low), np.insert(column.high, at, new.high))
