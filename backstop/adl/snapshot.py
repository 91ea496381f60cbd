"""The state of an exchange at one block, as ranking and planning see it. All amounts are WAD integers.

Sizes are signed (long above zero). An entry notional carries the sign of its size times the sign of its price, as in
the contracts; the snapshot file writes it differently (docs/snapshot.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """The side of a position. Its text is what files and results say."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """1 for a long, -1 for a short: what turns contracts into a signed size."""
        return 1 if self is Side.LONG else -1

    @property
    def opposite(self) -> Side:
        """The side of the counterparties."""
        return Side.SHORT if self is Side.LONG else Side.LONG

    @classmethod
    def of(cls, size: int) -> Side:
        """The side of a signed size that is not 0."""
        return cls.LONG if size > 0 else cls.SHORT


class MarginMode(StrEnum):
    """Whether an account holds one market, or several on one margin balance."""

    ISOLATED = "isolated"
    CROSS = "cross"


class PoolKind(StrEnum):
    """Whether a pool stands behind one market or several."""

    SHARED = "shared"
    ISOLATED = "isolated"


class Backing(StrEnum):
    """Whether a pool stands on its own, or in the mutual group whose members back each other."""

    OWN = "own"
    MUTUAL = "mutual"


@dataclass(frozen=True, slots=True)
class Block:
    """The block at which everything was read; `timestamp` in seconds."""

    chain_id: int
    number: int
    hash: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class Market:
    """A market, its drawdown parameters (fractions) and its result for its pool (signed quote amounts).

    Where it is not live, its feed is dead and `mark_price` the last price that the contracts accepted.
    Of a closed one it is the final price, and nothing is liquidated there.
    """

    name: str
    mark_price: int
    maintenance_margin_fraction: int
    pool: str
    trigger: int
    stop: int
    target: int
    adl_active: bool
    pnl: int
    max_pnl_8h: int
    is_live: bool = True
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a pool holds of one side of a market: signed size, and the notional at which it was taken over."""

    market: str
    size: int
    entry_notional: int


@dataclass(frozen=True, slots=True)
class Pool:
    """An insurance pool; `balance` is signed and includes the losses of its inventory."""

    name: str
    kind: PoolKind
    backing: Backing
    balance: int
    inventory: tuple[Inventory, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """An account's position: signed size, entry notional with the sign of the size."""

    market: str
    size: int
    entry_notional: int


@dataclass(frozen=True, slots=True)
class Account:
    """A margin account; `margin` is signed, funding settled."""

    id: str
    margin_mode: MarginMode
    margin: int
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state. The order of `markets` is the market order, that of `pools` the order of the mutual group."""

    block: Block | None
    markets: dict[str, Market]
    pools: dict[str, Pool]
    accounts: tuple[Account, ...]
