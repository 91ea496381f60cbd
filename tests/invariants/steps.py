"""What the invariants are judged from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from backstop.orders import Order

from . import actions
from .chain import Log
from .state import State


class Violation(NamedTuple):
    """An invariant that does not hold, and how."""

    invariant: str
    text: str


@dataclass(slots=True)
class Step:
    """An action that was accepted, at `now`; its last transaction was at `ended`.

    `marks` are the last accepted ones by market, `live` tells whose feed is good; `due` is what a round is to bring;
    `fills` are what its orders had been filled by, and are now; `between` is the state after the first of several
    accruals; `refused` are the places of a batch that were.
    """

    action: actions.Action
    now: int
    ended: int
    before: State
    after: State
    marks: list[int]
    live: tuple[bool, ...]
    logs: list[Log] = field(default_factory=list)
    due: int = 0
    fills: dict[Order, tuple[int, int]] = field(default_factory=dict)
    between: State | None = None
    refused: frozenset[int] = frozenset()
