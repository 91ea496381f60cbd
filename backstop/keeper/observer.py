"""Who watches a cycle: nobody, here. A keeper that is left running has one that tells its telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backstop.chain.snapshot import ChainState
from backstop.keeper.kinds import Duty

if TYPE_CHECKING:
    from backstop.keeper.cycle import Action


class GivesWayError(Exception):
    """Something urgent is due while the transaction of a duty that gives way waits to be mined."""


@dataclass(slots=True)
class Outcome:
    """What became of a duty: the action, and whether its transaction was mined and failed, or will not be mined."""

    action: Action | None = None
    failed: bool = False


class Observer:
    """Hears of everything in a cycle, and does nothing about it."""

    def tended(self) -> None:
        """What was open in the journal was looked at."""

    def saw(self, state: ChainState) -> None:
        """A state was read: at the beginning, and after what was done."""

    def waiting(self) -> None:
        """A transaction waits to be mined."""

    @contextmanager
    def doing(self, duty: Duty, state: ChainState) -> Iterator[Outcome]:
        """Around a duty that is sent; what became of it is in the outcome at the end."""
        yield Outcome()
