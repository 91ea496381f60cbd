"""The fills of a round (docs/mathematics.md, "When ADL is due" and "A round").

A fill closes a part `part` (signed as the inventory) against a counterparty, who takes `(part, value)` as in a trade.
All amounts are WAD.
"""

from __future__ import annotations

from backstop.math.wad import WAD, div_ceil, mul_ceil, mul_floor


def carried_entry(size: int, entry_notional: int, part: int) -> int:
    """`b = ceil(B * part / S)`: the part's share of the entry that the inventory has now; the last takes all."""
    return div_ceil(entry_notional * part, size)


def capacity(equity: int, size: int, part: int, mark: int) -> int:
    """The equity of the counterparty (its signed `size`) as it would be after taking `part` for nothing.

    It bounds the value of the fill, so that rounding can never make a solvent account insolvent.
    """
    return equity + (size + part) * mark // WAD - size * mark // WAD


def fill_value(part: int, execution_price: int, carried: int, counterparty_capacity: int) -> int:
    """`v = min(ceil(part * p'), b, capacity)`: toward the pool, never past the bankruptcy price."""
    return min(mul_ceil(part, execution_price), carried, counterparty_capacity)


def is_insolvent_at(equity: int, size: int, adl_price: int, mark: int) -> bool:
    """`E < |size| * |p_adl - mark|`, judged on the full size: such a candidate is passed over first."""
    return equity * WAD < abs(size) * abs(adl_price - mark)


def surrender_price(equity: int, size: int, mark: int) -> int:
    """`mark - E/size`, where the counterparty gives up its whole equity; rounded toward the account.

    A buying one (a short) pays less, a selling one gets more.
    """
    step = equity * WAD // abs(size)
    return mark - step if size > 0 else mark + step


def surrender_value(part: int, price: int, carried: int, counterparty_capacity: int) -> int:
    """`v = min(floor(part * price), b, capacity)`: a fill of the second pass, toward the account."""
    return min(mul_floor(part, price), carried, counterparty_capacity)
