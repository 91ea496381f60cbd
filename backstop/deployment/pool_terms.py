"""The enums of the contracts that a pool is created with; the numbers are what stands in the calldata."""

from __future__ import annotations

from enum import IntEnum


class PoolKind(IntEnum):
    """contracts/types/Pool.sol"""

    ISOLATED = 0
    SHARED = 1


class Backer(IntEnum):
    """contracts/types/Pool.sol"""

    OWN = 0
    MUTUAL = 1
