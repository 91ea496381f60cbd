"""Counterparties of a wave's coin, drawn so that holdings are as concentrated as published. Not the event's own.

Who holds how much of the whole follows Zipf's law within each published class of users (the largest one, the next nine,
the next ninety, everybody else), scaled to what the class held. The hundred largest hold their part of every coin; each
of the others stands in about one, so that a coin has as many of them as its size. Entry prices and leverage are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from backstop.adl.snapshot import (
    Account,
    Backing,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Snapshot,
)
from backstop.math.wad import WAD
from backstop.policies.october import HELD, NOTIONAL, USERS, WaveCoin

Floats = NDArray[np.float64]

LARGE = 100  # users that hold a part of every coin
COVER = 3  # contracts of the winning side for each that was deleveraged
MAINTENANCE = WAD // 80  # half the initial margin at the highest leverage
HIGHEST_LEVERAGE = 40.0
_LOWEST_LEVERAGE = 1.5
_FEWEST = 10  # smaller users of a coin
_LOSING = 0.1  # part of the accounts that the mark is against
_UNIT = 10**12  # contracts, margins and entries are multiples of it: a millionth
_POOL = "fund"
_SHARE = WAD * 3 // 10


@dataclass(frozen=True, slots=True)
class Book:
    """A coin's round: the state in which it is due. `users` are whose the accounts are, by rank of holdings from 1.

    The pool holds what was deleveraged, and lacks what closing it had to bring; so that, and no more, is due.
    """

    row: WaveCoin
    snapshot: Snapshot
    users: tuple[int, ...]

    @property
    def mark(self) -> int:
        """The mark, WAD."""
        return self.snapshot.markets[self.row.coin].mark_price


@cache
def shares() -> Floats:
    """What each user held of all, the largest first; they sum to 1."""
    found = np.empty(USERS)
    before, held = 0, 0.0
    for last, part in (*HELD.items(), (USERS, 1.0)):
        weights = 1.0 / np.arange(before + 1, last + 1)
        found[before:last] = weights * (part - held) / weights.sum()
        before, held = last, part
    return found


def relative_gap(rows: Sequence[WaveCoin]) -> float:
    """The gap as a part of the mark, the same for all: with it the rows' notional is that of the event."""
    return sum(row.needed for row in rows) / WAD / NOTIONAL


def draw_books(rows: Sequence[WaveCoin], seed: int) -> list[Book]:
    """A book for each row that needed anything, in their order. The same seed gives the same books.

    Each row has a stream of its own, so that no row's draws depend on another's.
    """
    needing = [row for row in rows if row.needed]
    gap = relative_gap(rows)
    order = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))).permutation(
        np.arange(LARGE + 1, USERS + 1)
    )
    sizes = np.sqrt(np.array([row.needed / WAD for row in needing]))
    counts = np.maximum(_FEWEST, np.rint(len(order) * sizes / sizes.sum()).astype(int))
    begins = np.cumsum(counts) - counts
    streams = np.random.SeedSequence(seed).spawn(len(needing))
    return [
        draw_book(row, gap, np.take(order, np.arange(begin, begin + count), mode="wrap"), stream)
        for row, begin, count, stream in zip(needing, begins, counts, streams, strict=True)
    ]


def draw_book(row: WaveCoin, gap: float, small: NDArray[np.int64], stream: np.random.SeedSequence) -> Book:
    """The book of a row: the large users and those `small` ones, with drawn entries and leverage."""
    users = np.concatenate([np.arange(1, LARGE + 1), np.sort(small)])
    draws = np.random.Generator(np.random.PCG64(stream))
    held = shares()[users - 1].copy()
    # Among the small ones of a coin, by the root: else who is first among them would outgrow the large.
    tail = np.sqrt(held[LARGE:])
    held[LARGE:] = tail / tail.sum() * (1 - held[:LARGE].sum())
    contracts = held * (COVER * row.contracts / WAD)
    mark = row.gap / WAD / gap
    gain = np.where(
        draws.random(len(users)) < _LOSING,
        -0.05 * draws.random(len(users)),
        0.01 + 0.6 * draws.beta(2, 5, len(users)),
    )
    leverage = np.clip(draws.lognormal(np.log(5), 0.7, len(users)), _LOWEST_LEVERAGE, HIGHEST_LEVERAGE)
    sizes = [_units(one) for one in contracts]
    entries = [_units(size / WAD * mark * (1 + rate)) for size, rate in zip(sizes, gain, strict=True)]
    accounts = tuple(
        Account(
            f"0x{user:064x}",
            MarginMode.ISOLATED,
            _units(entry / WAD / multiple),
            (Position(row.coin, -size, -entry),),
        )
        for user, size, entry, multiple in zip(users.tolist(), sizes, entries, leverage, strict=True)
    )
    return Book(row, due_snapshot(row, _units(mark), accounts), tuple(users.tolist()))


def due_snapshot(row: WaveCoin, mark: int, accounts: tuple[Account, ...]) -> Snapshot:
    """A pool that holds the row's contracts, has lost the row's gap on them, and lacks just that."""
    value = row.contracts * mark // WAD
    market = Market(row.coin, mark, MAINTENANCE, _POOL, _SHARE, _SHARE, _SHARE, False, -row.needed, -row.needed)
    inventory = Inventory(row.coin, row.contracts, value + row.needed)
    pool = Pool(_POOL, PoolKind.ISOLATED, Backing.OWN, -row.needed, (inventory,))
    return Snapshot(None, {row.coin: market}, {_POOL: pool}, accounts)


def _units(amount: float) -> int:
    """WAD, to a millionth, at least one of them."""
    return max(_UNIT, int(amount * 10**6) * _UNIT)
