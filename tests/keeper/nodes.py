"""Nodes that misbehave: tiny HTTP servers that answer JSON-RPC with whatever a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from tests.support.serving import serving

Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


def result(value: Any) -> bytes:
    """The body of an answer with a result."""
    return json.dumps({"jsonrpc": "2.0", "id": 0, "result": value}).encode()


def error(message: Any, data: Any = None) -> bytes:
    """The body of an answer with an error."""
    fault = {"code": -32000, "message": message} | ({} if data is None else {"data": data})
    return json.dumps({"jsonrpc": "2.0", "id": 0, "error": fault}).encode()


def batch(answer: Answer, requests: list[dict[str, Any]]) -> tuple[int, bytes]:
    """The answers to several requests at once: in one list, unless one of them is no JSON."""
    answers = []
    for request in requests:
        status, body = answer(request)
        try:
            answers.append(json.loads(body) | {"id": request["id"]})
        except (ValueError, TypeError):
            return status, body
        if status != 200:
            return status, body
    return 200, json.dumps(answers).encode()


@contextmanager
def node(answer: Answer) -> Iterator[str]:
    """The URL of a node that gives each request the status and body that `answer` returns."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        requests: ClassVar[list[dict[str, Any]]] = []

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = batch(answer, request) if isinstance(request, list) else answer(request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as url:
        yield url
