"""Trading fees: what a fill costs each side, and who gets it (docs/mathematics.md, "Fees").

Quote amounts and fractions are WAD integers.
"""

from __future__ import annotations

from typing import NamedTuple

from backstop.math.wad import WAD, div_ceil, mul_floor


class FeeShares(NamedTuple):
    """Fees as they are shared out. WAD quote."""

    pool: int
    treasury: int
    keepers: int


def trading_fee(value: int, fraction: int) -> int:
    """A fee on the notional of a fill, up; `value` is its signed quote amount."""
    return div_ceil(abs(value) * fraction, WAD)


def share_fees(fees: int, pool_share: int, treasury_share: int) -> FeeShares:
    """Fees over pool and treasury by their fractions, each rounded down; the rest is the keeper budget's."""
    pool, treasury = mul_floor(fees, pool_share), mul_floor(fees, treasury_share)
    return FeeShares(pool, treasury, fees - pool - treasury)


def is_outside_band(price: int, mark: int, band: int) -> bool:
    """Whether a fill at `price` is further from mark than `band`, a fraction of mark."""
    return abs(price - mark) * WAD > band * mark
