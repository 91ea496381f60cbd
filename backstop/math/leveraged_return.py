"""The score that ranks counterparties (docs/mathematics.md, "Leveraged return and lights")."""

from __future__ import annotations

from backstop.math.wad import INT256_MAX, INT256_MIN, UINT256_MAX, WAD, div_toward_zero


def pnl_rate(unrealized_pnl: int, entry_notional: int) -> int:
    """`uPnL / |entryNotional|` in WAD, toward zero; 0 where the entry notional is 0."""
    if entry_notional == 0:
        return 0
    return div_toward_zero(unrealized_pnl * WAD, abs(entry_notional))


def leveraged_return(unrealized_pnl: int, entry_notional: int, margin_rate: int) -> int:
    """`LR`: `pnlRate * r` for a position in profit, else `pnlRate / r`; WAD, toward zero.

    `margin_rate` is the account's `r >= 1` wei, so scoring never fails. Both rates saturate at `uint256` and the result
    at `int256`, as in the contracts; no position that they can hold comes near the former.
    """
    magnitude = min(abs(pnl_rate(unrealized_pnl, entry_notional)), UINT256_MAX)
    rate = min(margin_rate, UINT256_MAX)
    if unrealized_pnl > 0:
        return min(magnitude * rate // WAD, INT256_MAX)
    return max(-(magnitude * WAD // rate), INT256_MIN)


def adl_light(ahead: int, own: int, total: int) -> int:
    """1 (first to be deleveraged) to 5: the fifth of the side's contracts in which the midpoint of `own` lies.

    `ahead` are the contracts of better ranked positions, `total` those of the whole side; unsigned, in one unit.
    """
    return 5 * (2 * ahead + own) // (2 * total) + 1
