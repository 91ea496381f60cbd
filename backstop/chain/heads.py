"""New blocks as they come: where a node tells of them, at once; by asking, otherwise."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

from backstop.chain.endpoint import Endpoint
from backstop.chain.head import Head, head_of
from backstop.chain.subscription import Subscription
from backstop.errors import RpcError

_REMEMBERED = 128  # blocks that are not told of twice
_SLOWER = 10  # times the poll: how often is asked while a subscription tells, which may be silent for being broken
_LONGEST_PAUSE = 30.0  # seconds between two attempts while no node answers


@dataclass(frozen=True, slots=True)
class NewHead:
    """A block that was not told of before; `reorganised` where the one told of last is no longer of the chain."""

    head: Head
    reorganised: bool


@dataclass(frozen=True, slots=True)
class Halted:
    """No new block for so many seconds; `last` is the one told of last. Told of once, until there is one."""

    seconds: float
    last: Head | None


class Heads:
    """Tells of the newest block whenever it is another one, until `stop`.

    The chain is asked every `poll` seconds, or rarely while the websocket at `websocket` tells when to. Where several
    blocks have come since, only the last is told of. `tell` hears of nodes that do not answer; they are asked again
    after a pause that grows, as often as it takes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        poll: float = 1.0,
        websocket: str | None = None,
        halt_after: float = 60.0,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._poll = poll
        self._halt_after = halt_after
        self._tell = tell
        self._clock = clock
        self._wake = Event()
        self._stopping = False
        self._announced = 0
        self._last: Head | None = None
        self._told: deque[str] = deque(maxlen=_REMEMBERED)
        self._backoff = poll
        self._subscription = Subscription(websocket, self._announce, tell) if websocket else None

    @property
    def is_subscribed(self) -> bool:
        """Whether a node tells of new blocks now."""
        return self._subscription is not None and self._subscription.is_alive

    def stop(self) -> None:
        """Ends `follow`; from any thread, or a signal's handler."""
        self._stopping = True
        self._wake.set()

    def look(self, announced: int = 0) -> NewHead | None:
        """The newest block where it is another one, for whoever hears of blocks elsewhere and does not `follow`.

        The nodes may not have block `announced` yet: they are asked until they do, for at most `halt_after` seconds.
        """
        end = self._clock() + self._halt_after
        while not self._stopping:
            found, pause = self._look()
            is_behind = self._last is None or self._last.number < announced
            if found is not None or not is_behind or self._clock() >= end:
                return found
            self._wake.wait(pause)
        return None

    def follow(self) -> Iterator[NewHead | Halted]:
        """Blocks until there is something to tell, each time. The present block is told of at once."""
        if self._subscription:
            self._subscription.start()
        try:
            since, is_halted = self._clock(), False
            while not self._stopping:
                self._wake.clear()
                found, pause = self._look()
                now = self._clock()
                if found is not None:
                    since, is_halted = now, False
                    yield found
                    continue
                if not is_halted and now - since >= self._halt_after:
                    is_halted = True
                    yield Halted(now - since, self._last)
                    continue
                if not self._stopping:
                    left = self._halt_after - (now - since)
                    self._wake.wait(pause if is_halted else min(pause, left))
        finally:
            if self._subscription:
                self._subscription.stop()

    def _look(self) -> tuple[NewHead | None, float]:
        """What is new, and how long to wait before the next look."""
        try:
            found = self._newest()
        except RpcError as fault:
            pause, self._backoff = self._backoff, min(2 * self._backoff, max(_LONGEST_PAUSE, self._poll))
            self._tell(f"{fault}; again in {pause:g} s")
            return None, pause
        self._backoff = self._poll
        # What a node has told of, those that are asked may not have yet.
        waits_for_others = self._last is None or self._last.number < self._announced
        return found, self._poll if waits_for_others or not self.is_subscribed else _SLOWER * self._poll

    def _newest(self) -> NewHead | None:
        head = self._endpoint.head()
        if head.hash in self._told:
            return None
        reorganised = self._last is not None and not self._extends(self._last, head)
        self._last = head
        self._told.append(head.hash)
        return NewHead(head, reorganised)

    def _extends(self, last: Head, head: Head) -> bool:
        """Whether the one told of last is still of the chain."""
        if head.number <= last.number:
            return False
        if head.number == last.number + 1:
            return head.parent == last.hash
        header = self._endpoint.request("eth_getBlockByNumber", hex(last.number), False)
        return head_of(header, self._endpoint.url).hash == last.hash

    def _announce(self, number: int) -> None:
        self._announced = max(number, self._announced)
        self._wake.set()
