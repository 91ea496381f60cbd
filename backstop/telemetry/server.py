"""A small HTTP server: /metrics for Prometheus, /healthz and /readyz for whoever restarts or routes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from backstop.errors import SettingsError
from backstop.settings.units import Listen
from backstop.telemetry.health import Health

_TEXT = "text/plain; charset=utf-8"
_SLOWEST = 10  # seconds until a client that does not ask is hung up on


class Server:
    """Serves from threads of its own until `close`. Raises SettingsError where the address cannot be had."""

    def __init__(self, listen: Listen, registry: CollectorRegistry, health: Health) -> None:
        pages: dict[str, Callable[[str], tuple[int, str, bytes]]] = {
            "/metrics": lambda accept: _metrics(registry, accept),
            "/healthz": lambda _: _verdict(health.faults_of_life()),
            "/readyz": lambda _: _verdict(health.faults_of_readiness()),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = _SLOWEST
            server_version = "backstop"
            sys_version = ""

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def _answer(self, *, with_body: bool) -> None:
                page = pages.get(self.path.partition("?")[0])
                missing = (int(HTTPStatus.NOT_FOUND), _TEXT, f"{' '.join(pages)}\n".encode())
                status, kind, body = page(self.headers.get("Accept", "")) if page else missing
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing: whoever asks does it every few seconds."""

        class Listener(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET

            def handle_error(self, *_: Any) -> None:
                """A client that went away is no news."""

        try:
            self._server = Listener((listen.host, listen.port), Handler)
        except OSError as fault:
            raise SettingsError(f"metrics.listen: cannot listen at {listen}: {fault.strerror or fault}") from None
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port, also where 0 had the system choose one."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Answers no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _metrics(registry: CollectorRegistry, accept: str) -> tuple[int, str, bytes]:
    encoder, kind = choose_encoder(accept)
    return int(HTTPStatus.OK), kind, encoder(registry)


def _verdict(faults: list[str]) -> tuple[int, str, bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    return int(status), _TEXT, ("\n".join(faults or ["ok"]) + "\n").encode()
