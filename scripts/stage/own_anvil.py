"""An Anvil beside ape's: to be a second node, to be killed, to have another chain id, to do without traces."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

_PATIENCE = 60  # seconds; far more than it ever takes


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def own_anvil(*options: str) -> Iterator[str]:
    """The HTTP URL of an Anvil, which ends with the block; its websocket listens on the same port."""
    port = free_port()
    with TemporaryDirectory() as folder:
        command = ["anvil", "--port", str(port), "--silent", "--cache-path", folder, *options]
        process = subprocess.Popen(command, env=_environment(Path(folder)), stdout=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url)
            yield url
        finally:
            process.kill()
            process.wait()


def ask(url: str, method: str, *params: Any) -> Any:
    """A raw request. Raises AssertionError where the node answers with an error."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer = requests.post(url, json=body, timeout=_PATIENCE).json()
    assert "error" not in answer, answer
    return answer["result"]


def _environment(home: Path) -> dict[str, str]:
    return os.environ | {"HOME": str(home)}


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            ask(url, "eth_blockNumber")
        except requests.RequestException:
            assert process.poll() is None, f"anvil ended with status {process.returncode}"
            assert time.monotonic() < deadline, f"anvil does not answer after {_PATIENCE} s"
            time.sleep(0.02)
        else:
            return
