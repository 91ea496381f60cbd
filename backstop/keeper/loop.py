"""The keeper on its own: a cycle at every new block, until it is told to stop.

It lives by the chain's blocks and asks the machine's clock only how long to pause before it looks again.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backstop.chain.endpoint import Endpoint
from backstop.errors import BackstopError, ChainMismatchError, OutputError, RpcError
from backstop.keeper.cycle import Action, Cycle

LONGEST_PAUSE = 30.0  # seconds between two attempts while a node does not answer
_GLANCE = 0.1  # seconds; how soon a pause notices that it is to end


class Loop:
    """Runs a cycle at every new block, one after the other, and survives whatever goes wrong in one.

    What was sent goes to `show`. What was not (in a dry run, or where the contracts refused) goes there once, and
    again only after a cycle in which it was not due. Warnings likewise, to `tell`, as well as every failure.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        cycle: Cycle,
        *,
        poll: float,
        show: Callable[[Action], None],
        tell: Callable[[str], None],
    ) -> None:
        self._endpoint = endpoint
        self._cycle = cycle
        self._poll = poll
        self._show = show
        self._tell = tell
        self._stopping = False
        self._seen: str | None = None
        self._shown: set[tuple[bool, tuple[str, ...]]] = set()
        self._warned: set[str] = set()

    def stop(self) -> None:
        """Ends `run` after the duty under way."""
        self._stopping = True

    def run(self) -> None:
        """Runs until `stop`. Raises ChainMismatchError where the first look finds the wrong chain."""
        backoff = self._poll
        while not self._stopping:
            pause = self._poll
            try:
                self._look()
                backoff = self._poll
            except (BrokenPipeError, OutputError):  # nobody listens any more
                raise
            except Exception as fault:  # a keeper outlives its nodes, whatever they answer
                if isinstance(fault, ChainMismatchError) and self._seen is None:
                    raise
                pause, backoff = backoff, min(2 * backoff, max(LONGEST_PAUSE, self._poll))
                self._tell(f"error: {_text(fault)}; again in {pause:g} s")
            self._rest(pause)

    def _look(self) -> None:
        """A cycle, if there is a block that none has seen; one that fails is run again, new block or not."""
        header = self._endpoint.request("eth_getBlockByNumber", "latest", False)
        if not isinstance(header, dict) or not isinstance(header.get("hash"), str):
            raise RpcError(f"{self._endpoint.url} answers with a block header that cannot be read: {header!r}")
        if header["hash"] == self._seen:
            return
        shown, self._shown = self._shown, set()
        warned, self._warned = self._warned, set()
        for action in self._cycle.run(lambda text: self._warn(text, warned)):
            told = (action.refusal is None, action.duty.key)
            if action.receipt is not None or (told not in shown and told not in self._shown):
                self._put(action)
            if action.receipt is None:
                self._shown.add(told)
            if self._stopping:
                return
        self._seen = header["hash"]

    def _put(self, action: Action) -> None:
        try:
            self._show(action)
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise OutputError(f"cannot write the output: {fault.strerror or fault}") from None

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _GLANCE))

    def _warn(self, text: str, before: set[str]) -> None:
        self._warned.add(text)
        if text not in before:
            self._tell(f"warning: {text}")


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
        stop()

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
