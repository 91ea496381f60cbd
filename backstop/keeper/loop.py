"""What is left running: a turn at every new block, one after the other, until it is told to stop.

It lives by the chain's blocks and asks the machine's clock only how long to pause before it looks again.
"""

from __future__ import annotations

import _thread
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Protocol

from backstop.chain.heads import Halted, NewHead
from backstop.errors import BackstopError, ChainMismatchError, DutyError, LockLostError, OutputError, SettingsError

LONGEST_PAUSE = 30.0  # seconds between two attempts while a node does not answer


class Heads(Protocol):
    """What tells of new blocks."""

    def follow(self) -> Iterator[NewHead | Halted]:
        """Blocks until there is something to tell, each time."""

    def look(self, announced: int = 0) -> NewHead | None:
        """What is new, once the nodes have block `announced`."""

    def stop(self) -> None:
        """Ends `follow`."""


class Loop:
    """Takes a turn at every new block, and survives whatever goes wrong in one: that is told, and it is taken again.

    `turn` looks at the newest block, and at `is_stopping` between two things that it does. `heard` hears of every block
    and of a chain that stands still, before the turn.
    """

    def __init__(
        self,
        heads: Heads,
        turn: Callable[[Callable[[], bool]], None],
        *,
        poll: float,
        tell: Callable[[str], None],
        heard: Callable[[NewHead | Halted], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._heads = heads
        self._turn = turn
        self._poll = poll
        self._tell = tell
        self._heard = heard
        self._clock = clock
        self._stopping = Event()
        self._has_turned = False

    def stop(self) -> None:
        """Ends `run` after what is under way."""
        self._stopping.set()
        self._heads.stop()

    def run(self) -> None:
        """Runs until `stop`. Raises ChainMismatchError or SettingsError where the first turn finds them.

        And at any turn LockLostError, and what says that nobody reads the output any more.
        """
        if self._stopping.is_set():
            return
        for found in self._heads.follow():
            self._heard(found)
            if isinstance(found, NewHead):
                self._take_turns()
            if self._stopping.is_set():
                return

    def take_turn(self, announced: int = 0) -> None:
        """What `run` does at a new block, for whoever is told of blocks by somebody else and does not `run`.

        Not while another one is under way. Does nothing where a turn has already read block `announced`. Raises as
        `run` does.
        """
        while not self._stopping.is_set() and (found := self._heads.look(announced)) is not None:
            self._heard(found)
            self._take_turns()

    def _take_turns(self) -> None:
        """One, and again after a pause, as long as it fails.

        The pause grows, and begins anew after a turn that has done something, or has gone on for as long: a node that
        fails now and then must not put off for half a minute what a turn of many blocks has left to do.
        """
        pause, has_acted = self._poll, False

        def is_stopping() -> bool:  # it is asked between two actions
            nonlocal has_acted
            has_acted = True
            return self._stopping.is_set()

        while not self._stopping.is_set():
            began, has_acted = self._clock(), False
            try:
                self._turn(is_stopping)
            except (BrokenPipeError, OutputError, LockLostError):  # nobody listens any more, or somebody else acts
                raise
            except DutyError as fault:  # all else was done: the next block is soon enough
                self._tell(str(fault))
                self._has_turned = True
                return
            except Exception as fault:  # a keeper outlives its nodes, whatever they answer
                if isinstance(fault, ChainMismatchError | SettingsError) and not self._has_turned:
                    raise
                if has_acted or self._clock() - began >= pause:
                    pause = self._poll
                self._tell(f"{_text(fault)}; again in {pause:g} s")
            else:
                self._has_turned = True
                return
            self._stopping.wait(pause)
            pause = min(2 * pause, max(LONGEST_PAUSE, self._poll))


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process the usual way."""
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # In a thread: what waits may hold the very lock that it is woken by, and the handler runs on top of it.
        _thread.start_new_thread(stop, ())

    for number in usual:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


def _text(fault: Exception) -> str:
    if isinstance(fault, BackstopError):
        return str(fault)
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"
