"""What a trade does to a position (docs/mathematics.md, "A trade")."""

from __future__ import annotations

from typing import NamedTuple

from backstop.math.wad import div_ceil, mul_ceil


class PositionState(NamedTuple):
    """Signed size, entry notional with the sign of the size, and the margin of its account. All WAD."""

    size: int
    entry_notional: int
    margin: int

    @property
    def cash(self) -> int:
        """`margin - entryNotional`: the only thing that a trade moves between accounts."""
        return self.margin - self.entry_notional


def trade_value(delta: int, price: int) -> int:
    """`v = ceil(delta * price)`: the quote amount that the taker of `delta` contracts gives, signed, WAD."""
    return mul_ceil(delta, price)


def apply_trade(state: PositionState, delta: int, value: int) -> PositionState:
    """The position after it takes `delta` contracts for `value`; its cash falls by exactly `value`.

    Grows, opens, reduces, closes or flips. The closed part of the entry is rounded toward +infinity.
    """
    size, entry, margin = state
    if size * delta >= 0:
        entry_after = entry + value
    elif abs(delta) <= abs(size):
        entry_after = entry - div_ceil(entry * abs(delta), abs(size))
    else:
        entry_after = div_ceil(value * (size + delta), delta)
    return PositionState(size + delta, entry_after, margin - value - (entry - entry_after))
