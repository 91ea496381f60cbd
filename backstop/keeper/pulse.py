"""Whether blocks come: one that is new is told, and a chain that stands still once, until there is one."""

from __future__ import annotations

import time
from collections.abc import Callable

from backstop.adl.snapshot import Block
from backstop.chain.endpoint import Endpoint
from backstop.chain.head import Head
from backstop.errors import RpcError
from backstop.telemetry import Telemetry

_LEAST_PAUSE = 0.2  # seconds between two looks while a transaction waits


class Pulse:
    """Of one chain. By what this process sees: a machine's clock that is wrong changes nothing."""

    def __init__(
        self,
        endpoint: Endpoint,
        chain_id: int,
        telemetry: Telemetry,
        halt_after: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._chain_id = chain_id
        self._telemetry = telemetry
        self._halt_after = halt_after
        self._clock = clock
        self._last: Head | None = None
        self._since = self._looked = clock()
        self._is_halted = False

    def see(self, head: Head) -> None:
        """The newest block, whether or not it is new."""
        self._telemetry.quorum(True)
        if self._last is not None and self._last.hash == head.hash:
            return self._check()
        self._last, self._since = head, self._clock()
        self._telemetry.head(Block(self._chain_id, head.number, head.hash, head.timestamp))
        if self._is_halted:
            self._is_halted = False
            self._telemetry.goes_on()
        return None

    @property
    def block(self) -> Block | None:
        """The newest block that was seen."""
        last = self._last
        return Block(self._chain_id, last.number, last.hash, last.timestamp) if last else None

    def stand_still(self, seconds: float) -> None:
        """No block has come for so long."""
        if not self._is_halted:
            self._is_halted = True
            self._telemetry.halted(self._chain_id, self._last.number if self._last else None, seconds)

    def miss(self) -> None:
        """No node has a block to show."""
        self._telemetry.quorum(False)
        self._check()

    def beat(self) -> None:
        """A look, while something else is waited for."""
        self._telemetry.turned()
        if self._clock() - self._looked < _LEAST_PAUSE:
            return
        try:
            self.see(self._endpoint.head())
        except RpcError:
            self.miss()
        self._looked = self._clock()

    def _check(self) -> None:
        still = self._clock() - self._since
        if still >= self._halt_after:
            self.stand_still(still)
