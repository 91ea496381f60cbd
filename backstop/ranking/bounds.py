"""Between which doubles the leveraged return of each position lies, for whole columns at once.

A bound is widened for every rounding on the way, of the doubles and of the contracts' integers; where a sign is not
sure, or a value is near a saturation, the row says so. So an order that these bounds give is exact, and only what they
leave open is scored in integers (docs/performance.md, "The ranking engine").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from backstop.math.wad import WAD
from backstop.ranking.wide import Flags, Floats

_CHUNK = 1 << 14  # rows: what is worked on stays in a core's cache
_SLACK = 2.0**-49  # eight roundings of a double; no quotient below takes more
_LARGE = 2.0**250  # below every saturation
_WAD = float(WAD)


class Amounts(NamedTuple):
    """Positions and their accounts in doubles, each the nearest to the integer but for two roundings. WAD.

    `equity` and `required` are what the account has and needs but for the position.
    """

    size: Floats
    entry: Floats
    equity: Floats
    required: Floats

    def take(self, rows: slice) -> Amounts:
        """Those rows."""
        return Amounts(*(column[rows] for column in self))


class Bounds(NamedTuple):
    """`low <= LR <= high` in wei for each row that is `ranked`; `bankrupt` ones have `E <= 0`; others are not sure."""

    low: Floats
    high: Floats
    ranked: Flags
    bankrupt: Flags


def bound(amounts: Amounts, mark: int, maintenance_margin_fraction: int) -> Bounds:
    """The bounds of all rows at a mark."""
    count = len(amounts.size)
    found = Bounds(np.empty(count), np.empty(count), np.empty(count, np.bool_), np.empty(count, np.bool_))
    price, contract = mark / WAD, mark * maintenance_margin_fraction / (WAD * WAD)
    with np.errstate(all="ignore"):
        for rows in _chunks(count):
            for whole, part in zip(found, _bound(amounts.take(rows), price, contract), strict=True):
                whole[rows] = part
    return found


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, min(start + _CHUNK, count))


def _bound(of: Amounts, price: float, contract: float) -> Bounds:
    worth = of.size * price
    gain = worth - of.entry
    entered = np.abs(of.entry)
    # The contracts cut the value to a wei, and raise the requirement to one.
    gain_error = (np.abs(worth) + entered) * _SLACK + 1
    equity = gain + of.equity
    equity_error = gain_error + (np.abs(equity) + np.abs(of.equity)) * _SLACK
    required = np.abs(of.size) * contract + of.required
    required_error = required * _SLACK + 1

    least, most = equity - equity_error, equity + equity_error
    size = np.abs(gain)
    # Each quotient is cut to a wei, too; the margin rate is at least one.
    rate_low = np.maximum((required - required_error) / most * (_WAD * (1 - _SLACK)) - 1, 1)
    rate_high = np.maximum((required + required_error) / least * (_WAD * (1 + _SLACK)), 1)
    profit_low = np.maximum((size - gain_error) / entered * (_WAD * (1 - _SLACK)) - 1, 0)
    profit_high = (size + gain_error) / entered * (_WAD * (1 + _SLACK))
    gains = gain > 0
    by_rate, by_other_rate = np.where(gains, rate_low, 1 / rate_high), np.where(gains, rate_high, 1 / rate_low)
    scale = np.where(gains, 1 / _WAD, _WAD)
    nearest = profit_low * by_rate * (scale * (1 - _SLACK)) - 1
    farthest = profit_high * by_other_rate * (scale * (1 + _SLACK))
    ranked = (least > 0) & (size > gain_error) & (profit_high < _LARGE) & (rate_high < _LARGE) & (farthest < _LARGE)
    return Bounds(np.where(gains, nearest, -farthest), np.where(gains, farthest, -nearest), ranked, most <= 0)
