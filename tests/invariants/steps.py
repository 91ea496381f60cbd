"""What the invariants are judged from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from backstop.adl.due import Due
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
    """An action that was accepted, at `now`.

    `marks` are the last good ones by market; `due` is what the plan says of a round; `fills` are what its orders had
    been filled by, and are now.
    """

    action: actions.Action
    now: int
    before: State
    after: State
    marks: list[int]
    logs: list[Log] = field(default_factory=list)
    due: Due | None = None
    fills: dict[Order, tuple[int, int]] = field(default_factory=dict)
