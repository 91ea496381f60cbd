"""Tiny HTTP servers of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Quiet(ThreadingHTTPServer):
    """Says nothing of clients that went away: its threads would say it on whatever stderr a later test watches."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """What a client closed is no fault of a test."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL, without a slash at its end, at which `handler` answers while the block runs."""
    server = Quiet(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
