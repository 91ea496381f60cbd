"""Stands as `anvil` before the real one, and writes down what tests ask of it; see `recording`.

    BACKSTOP_ANVIL=<the real anvil> BACKSTOP_RECORDINGS=<folder> python -m scripts.audit.proxy <arguments of anvil>

What is written can be played again elsewhere: transactions by block, views of the latest block, snapshots and what
changes the state beside transactions. Where something can't (a reorganisation), the recording pauses until the tests go
back to a snapshot from before it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from .recording import Kind, Step, create, known_codes

GAS = 30_000_000  # that forge's code, which is not optimized, may use
# Successful views of one function that are worth playing again: in all, and beyond that in each test.
_VIEWS_ALIKE = 40
_VIEWS_OF_A_TEST = 2
_SENDS = {"eth_sendTransaction", "eth_sendRawTransaction", "eth_sendTransactionSync", "evm_mine", "anvil_mine"}
_UNKNOWN = bytes(32)
_NOWHERE = "0x" + "00" * 20


class Recorder:
    """Writes steps; `ask` is a request to the real Anvil."""

    def __init__(self, file: Path, ask: Any) -> None:
        self._file = file.open("w", encoding="ascii")
        self._ask = ask
        self._known = known_codes()
        self._head = 0
        self._time = 0
        self._hash = ""
        self._marks: dict[str, tuple[int, int]] = {}
        self._count = 0
        self._seen: set[tuple[Any, ...]] = set()
        self._alike: Counter[str] = Counter()
        self._alike_in_test: Counter[str] = Counter()
        self._is_lost = False
        self._automines = True

    def begin(self) -> None:
        """Once Anvil answers."""
        self._see(self._ask("eth_getBlockByNumber", "latest", False))

    def note(self, method: str, params: list[Any], answer: dict[str, Any]) -> None:
        """A request that Anvil has answered."""
        if method in ("eth_call", "eth_estimateGas"):
            self._view(method, params, answer)
        elif method == "evm_snapshot":
            self._marks[answer["result"]] = (self._count, self._head)
            self._write(Step(Kind.MARK, number=self._count))
            self._count += 1
        elif method == "evm_revert" and answer.get("result"):
            place, _ = self._marks[params[0]]
            self._is_lost = False
            self._alike_in_test.clear()
            self._write(Step(Kind.REWIND, number=place))
            self.begin()
        elif method == "evm_setAutomine":
            self._automines = bool(params[0])
        elif method in ("anvil_reorg", "anvil_reset", "anvil_rollback"):
            self._is_lost = True
        elif method == "anvil_setCode":
            self._write(Step(Kind.ETCH, to=params[0], data=bytes.fromhex(params[1][2:])))
        elif method == "anvil_setStorageAt":
            slot, value = (int(text, 16) for text in params[1:3])
            self._write(Step(Kind.STORE, to=params[0], number=slot, answer=value.to_bytes(32, "big")))
        elif method in _SENDS and "result" in answer:
            self._mined(answer["result"] if method.startswith("eth_") else None)

    def _see(self, block: dict[str, Any]) -> None:
        self._head, self._time = int(block["number"], 16), int(block["timestamp"], 16)
        self._hash = block["hash"]

    def _mined(self, sent: Any) -> None:
        if isinstance(sent, str) and self._automines:
            last = time.monotonic() + 5
            while self._ask("eth_getTransactionReceipt", sent) is None and time.monotonic() < last:
                time.sleep(0.001)
        newest = int(self._ask("eth_blockNumber"), 16)
        for number in range(self._head + 1, newest + 1):
            block = self._ask("eth_getBlockByNumber", hex(number), True)
            receipts = self._ask("eth_getBlockReceipts", hex(number))
            self._see(block)
            for transaction, receipt in zip(block["transactions"], receipts, strict=True):
                self._write(self._sent(transaction, receipt))

    def _sent(self, transaction: dict[str, Any], receipt: dict[str, Any]) -> Step:
        data = bytes.fromhex(transaction["input"][2:])
        sender, accepted = transaction["from"], receipt["status"] == "0x1"
        if transaction.get("to") is None:
            nonce, at = int(transaction["nonce"], 16), receipt["contractAddress"] if accepted else _NOWHERE
            return create(sender, at, nonce, self._head, self._time, data, self._known)
        gas, value = max(GAS, int(transaction["gas"], 16)), int(transaction["value"], 16)
        return Step(Kind.SEND, sender, transaction["to"], self._head, self._time, gas, value, accepted, _UNKNOWN, data)

    def _view(self, method: str, params: list[Any], answer: dict[str, Any]) -> None:
        call, block, time_ = params[0], params[1] if len(params) > 1 else "latest", self._time
        number = self._head
        if len(params) > 2 and params[2]:
            return  # with code or state of its own
        if len(params) > 3 and params[3]:
            if params[3].keys() - {"time"}:
                return
            time_ = int(params[3]["time"], 16)
        if not (block in ("latest", hex(self._head)) or block == {"blockHash": self._hash}):
            return
        data = bytes.fromhex((call.get("data") or call.get("input") or "0x")[2:])
        sender = call.get("from") or _NOWHERE
        to = call.get("to")
        refused = "error" in answer
        if method == "eth_estimateGas" and not refused:
            return
        if refused:
            thrown = answer["error"].get("data")
            output = keccak(hexstr=thrown) if isinstance(thrown, str) else _UNKNOWN
            if not isinstance(thrown, str) and "revert" not in str(answer["error"].get("message")):
                return
        else:
            output = keccak(hexstr=answer["result"])
        key = (sender, to, data, time_)
        if key in self._seen:
            return
        self._seen.add(key)
        if not refused:
            selector = f"{to}{data[:4].hex()}"
            self._alike[selector] += 1
            self._alike_in_test[selector] += 1
            if self._alike[selector] > _VIEWS_ALIKE and self._alike_in_test[selector] > _VIEWS_OF_A_TEST:
                return
        value = int(call.get("value") or "0x0", 16)
        if to is None:
            made = create(sender, _NOWHERE, 0, number, time_, data, self._known)
            self._write(made._replace(kind=Kind.VIEW, gas=GAS, is_accepted=not refused, answer=_UNKNOWN))
        else:
            gas = max(GAS, int(call.get("gas") or "0x0", 16))
            self._write(Step(Kind.VIEW, sender, to, number, time_, gas, value, not refused, output, data))

    def _write(self, step: Step) -> None:
        if step.kind is not Kind.VIEW:
            self._seen.clear()
        if not self._is_lost:
            self._file.write(step.line())
            self._file.flush()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> None:
    """Runs until it is stopped, or Anvil is."""
    real, arguments = os.environ["BACKSTOP_ANVIL"], sys.argv[1:]
    if "--port" not in arguments or "--version" in arguments or "-V" in arguments:
        os.execv(real, [real, *arguments])
    place = arguments.index("--port") + 1
    port, behind = int(arguments[place]), _free_port()
    anvil = subprocess.Popen([real, *arguments[:place], str(behind), *arguments[place + 1 :]])

    def stop(*_: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            anvil.terminate()
        os._exit(0)

    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, stop)
    threading.Thread(target=lambda: (anvil.wait(), os._exit(0)), daemon=True).start()
    node = HTTPConnection("127.0.0.1", behind)
    lock = threading.Lock()

    def post(body: bytes) -> bytes:
        for attempt in range(200):
            try:
                node.request("POST", "/", body, {"Content-Type": "application/json"})
                return node.getresponse().read()
            except OSError:
                node.close()
                if attempt == 199:
                    raise
                time.sleep(0.05)
        raise AssertionError

    def ask(method: str, *params: Any) -> Any:
        return json.loads(post(json.dumps({"jsonrpc": "2.0", "id": 0, "method": method, "params": params}).encode()))[
            "result"
        ]

    recorder = Recorder(Path(os.environ["BACKSTOP_RECORDINGS"]) / f"anvil-{os.getpid()}.txt", ask)
    recorder.begin()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                answer = post(body)
                asked, answers = json.loads(body), json.loads(answer)
                one_by_one = [(asked, answers)] if isinstance(asked, dict) else zip(asked, answers, strict=False)
                for request, response in one_by_one:
                    recorder.note(request["method"], list(request.get("params") or ()), response)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
