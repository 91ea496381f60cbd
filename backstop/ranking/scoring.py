"""The leveraged returns of a side's positions, all at once and exact (docs/mathematics.md).

The formulas are those of `backstop.math`, step by step with the same roundings; a row whose numbers are too large for
the columns says so, and is left to `backstop.math`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from backstop.math.wad import WAD
from backstop.ranking import wide
from backstop.ranking.wide import Flags, Rows, Wide

_CHUNK = 1 << 14  # rows: what is worked on stays in a core's cache
_WAD = wide.constant(WAD)


class Rest(NamedTuple):
    """What an account has and needs but for one position: `equity` signed, `required` its maintenance margin. WAD."""

    equity: Wide
    required: Wide

    def take(self, rows: Rows | slice) -> Rest:
        """Those rows."""
        return Rest(self.equity.take(rows), self.required.take(rows))


class Valued(NamedTuple):
    """Positions at mark: `gain` is the unrealized PnL, `required` the maintenance margin; WAD, where `sure`."""

    gain: Wide
    required: Wide
    sure: Flags


class Scores(NamedTuple):
    """`returns` in wei of WAD, and who has `E <= 0`; where not `sure`, neither is known."""

    returns: Rows
    bankrupt: Flags
    sure: Flags


def value(size: Wide, entry: Wide, mark: int, maintenance_margin_fraction: int) -> Valued:
    """Positions at a mark, as `backstop.math.margin.value_leg` has them."""
    contracts, is_short = wide.magnitude(size), size.is_negative
    worth = wide.quotient(contracts, wide.constant(mark), _WAD)
    required = wide.times_fraction(contracts, mark * maintenance_margin_fraction, WAD * WAD)
    return Valued(
        gain=wide.subtract(wide.choose(is_short, wide.negative(worth.ceiling), worth.floor), entry),
        required=required.ceiling,
        sure=worth.sure & required.sure,
    )


def score(size: Wide, entry: Wide, rest: Rest, mark: int, maintenance_margin_fraction: int) -> Scores:
    """All positions of a side at a mark."""
    count = len(size.low)
    found = Scores(np.empty(count, np.int64), np.empty(count, np.bool_), np.empty(count, np.bool_))
    with np.errstate(all="ignore"):
        for rows in chunks(count):
            part = _score(size.take(rows), entry.take(rows), rest.take(rows), mark, maintenance_margin_fraction)
            for whole, piece in zip(found, part, strict=True):
                whole[rows] = piece
    return found


def chunks(count: int) -> Iterator[slice]:
    """All rows in slices that fit a cache."""
    for start in range(0, count, _CHUNK):
        yield slice(start, min(start + _CHUNK, count))


def _score(size: Wide, entry: Wide, rest: Rest, mark: int, fraction: int) -> Scores:
    own = value(size, entry, mark, fraction)
    equity = wide.add(own.gain, rest.equity)
    solvent = equity.is_positive
    rate = wide.quotient(wide.add(own.required, rest.required), _WAD, equity)
    rates = wide.choose(rate.floor.is_positive, rate.floor, wide.constant(1))
    profit = wide.quotient(wide.magnitude(own.gain), _WAD, wide.magnitude(entry))
    gains = own.gain.is_positive
    found = wide.quotient(profit.floor, wide.choose(gains, rates, _WAD), wide.choose(gains, _WAD, rates))
    returns = found.floor.low.view(np.int64)
    fits = (found.floor.high == 0) & (returns >= 0)
    return Scores(
        np.where(gains, returns, -returns),
        ~solvent,
        own.sure & (~solvent | (rate.sure & profit.sure & found.sure & fits)),
    )
