"""What is posted to a node: for how long, how much comes back, and to whom it goes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from backstop.chain.endpoint import Endpoint
from backstop.chain.post import Post
from backstop.errors import RpcError
from tests.keeper.nodes import node

TIME = 0.6  # seconds for an answer
BYTE = 0.05  # seconds from one byte to the next
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def raw_node(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A node that reads a request and then does to the connection what a test says, until it is hung up on."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    answer(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def dripping(begin: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Sends a beginning, and then the same bytes again and again, slowly."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(begin)
        for _ in range(200):
            connection.sendall(drop)
            time.sleep(BYTE)

    return answer


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"HTTP/1.1 200 ", b"O"),
        (HEAD, b"X-A: b\r\n"),
        (HEAD + b"Content-Length: 5000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["status", "headers", "body", "chunks"],
)
def test_a_node_that_drips_is_waited_for_no_longer_than_one_that_is_silent(begin: bytes, drop: bytes) -> None:
    with raw_node(dripping(begin, drop)) as url:
        start = time.monotonic()
        with pytest.raises(RpcError, match=r"no answer from \S+ to eth_chainId: not within 0.6 s"):
            Endpoint(url, TIME).request("eth_chainId")
        assert time.monotonic() - start < TIME + 1


def test_the_time_begins_anew_with_each_request() -> None:
    def slowly(_: object) -> tuple[int, bytes]:
        time.sleep(0.6)
        return 200, b'{"result": "0x1"}'

    with node(slowly) as url:
        endpoint = Endpoint(url, 2.0)
        assert [endpoint.request("eth_chainId") for _ in range(4)] == ["0x1"] * 4


def test_an_answer_may_be_so_large_and_no_larger() -> None:
    with node(lambda _: (200, b" " * 1000)) as url:
        assert len(Post(url, TIME, most=1000)(b"{}")) == 1000
        with pytest.raises(RpcError, match="more than 999 bytes"):
            Post(url, TIME, most=999)(b"{}")


def test_what_is_asked_goes_to_nobody_else() -> None:
    heard: list[bytes] = []

    def elsewhere(connection: socket.socket) -> None:
        heard.append(b"asked")

    with raw_node(elsewhere) as other:
        place = f"Location: {other}/\r\nContent-Length: 0\r\n\r\n".encode()
        for status in (b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"):
            reply = b"HTTP/1.1 " + status + b"\r\n" + place
            with (
                raw_node(lambda connection, reply=reply: connection.sendall(reply)) as url,
                pytest.raises(RpcError, match="it redirects, which is not followed"),
            ):
                Endpoint(url, TIME).batch([("eth_chainId", ()), ("eth_blockNumber", ())])
    assert heard == []


@pytest.mark.parametrize("host", ["a" * 300 + ".test", ".test", "a..b"])
def test_a_host_that_cannot_be_is_one_line(host: str) -> None:
    with pytest.raises(RpcError, match="no such host can be"):
        Endpoint(f"http://{host}/").request("eth_chainId")


def test_a_proxy_of_the_environment_is_asked_but_for_the_hosts_that_it_is_not_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with node(lambda _: (200, b'"proxy"')) as proxy, node(lambda _: (200, b'"node"')) as url:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
        assert Post("http://node.test/", TIME)(b"{}") == b'"proxy"'
        assert Post(url, TIME)(b"{}") == b'"node"'
