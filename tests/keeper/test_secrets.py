"""A provider's key in a URL is shown to nobody: not where nothing listens, not where the node refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from backstop.chain.endpoint import Endpoint
from backstop.errors import RpcError


class Refusing(BaseHTTPRequestHandler):
    """Answers everything with 403."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    """A node that refuses everybody."""
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("url", ["http://keeper:hunter2@{}/v2/APIKEY", "http://{}/v2/APIKEY", "http://{}/?key=hunter2"])
def test_no_secret_of_a_url_is_shown(url: str, host: str) -> None:
    for place in (host, "127.0.0.1:1"):
        with pytest.raises(RpcError) as refused:
            Endpoint(url.format(place)).quantity("eth_chainId")
        assert place.split(":")[0] in str(refused.value)
        assert "hunter2" not in str(refused.value)
        assert "APIKEY" not in str(refused.value)
