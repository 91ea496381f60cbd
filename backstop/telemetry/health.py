"""Whether the keeper lives, and whether it could act now. Each answer is a list of what is wrong; empty is well.

Chain and loop are judged by when this process saw them move, so a machine's clock that is wrong changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Health:
    """What the loop tells from its thread, and the health pages ask from theirs."""

    def __init__(
        self, *, stalled_after: float, stale_after: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = Lock()
        self._clock = clock
        self._stalled_after = stalled_after
        self._stale_after = stale_after
        self._turned = clock()
        self._head: tuple[str | int, float] | None = None
        self._quorum: bool | None = None
        self._funded: bool | None = None
        self._recovered = False

    def turn(self) -> None:
        """The loop has come round."""
        with self._lock:
            self._turned = self._clock()

    def see_head(self, block: str | int) -> None:
        """The head, by hash or number; only one that is new is a sign of life."""
        with self._lock:
            if self._head is None or self._head[0] != block:
                self._head = (block, self._clock())

    def has_quorum(self, agreed: bool) -> None:
        """Whether enough nodes agree."""
        with self._lock:
            self._quorum = agreed

    def is_funded(self, funded: bool) -> None:
        """Whether the key has what it needs; a dry run needs nothing."""
        with self._lock:
            self._funded = funded

    def is_recovered(self) -> None:
        """What an earlier process left open is settled."""
        with self._lock:
            self._recovered = True

    def faults_of_life(self) -> list[str]:
        """Why it is to be restarted."""
        with self._lock:
            still = self._clock() - self._turned
        return [f"the loop has not turned for {still:.0f} s"] if still > self._stalled_after else []

    def faults_of_readiness(self) -> list[str]:
        """Why it could not act now."""
        faults = self.faults_of_life()
        with self._lock:
            if not self._recovered:
                faults.append("what an earlier process left open is not settled yet")
            if not self._quorum:
                faults.append("no quorum of nodes" if self._quorum is False else "the nodes were not asked yet")
            if self._head is None:
                faults.append("no block was seen yet")
            elif (still := self._clock() - self._head[1]) > self._stale_after:
                faults.append(f"no new block for {still:.0f} s")
            if not self._funded:
                faults.append("the key's balance is low" if self._funded is False else "the key was not looked at yet")
        return faults
