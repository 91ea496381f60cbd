"""An explorer's API on this machine: it writes down what is submitted, and finds it all right after a while."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class ExplorerDouble:
    """`submitted` has the fields of each submission; `verdict` is the answer once none is pending."""

    def __init__(self, verdict: str = "Pass - Verified", pending: int = 0) -> None:
        self.submitted: list[dict[str, str]] = []
        self.asked = 0
        self._verdict, self._pending = verdict, pending
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double.asked += 1
                waiting = double.asked <= double._pending
                self._answer(*(("0", "Pending in queue") if waiting else ("1", double._verdict)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                query = urlsplit(self.path).query
                double.submitted.append(dict(parse_qsl(query)) | dict(parse_qsl(body, keep_blank_values=True)))
                self._answer("1", f"guid-{len(double.submitted)}")

            def _answer(self, status: str, result: str) -> None:
                content = json.dumps({"status": status, "message": "", "result": result}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v2/api"

    def __enter__(self) -> ExplorerDouble:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
