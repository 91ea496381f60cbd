"""A JSON-RPC proxy that injects faults between a client and a real node, by rules.

    with FaultyProxy(anvil_url) as proxy:
        proxy.inject("eth_sendRawTransaction", DropReply(), first(1))    # sent, and the answer is lost, once
        proxy.inject("*", Status(429), lambda number: number % 3 == 0)   # every third request is refused
        keeper = Endpoint(proxy.url)

A rule counts the requests that it matches from 1, since it was injected; the first rule that matches and is due acts,
and no other. What no rule is due for is forwarded untouched. A batch is one request of all of its methods: the fault
of the first rule that is due for any of them befalls the whole of it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

Due = Callable[[int], bool]


def always(_: int) -> bool:
    """Every request."""
    return True


def first(count: int) -> Due:
    """The first `count` requests."""
    return lambda number: number <= count


def after(count: int) -> Due:
    """All but the first `count` requests."""
    return lambda number: number > count


def only(*numbers: int) -> Due:
    """The requests with these numbers, from 1."""
    return lambda number: number in numbers


# ---------------------------------------------------------------------- faults


@dataclass(frozen=True)
class Delay:
    """The answer comes `seconds` late: a timeout, where the client is less patient."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """Nothing is forwarded, and nothing answered, until the client gives up or the proxy closes."""


@dataclass(frozen=True)
class HangUp:
    """Nothing is forwarded; the connection is closed without an answer."""


@dataclass(frozen=True)
class DropReply:
    """The request is forwarded and done; the connection is closed without an answer."""


@dataclass(frozen=True)
class Status:
    """Nothing is forwarded; an HTTP status: 429, 500, 502, 503."""

    code: int
    body: bytes = b"try again later"


@dataclass(frozen=True)
class Garbage:
    """Nothing is forwarded; status 200 with bytes that are no JSON."""

    body: bytes = b"\x00<html>\xff{"


@dataclass(frozen=True)
class Truncate:
    """The true answer, of which the second half is missing; with `honest` the length that is announced fits."""

    honest: bool = False


@dataclass(frozen=True)
class HalfBatch:
    """Of a batch's true answers only the first half comes. No other request is touched, nor counted."""


@dataclass(frozen=True)
class Refuse:
    """Nothing is forwarded; a JSON-RPC error."""

    message: str = "internal error"
    code: int = -32603


@dataclass(frozen=True)
class Answer:
    """Nothing is forwarded; this result."""

    result: Any


@dataclass(frozen=True)
class Stale:
    """The node answers as one that is `blocks` behind: newer blocks, receipts and logs are unknown to it."""

    blocks: int


Fault = Delay | Hang | HangUp | DropReply | Status | Garbage | Truncate | HalfBatch | Refuse | Answer | Stale


class Seen(NamedTuple):
    """A request as it came: its methods (several of a batch) and what was done to it."""

    methods: tuple[str, ...]
    fault: Fault | None


@dataclass
class Rule:
    """A fault, the method that it befalls (`*` for any), and when. `matched` and `injected` count so far."""

    method: str
    fault: Fault
    due: Due
    matched: int = 0
    injected: int = 0

    def take(self, methods: tuple[str, ...], is_batch: bool) -> bool:
        """Whether the rule is due for a request, which is counted."""
        if self.method not in ("*", *methods) or (isinstance(self.fault, HalfBatch) and not is_batch):
            return False
        self.matched += 1
        if not self.due(self.matched):
            return False
        self.injected += 1
        return True


class FaultyProxy:
    """A node's double at `url`. `seen` are all requests in the order in which they came."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.seen: list[Seen] = []
        self._rules: list[Rule] = []
        self._lock = Lock()
        self.closing = Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def inject(self, method: str, fault: Fault, due: Due = always) -> Rule:
        """A new rule, which acts where none before it does."""
        rule = Rule(method, fault, due)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """No rules any more: everything is forwarded. What hangs goes on hanging."""
        with self._lock:
            self._rules.clear()

    def count(self, method: str) -> int:
        """How many requests with a method came so far."""
        with self._lock:
            return sum(method in seen.methods for seen in self.seen)

    def choose(self, methods: tuple[str, ...], is_batch: bool) -> Fault | None:
        """What befalls a request, which is noted."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.take(methods, is_batch)), None)
            self.seen.append(Seen(methods, rule.fault if rule else None))
            return rule.fault if rule else None


# ---------------------------------------------------------------------- serving


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout: ClassVar[float | None] = None
    server: _Server

    def setup(self) -> None:
        super().setup()
        parts = urlsplit(self.server.proxy.upstream)
        self.node = HTTPConnection(str(parts.hostname), parts.port)

    def finish(self) -> None:
        super().finish()
        self.node.close()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        document = json.loads(body)
        is_batch = isinstance(document, list)
        requests = document if is_batch else [document]
        fault = self.server.proxy.choose(tuple(one["method"] for one in requests), is_batch)
        match fault:
            case Hang():
                self.server.proxy.closing.wait()
                self._hang_up()
            case HangUp():
                self._hang_up()
            case Status(code, words):
                self._answer(words, code)
            case Garbage(words):
                self._answer(words)
            case Refuse(message, code):
                answers = [_failed(one, message, code) for one in requests]
                self._answer_json(answers if is_batch else answers[0])
            case Answer(result):
                answers = [_done(one, result) for one in requests]
                self._answer_json(answers if is_batch else answers[0])
            case Stale(blocks):
                answers = _Lagging(self._ask, blocks).answers(requests)
                self._answer_json(answers if is_batch else answers[0])
            case _:
                self._forward(body, fault)

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        """Forwards, and does to the answer what is left to be done."""
        try:
            answer = self._post(body)
        except (OSError, HTTPException):
            self._answer(b"the node behind the proxy does not answer", 502)
            return
        match fault:
            case Delay(seconds):
                self.server.proxy.closing.wait(seconds)
                self._answer(answer)
            case DropReply():
                self._hang_up()
            case Truncate(honest):
                half = answer[: len(answer) // 2]
                self._answer(half, announced=len(half) if honest else len(answer))
            case HalfBatch():
                answers = json.loads(answer)
                self._answer_json(answers[: len(answers) // 2])
            case _:
                self._answer(answer)

    def _post(self, body: bytes) -> bytes:
        self.node.request("POST", "/", body, {"Content-Type": "application/json"})
        return self.node.getresponse().read()

    def _ask(self, method: str, *params: Any) -> dict[str, Any]:
        """The node's own answer to a request of the proxy's."""
        asked = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
        answer: dict[str, Any] = json.loads(self._post(json.dumps(asked).encode()))
        return answer

    def _answer_json(self, document: Any) -> None:
        self._answer(json.dumps(document).encode())

    def _answer(self, body: bytes, status: int = 200, announced: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)
        if announced not in (None, len(body)):
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Silent."""


def _done(request: dict[str, Any], result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def _failed(request: dict[str, Any], message: str, code: int = -32000) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}


# ---------------------------------------------------------------------- a node that lags

# Where the block stands among the parameters of a method; it may be left out.
_BLOCK_AT = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getTransactionCount": 1,
    "eth_getBlockByNumber": 0,
}
_NEWEST = ("latest", "pending", "safe", "finalized")


class _Lagging:
    """Answers with what a node knew `blocks` ago."""

    def __init__(self, ask: Callable[..., dict[str, Any]], blocks: int) -> None:
        self._ask = ask
        self._head = max(int(ask("eth_blockNumber")["result"], 16) - blocks, 0)

    def answers(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers, in order."""
        return [self._answer(one) for one in requests]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request["method"], list(request.get("params", []))
        if method == "eth_blockNumber":
            return _done(request, hex(self._head))
        if method == "eth_getLogs":
            return self._logs(request, params[0])
        if method in _BLOCK_AT:
            return self._at_block(request, method, params)
        answer = self._ask(method, *params) | {"id": request["id"]}
        found = answer.get("result")
        if method == "eth_getBlockByHash" and found and int(found["number"], 16) > self._head:
            return _done(request, None)
        if method == "eth_getTransactionReceipt" and found and int(found["blockNumber"], 16) > self._head:
            return _done(request, None)
        return answer

    def _at_block(self, request: dict[str, Any], method: str, params: list[Any]) -> dict[str, Any]:
        at = _BLOCK_AT[method]
        params += ["latest"] * (at + 1 - len(params))
        block = params[at]
        if isinstance(block, dict):
            unknown = not self._has(block["blockHash"])
        elif block in _NEWEST:
            unknown, params[at] = False, hex(self._head)
        else:
            unknown = block != "earliest" and int(block, 16) > self._head
        if unknown:
            return _done(request, None) if method == "eth_getBlockByNumber" else _failed(request, "header not found")
        return self._ask(method, *params) | {"id": request["id"]}

    def _logs(self, request: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
        if "blockHash" in query:
            known = self._has(query["blockHash"])
            return (
                self._ask("eth_getLogs", query) | {"id": request["id"]} if known else _failed(request, "unknown block")
            )
        begin, end = (query.get(key, "latest") for key in ("fromBlock", "toBlock"))
        first_block, last_block = (self._head if one in _NEWEST else int(one, 16) for one in (begin, end))
        if first_block > self._head:
            return _done(request, [])
        span = {"fromBlock": hex(first_block), "toBlock": hex(min(last_block, self._head))}
        return self._ask("eth_getLogs", query | span) | {"id": request["id"]}

    def _has(self, block_hash: str) -> bool:
        header = self._ask("eth_getBlockByHash", block_hash, False).get("result")
        return header is not None and int(header["number"], 16) <= self._head
