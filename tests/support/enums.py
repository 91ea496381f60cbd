"""The enums of the contracts, but those of `backstop.deployment.pool_terms`."""

from __future__ import annotations

from enum import IntEnum


class Side(IntEnum):
    """contracts/types/Market.sol"""

    LONG = 0
    SHORT = 1

    @property
    def sign(self) -> int:
        """1 for a long, -1 for a short: what turns contracts into a signed size."""
        return 1 if self is Side.LONG else -1


class Trigger(IntEnum):
    """contracts/types/Pool.sol"""

    NONE = 0
    DRAWDOWN = 1
    DEPLETION = 2


class Item(IntEnum):
    """contracts/types/Pool.sol"""

    CONTRIBUTION = 0
    LIQUIDATION_FEE = 1
    TRADING_FEE = 2
    AUCTION = 3
    DELEVERAGING = 4
    FUNDING = 5
    STAKE = 6
    EXIT = 7
    REDISTRIBUTION = 8
    REPAYMENT = 9
    DEFICIT = 10


class SkipReason(IntEnum):
    """contracts/types/Round.sol"""

    FLAT = 0
    INVENTORY_SIDE = 1
    BANKRUPT = 2
    DUPLICATE = 3
    INSOLVENT_AT_ADL_PRICE = 4


class Exemption(IntEnum):
    """contracts/types/Round.sol"""

    NONE = 0
    FLAT = 1
    INVENTORY_SIDE = 2
    BANKRUPT = 3
    INSOLVENT_AT_ADL_PRICE = 4
    RAISED_RISK = 5
    RANKED_BELOW = 6
