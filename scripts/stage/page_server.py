"""Serves the page that `make page` has built, with the node and the deployment that it is of."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import click

from backstop.chain.deployment import Deployment
from backstop.errors import BackstopError

BUILT = Path("build") / "page"
PORT = 8600


def page_settings(rpc: str, deployment: Deployment) -> bytes:
    """The `page.json` that a browser reads first."""
    return json.dumps({"rpc": rpc, "deployment": asdict(deployment)}, indent=2).encode()


class _Pages(SimpleHTTPRequestHandler):
    """Files of a folder, and `page.json` from memory, so that one build serves any deployment."""

    def __init__(self, *arguments: Any, settings: bytes, **more: Any) -> None:
        self._settings = settings
        super().__init__(*arguments, **more)

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/page.json":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self._settings)))
        self.end_headers()
        self.wfile.write(self._settings)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: whoever looks at the page sees it."""


@contextmanager
def serving_page(settings: bytes, port: int = 0, folder: Path = BUILT) -> Iterator[str]:
    """The URL of the page while the block runs; on a free port where none is given.

    Raises BackstopError where the page is not built, or the port is taken.
    """
    if not (folder / "index.html").is_file():
        raise BackstopError(f"there is no page in {folder}: `make page` builds it")
    handler = partial(_Pages, directory=str(folder), settings=settings)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as fault:
        raise BackstopError(f"cannot serve at port {port}: {fault.strerror}; give another --port") from None
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def until_interrupted() -> Iterator[None]:
    """What is in the block goes on until Ctrl-C, which ends it and no more: ape would end the process at once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nEnded.")
    finally:
        signal.signal(signal.SIGINT, before)
