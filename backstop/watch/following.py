"""What is known of the chain at each moment: the newest view, and whether a node still answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Event, Lock, Thread

from backstop.chain.endpoint import Endpoint
from backstop.errors import RpcError
from backstop.watch.reading import Reader, View

SILENT_AFTER = 5.0  # seconds without an answer, beside the poll
OLD_AFTER = 60  # seconds since the block


class State(StrEnum):
    """Whether what is shown is still so."""

    FRESH = "fresh"
    OLD = "old"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Moment:
    """The newest view at a time, in seconds. `fault` is what a node says, or "", and `silence` since when none has.

    `age` is how old the block is; below zero where its time is ahead of this machine's clock.
    """

    view: View
    age: float
    silence: float
    fault: str
    patience: float = SILENT_AFTER

    @property
    def state(self) -> State:
        """Lost is told before old: of a node that does not answer the age of its last block says nothing."""
        if self.silence > self.patience or self.fault:
            return State.LOST
        return State.OLD if self.age > OLD_AFTER else State.FRESH


class Follower:
    """Reads a view for each new block, in a thread of its own, so that a node that hangs holds up nothing else.

    The first one is read at once, by whoever makes it; raises what `Reader.read` does. `clock` is that of the machine,
    in Unix seconds.
    """

    def __init__(
        self, endpoint: Endpoint, reader: Reader, *, poll: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoint = endpoint
        self._reader = reader
        self._poll = poll
        self._clock = clock
        self._lock = Lock()
        self._stopping = Event()
        self._view = reader.read()
        self._answered = clock()
        self._fault = ""
        self._end: Exception | None = None
        self._thread = Thread(target=self._follow, name="watch", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, and what waits; a request that is under way is left alone."""
        self._stopping.set()

    def wait(self, seconds: float) -> bool:
        """A pause; whether it was ended by `stop`."""
        return self._stopping.wait(seconds)

    def moment(self) -> Moment:
        """What is known now. Raises the error after which nothing can be read any more."""
        with self._lock:
            if self._end is not None:
                raise self._end
            now = self._clock()
            return Moment(
                view=self._view,
                age=now - self._view.block.timestamp,
                silence=now - self._answered,
                fault=self._fault,
                patience=self._poll + SILENT_AFTER,
            )

    def look(self) -> None:
        """Asks once, and reads a view where the newest block is another one. Another chain's node is an end."""
        try:
            if self._endpoint.head().hash != self._view.block.hash:
                view = self._reader.read()
                with self._lock:
                    self._view = view
            with self._lock:
                self._answered, self._fault = self._clock(), ""
        except RpcError as fault:
            with self._lock:
                self._fault = str(fault)
        except Exception as fault:
            with self._lock:
                self._end = fault

    def _follow(self) -> None:
        while not self._stopping.wait(self._poll):
            self.look()
            if self._end is not None:
                return
