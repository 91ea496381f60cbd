"""Equity, margin and bankruptcy of an account (docs/mathematics.md, "Margin" and "Bankruptcy").

Sizes, prices, quote amounts and rates are WAD integers; `size > 0` is long, and an entry carries the sign of its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backstop.math.wad import WAD, div_ceil, div_floor


class Leg(NamedTuple):
    """One position of an account, valued at mark. All WAD; `value` and `unrealized_pnl` are signed."""

    size: int
    entry_notional: int
    value: int
    unrealized_pnl: int
    maintenance_margin: int


def position_value(size: int, mark: int) -> int:
    """`floor(size * mark)`: signed quote value of a position."""
    return size * mark // WAD


def margin_requirement(size: int, mark: int, fraction: int) -> int:
    """`ceil(|size| * mark * fraction)`: MM with the maintenance, IM with the initial margin fraction."""
    return -(-abs(size) * mark * fraction // (WAD * WAD))


def value_leg(size: int, entry_notional: int, mark: int, maintenance_margin_fraction: int) -> Leg:
    """A position at mark."""
    value = size * mark // WAD
    requirement = margin_requirement(size, mark, maintenance_margin_fraction)
    return Leg(size, entry_notional, value, value - entry_notional, requirement)


def equity(margin: int, legs: Sequence[Leg]) -> int:
    """`E = margin + sum(uPnL)`, signed."""
    return margin + sum(leg.unrealized_pnl for leg in legs)


def cash(margin: int, legs: Sequence[Leg]) -> int:
    """`margin - sum(entryNotional)`: what a trade moves, and nothing else does."""
    return margin - sum(leg.entry_notional for leg in legs)


def maintenance_margin(legs: Sequence[Leg]) -> int:
    """`MM` of an account: rounded up once per leg."""
    return sum(leg.maintenance_margin for leg in legs)


def margin_rate(account_maintenance_margin: int, account_equity: int) -> int:
    """`r = floor(MM / E)`, at least 1 wei. Raises ValueError unless `E > 0`."""
    if account_equity <= 0:
        raise ValueError("an account with E <= 0 has no margin rate")
    return max(1, account_maintenance_margin * WAD // account_equity)


def is_liquidatable(account_equity: int, account_maintenance_margin: int) -> bool:
    """`0 < E < MM`."""
    return 0 < account_equity < account_maintenance_margin


def is_to_be_taken_over(account_equity: int, account_maintenance_margin: int, backstop_ratio: int) -> bool:
    """`E <= backstopRatio * MM`, by cross-multiplication. For an account that holds a position."""
    return account_equity * WAD <= backstop_ratio * account_maintenance_margin


def is_margin_call_due(account_equity: int, maintenance: int, initial: int, warning_rate: int) -> bool:
    """`E < IM` or `MM/E > warningRate`, by cross-multiplication; for an account that holds a position."""
    return account_equity < initial or maintenance * WAD > warning_rate * account_equity


def withdrawable(collateral: int, unrealized: Iterable[int], initial: int) -> int:
    """What may leave an account: its collateral (funding settled) less unrealized losses and IM; gains do not count.

    Negative where it has less than that.
    """
    return collateral + sum(min(0, one) for one in unrealized) - initial


def bankruptcy_notionals(legs: Sequence[Leg], account_equity: int) -> list[int]:
    """The bankruptcy notional `B = value - share` of every leg, the equity spread over them.

    `legs` are in market order, since the remainder goes to the last. With `E >= 0` every leg shares by its MM; with
    `E < 0` only the legs that lose carry it, by their part of those losses (none loses: every leg, by MM).
    `sum(B) = -cash` exactly.
    """
    weights = [leg.maintenance_margin for leg in legs]
    if account_equity < 0 and any(leg.unrealized_pnl < 0 for leg in legs):
        weights = [max(0, -leg.unrealized_pnl) for leg in legs]
        last = max(i for i, weight in enumerate(weights) if weight)
    else:
        last = len(legs) - 1
    magnitude, sign = abs(account_equity), -1 if account_equity < 0 else 1
    total = sum(weights)
    shares = [magnitude * weight // total if total else 0 for weight in weights]
    if shares:
        shares[last] += magnitude - sum(shares)
    return [leg.value - sign * share for leg, share in zip(legs, shares, strict=True)]


def bankruptcy_price(notional: int, size: int, mark: int) -> int:
    """`B / size`, rounded toward the mark: the price to show. May be negative. Raises ZeroDivisionError for size 0."""
    rounded_down = div_floor(notional * WAD, size)
    return rounded_down if rounded_down >= mark else div_ceil(notional * WAD, size)


def liquidation_price(
    size: int,
    maintenance_margin_fraction: int,
    account_cash: int,
    others_maintenance_margin: int,
    others_value: int,
) -> int | None:
    """The mark at which `E = MM`, the marks of the other legs held; None where there is none above zero.

    `(MM_others - cash - value_others) / (size - |size|*mmf)`, a long's rounded up, a short's down.
    """
    denominator = size * WAD - abs(size) * maintenance_margin_fraction
    if denominator == 0:
        return None
    numerator = (others_maintenance_margin - account_cash - others_value) * WAD * WAD
    price = div_ceil(numerator, denominator) if size > 0 else div_floor(numerator, denominator)
    return price if price > 0 else None
