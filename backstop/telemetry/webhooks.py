"""Webhooks: JSON to whoever has to know, from threads of their own, so that no receiver ever holds the keeper up.

A request's body is `{"id", "event", "time", "data"}`. With a secret, `X-Backstop-Signature: sha256=HEX` is the
HMAC-SHA-256 of the body. What does not arrive is posted again after growing pauses; a receiver tells repetitions by
their id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from threading import Event as Signal
from threading import Thread
from typing import Any

import requests

from backstop.settings.model import Event, WebhookTargets

SIGNATURE = "X-Backstop-Signature"
_WAITING = 1000  # events that wait for one receiver; what comes then is dropped
_REMEMBERED = 4096  # ids
_LONGEST_PAUSE = 60.0
_GLANCE = 0.2


def signature(secret: str, body: bytes) -> str:
    """What the header says of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """Posts events to every URL. `told` hears what became of each (delivered, failed, dropped) and why."""

    def __init__(
        self,
        targets: WebhookTargets,
        *,
        told: Callable[[str, str], None] = lambda _outcome, _why: None,
        first_pause: float = 1.0,
    ) -> None:
        self._events = frozenset(targets.events)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._told = told
        secret = targets.secret.get_secret_value() if targets.secret else None
        self._receivers = [
            _Receiver(url.get_secret_value(), str(url), secret, targets.timeout, targets.attempts, first_pause, told)
            for url in targets.urls
        ]

    def post(self, event: Event, key: str, data: Mapping[str, Any]) -> None:
        """Has it posted, once for each `key`. Returns at once, whatever the receivers do."""
        if event not in self._events or not self._receivers or key in self._known:
            return
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        body = json.dumps({"id": key, "event": event.value, "time": at, "data": dict(data)}, default=str).encode()
        for receiver in self._receivers:
            receiver.take(body)

    def close(self, patience: float = 5.0) -> None:
        """Ends the threads; what still waits then has until `patience` seconds are over."""
        end = time.monotonic() + patience
        for receiver in self._receivers:
            receiver.drain()
        for receiver in self._receivers:
            receiver.stop(max(0.0, end - time.monotonic()))


class _Receiver:
    """One URL with a queue and a thread."""

    def __init__(
        self,
        url: str,
        shown: str,
        secret: str | None,
        timeout: float,
        attempts: int,
        first_pause: float,
        told: Callable[[str, str], None],
    ) -> None:
        self._url, self._shown, self._secret = url, shown, secret
        self._timeout, self._attempts, self._first_pause = timeout, attempts, first_pause
        self._told = told
        self._waiting: Queue[bytes] = Queue(_WAITING)
        self._draining, self._stopping = Signal(), Signal()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def take(self, body: bytes) -> None:
        """Puts it behind what waits."""
        try:
            self._waiting.put_nowait(body)
        except Full:
            self._told("dropped", f"{self._shown}: {_WAITING} events wait already")

    def drain(self) -> None:
        """Ends once nothing waits."""
        self._draining.set()

    def stop(self, patience: float) -> None:
        """Ends between two attempts, after at most that long."""
        self._thread.join(patience)
        self._stopping.set()

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                body = self._waiting.get(timeout=_GLANCE)
            except Empty:
                if self._draining.is_set():
                    return
                continue
            self._deliver(body)

    def _deliver(self, body: bytes) -> None:
        pause = self._first_pause
        why = ""
        for attempt in range(self._attempts):
            if attempt and self._stopping.wait(pause):
                break
            pause = min(2 * pause, _LONGEST_PAUSE) if attempt else pause
            is_final, why = self._attempt(body)
            if not why:
                self._told("delivered", "")
                return
            if is_final:
                break
        self._told("failed", f"{self._shown}: {why}")

    def _attempt(self, body: bytes) -> tuple[bool, str]:
        """Whether it makes no sense to try again, and why it failed; "" where it did not."""
        headers = {"Content-Type": "application/json", "User-Agent": "backstop"}
        if self._secret is not None:
            headers[SIGNATURE] = signature(self._secret, body)
        try:
            # Not followed: a redirect would take the signed event to somebody else.
            answer = requests.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
            )
            answer.close()
        except Exception as fault:  # the reason would name the URL
            return False, type(fault).__name__
        if answer.status_code < 300:
            return False, ""
        again = answer.status_code in (408, 425, 429) or answer.status_code >= 500
        return not again, f"status {answer.status_code}"
