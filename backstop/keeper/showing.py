"""What of the cycles is shown: what was sent always, what only stays due once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from backstop.errors import OutputError
from backstop.keeper.cycle import Action


class Cycles(Protocol):
    """What does a cycle."""

    def run(self, warn: Callable[[str], None]) -> Iterator[Action]:
        """Yields each action as it is done."""


class Showing:
    """A loop's turn: one cycle, of which the output is told.

    What was sent goes to `show`. What was not (in a dry run, or where the contracts refused) goes there once, and
    again only after a cycle in which it was not due. Warnings likewise, to `warn`.
    """

    def __init__(self, cycle: Cycles, *, show: Callable[[Action], None], warn: Callable[[str], None]) -> None:
        self._cycle = cycle
        self._show = show
        self._warn = warn
        self._shown: set[tuple[bool, tuple[str, ...]]] = set()
        self._warned: set[str] = set()

    def __call__(self, is_stopping: Callable[[], bool]) -> None:
        """A cycle; ends between two actions where it is to stop."""
        shown, self._shown = self._shown, set()
        warned, self._warned = self._warned, set()
        for action in self._cycle.run(lambda text: self._warn_once(text, warned)):
            told = (action.refusal is None, action.duty.key)
            if action.receipt is not None or (told not in shown and told not in self._shown):
                self._put(action)
            if action.receipt is None:
                self._shown.add(told)
            if is_stopping():
                return

    def _put(self, action: Action) -> None:
        try:
            self._show(action)
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise OutputError(f"cannot write the output: {fault.strerror or fault}") from None

    def _warn_once(self, text: str, before: set[str]) -> None:
        if text not in self._warned and text not in before:
            self._warn(text)
        self._warned.add(text)
