"""The watcher of rounds, left running on the same machinery as the keeper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backstop.errors import OutputError
from backstop.keeper.daemon import Parts, make_loop, opened
from backstop.keeper.pulse import Pulse
from backstop.keeper.vitals import Vitals, tell_nodes
from backstop.rounds.watch import Finding, Watcher
from backstop.settings import Settings
from backstop.telemetry import Telemetry
from backstop.transactions.sender import Sender

DUTY = "challenge"


class Watch:
    """A watcher's loop, and what a turn of it does beside a look."""

    def __init__(self, parts: Parts, telemetry: Telemetry, *, send: bool, show: Callable[[Finding], object]) -> None:
        self._parts = parts
        self._telemetry = telemetry
        self._send = send
        self._show = show
        self._has_begun = False
        self._pulse = Pulse(parts.nodes, parts.chain_id, telemetry, parts.settings.node.stale_after)
        self._vitals = Vitals(parts.nodes, parts.deployment, parts.journal, parts.sender.address, telemetry)
        self._watcher = Watcher(
            parts.nodes,
            parts.deployment,
            parts.sender,
            send=send,
            tell=telemetry.log.warning,
            telemetry=telemetry,
            waiting=self._pulse.beat,
        )
        self.loop = make_loop(parts, self._turn, telemetry, self._pulse)
        telemetry.metrics.know_duty(DUTY)
        if not send:
            telemetry.recovered()
            telemetry.health.is_funded(True)

    def watch(self) -> None:
        """Runs until its loop is stopped."""
        self.loop.run()

    def _turn(self, is_stopping: Callable[[], bool]) -> None:
        self._telemetry.turned()
        if self._parts.hold is not None:
            self._parts.hold.check()
        if not self._has_begun:
            self._parts.nodes.check(self._parts.deployment)
            self._telemetry.log.info("watching", node=self._parts.nodes.url, dry_run=not self._send)
            self._has_begun = True
        try:
            with self._telemetry.cycle(self._pulse.block):
                if self._send:
                    self._parts.sender.tend()
                    self._telemetry.recovered()
                for finding in self._watcher.look():
                    self._put(finding)
                    if is_stopping():
                        return
        finally:
            tell_nodes(self._parts.nodes, self._telemetry)
            if self._send and self._pulse.block is not None:
                self._vitals.look(self._pulse.block, exhausted=False)

    def _put(self, finding: Finding) -> None:
        try:
            self._show(finding)
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise OutputError(f"cannot write the output: {fault.strerror or fault}") from None


@contextmanager
def watching(
    settings: Settings, *, send: bool, show: Callable[[Finding], object], remember: Callable[[Sender], Sender]
) -> Iterator[Watch]:
    """A watcher that is about to be left running."""
    telemetry = Telemetry.open(settings)
    try:
        with opened(settings, send=send, keeps=True, needs=False, telemetry=telemetry) as parts:
            remember(parts.sender)
            yield Watch(parts, telemetry, send=send, show=show)
    finally:
        telemetry.close()
