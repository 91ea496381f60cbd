"""What accounts bring to the pools in a batch of draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backstop.stress.book import Array


@dataclass(frozen=True, slots=True)
class Takings:
    """By market, side and draw: `contracts` (unsigned) taken over and their bankruptcy notional `entry` (signed).

    By market and draw, in quote: the liquidation `fees` earned, and `overrun`, what closing liquidated positions costs
    beyond their accounts' equity.
    """

    contracts: Array
    entry: Array
    fees: Array
    overrun: Array

    @classmethod
    def none(cls, markets: int, draws: int) -> Takings:
        """Nothing yet."""
        sides, whole = (markets, 2, draws), (markets, draws)
        return cls(np.zeros(sides), np.zeros(sides), np.zeros(whole), np.zeros(whole))
