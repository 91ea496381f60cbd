"""What the simulation assumes of how accounts are closed: fractions of the notional, by market."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.stress.book import Array


@dataclass(frozen=True, slots=True)
class Terms:
    """`backstop_ratio`: an account is taken over at `E <= ratio * MM`, at most 1. The arrays are by market, below 1.

    `slippage` is what closing costs against mark, `liquidation_fee` what the owner of a liquidated position pays to the
    market's pool; both are fractions of the notional at mark.
    """

    backstop_ratio: float
    slippage: Array
    liquidation_fee: Array
