"""The Dutch auction of a pool's inventory (docs/mathematics.md, "The auction of inventory").

Prices, contracts, quote amounts and fractions are WAD integers, times are seconds.
"""

from __future__ import annotations

from backstop.math.wad import WAD, div_ceil, div_floor, mul_ceil


def price_of(*, is_long: bool, mark: int, premium: int, floor_fraction: int, elapsed: int, duration: int) -> int:
    """The price of a contract `elapsed` seconds after the start, rounded once, toward the pool.

    It starts `premium` on the pool's side of mark and reaches its floor, `floor_fraction` (the market's `mmf`) on the
    other side, after `duration > 0`. A long inventory is sold, above mark at first; a short one is bought back, below.
    """
    elapsed = min(elapsed, duration)
    # A fraction of mark times the duration, so that nothing is rounded before the end.
    offset = premium * duration - (premium + floor_fraction) * elapsed
    whole = WAD * duration
    if is_long:
        return div_ceil(mark * (whole + offset), whole)
    return div_floor(mark * (whole - offset), whole)


def merged_start(start: int, contracts: int, time: int, added: int, duration: int) -> int:
    """When the auction is taken to have started after `added` contracts came in at `time`: the mean by size, down.

    Dust moves it by dust, so nobody can hold an auction up. `contracts` are those there before, maybe none; they count
    for no longer than the auction's `duration`, so an old crumb does not bring what comes in to the floor.
    """
    start = max(start, time - duration)
    return (start * contracts + time * added) // (contracts + added)


def part_value(part: int, price: int) -> int:
    """`ceil(part * price)`: what a buyer takes `part` for, both signed like the inventory; toward the pool."""
    return mul_ceil(part, price)
