"""What the index knows at one block."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Held(NamedTuple):
    """A position as it is stored in a market, WAD; `place` is its account's in the market's list.

    `since` and `touched` are the blocks with the first and the last event of the account there, `as_of` the one that
    the values were read at. What is not touched holds on.
    """

    place: int
    since: int
    touched: int
    as_of: int
    size: int = 0
    entry_notional: int = 0
    margin: int = 0
    funding_index: int = 0


class CrossHeld(NamedTuple):
    """The margin of a cross account, likewise."""

    place: int
    since: int
    touched: int
    as_of: int
    margin: int = 0


@dataclass(slots=True)
class Book:
    """All accounts at block `number`, in the order in which they were first touched.

    `blocks` are the hashes of some blocks, that one among them, by which a reorganisation is found out.
    """

    number: int
    hash: str
    positions: dict[int, dict[bytes, Held]] = field(default_factory=dict)
    cross: dict[bytes, CrossHeld] = field(default_factory=dict)
    blocks: dict[int, str] = field(default_factory=dict)

    def copy(self) -> Book:
        """Another one to change; its rows are the same, and never change themselves."""
        positions = {market: dict(rows) for market, rows in self.positions.items()}
        return Book(self.number, self.hash, positions, dict(self.cross), dict(self.blocks))

    def rows_of(self, account: bytes) -> list[tuple[int, Held]]:
        """The markets in which an account is, with what it holds there."""
        return [(market, rows[account]) for market, rows in self.positions.items() if account in rows]
