"""HTTP servers that take webhooks: they answer as a test says, and keep what they were sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from queue import Queue
from typing import Any

from tests.support.serving import serving

PATIENCE = 60  # seconds for what has to come; it comes at once


@dataclass
class Receiver:
    """Where it listens, the statuses that it gives next (200 once there are none), and what came."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    came: Queue[tuple[dict[str, str], bytes]] = field(default_factory=Queue)

    def next(self) -> dict[str, Any]:
        """The body of the next request."""
        return json.loads(self.next_raw()[1])

    def next_raw(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of the next request."""
        return self.came.get(timeout=PATIENCE)


@contextmanager
def receiver(*statuses: int) -> Iterator[Receiver]:
    """A receiver that answers its first requests with those statuses."""
    kept = Receiver(statuses=list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.came.put((dict(self.headers), body))  # once it is answered the next one may come
            status = kept.statuses.pop(0) if kept.statuses else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as url:
        kept.url = f"{url}/hooks/KEY"
        yield kept
