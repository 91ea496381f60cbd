"""How much of a position is liquidated and what that costs (docs/mathematics.md, "Liquidation").

Contracts, prices, quote amounts and fractions are WAD integers; contracts are unsigned unless a function says so.
"""

from __future__ import annotations

from typing import NamedTuple

from backstop.math.wad import WAD, div_ceil, mul_ceil


class Penalty(NamedTuple):
    """What the owner pays: `discount` to the liquidator, `fee` to the market's pool. WAD quote, unsigned."""

    discount: int
    fee: int


def contracts_to_restore(
    contracts: int, mark: int, shortfall: int, initial_fraction: int, penalty_fraction: int
) -> int:
    """`ceil(shortfall / (mark * (imf - pen)))`, at most `contracts`; `shortfall` is `IM - E` of the account.

    Each contract closed frees its initial margin and costs its penalty, so what is left has `E >= IM`; the whole leg is
    the answer where that is not enough, or where the equity cannot pay the whole penalty. `penalty_fraction` is below
    `initial_fraction`.
    """
    return min(div_ceil(shortfall * WAD * WAD, mark * (initial_fraction - penalty_fraction)), contracts)


def contracts_to_close(needed: int, contracts: int, min_size: int) -> int:
    """`needed` of `contracts`, or all of them where what would be left is smaller than a position may be."""
    return contracts if contracts - needed < min_size else needed


def share_of_equity(equity: int, leg_margin: int, maintenance_margin: int) -> int:
    """The part of an account's equity that a leg stands for: by its maintenance margin, down."""
    return equity * leg_margin // maintenance_margin


def penalty(closed: int, contracts: int, mark: int, equity: int, discount_fraction: int, fee_fraction: int) -> Penalty:
    """`min(floor(closed * mark * pen), floor(E * closed / contracts))`, split by the two fractions.

    `equity` is the leg's share of the account's. Never more than the closed part of it: so the price is never beyond
    the bankruptcy price and the margin rate never worse. The discount is rounded down, the fee is the rest.
    """
    fraction = discount_fraction + fee_fraction
    if fraction == 0:
        return Penalty(0, 0)
    whole = min(closed * mark * fraction // (WAD * WAD), equity * closed // contracts)
    discount = whole * discount_fraction // fraction
    return Penalty(discount, whole - discount)


def value(part: int, mark: int, discount: int) -> int:
    """`ceil(part * mark) - discount`: what the liquidator takes `part` for, both signed like the position.

    The owner takes the negatives, and then pays the fee from its margin.
    """
    return mul_ceil(part, mark) - discount
