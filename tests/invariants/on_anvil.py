"""The same machine on Anvil: deployed through ape by the project's own script, then spoken to by raw requests."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ape import Project

from backstop.chain.endpoint import Endpoint
from backstop.errors import RpcError
from scripts.stage.system import deploy_system

from .chain import CHAIN_ID, GAS, Log, Receipt
from .system import OWNER, System
from .world import ADDRESSES, MARKETS

_FUNDS = hex(10**24)


class AnvilChain:
    """Anvil with a transaction in each block; whoever sends need not sign."""

    def __init__(self, url: str) -> None:
        self._endpoint = Endpoint(url)
        self._snapshot = ""
        self._wait()
        self._request("anvil_autoImpersonateAccount", True)
        for address in (*ADDRESSES, OWNER):
            self._request("anvil_setBalance", address, _FUNDS)

    def deploy(self, sender: str, code: bytes) -> str:
        """The address of a new contract."""
        receipt = self._mined({"from": sender, "data": "0x" + code.hex(), "gas": hex(GAS)})
        if receipt["status"] != "0x1":
            raise RuntimeError(f"{self._endpoint.url} refuses a contract of {len(code)} bytes")
        return str(receipt["contractAddress"])

    def mark(self) -> None:
        """This is the state that `rewind` brings back."""
        self._snapshot = self._request("evm_snapshot")

    def rewind(self) -> None:
        """Back to the marked state."""
        if not self._request("evm_revert", self._snapshot):
            raise RuntimeError(f"{self._endpoint.url} has no snapshot {self._snapshot}")
        self.mark()

    def send(self, sender: str, to: str, data: bytes, timestamp: int) -> Receipt:
        """See `Chain`."""
        self._request("evm_setNextBlockTimestamp", timestamp)
        receipt = self._mined({"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(GAS)})
        if receipt["status"] != "0x1":
            trace = self._request("debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"})
            return Receipt(False, bytes.fromhex(trace.get("output", "0x")[2:]), [])
        logs = [
            Log(log["address"], [bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
            for log in receipt["logs"]
        ]
        return Receipt(True, b"", logs)

    def view(self, to: str, data: bytes, timestamp: int | None = None) -> bytes:
        """See `Chain`."""
        call: list[Any] = [{"to": to, "data": "0x" + data.hex()}, "latest"]
        if timestamp is not None:
            call += [{}, {"time": hex(timestamp)}]
        return bytes.fromhex(self._request("eth_call", *call)[2:])

    def storage(self, of: str, slot: int) -> int:
        """See `Chain`."""
        return int(self._request("eth_getStorageAt", of, hex(slot), "latest"), 16)

    def _mined(self, transaction: dict[str, str]) -> dict[str, Any]:
        hash_ = self._request("eth_sendTransaction", transaction)
        while (receipt := self._request("eth_getTransactionReceipt", hash_)) is None:
            time.sleep(0.002)  # it may come after the answer
        found: dict[str, Any] = receipt
        return found

    def _wait(self) -> None:
        """For an Anvil that is starting."""
        last = time.monotonic() + 20
        while True:
            try:
                self._request("web3_clientVersion")
            except RpcError:
                if time.monotonic() > last:
                    raise
                time.sleep(0.02)
            else:
                return

    def _request(self, method: str, *parameters: Any) -> Any:
        return self._endpoint.request(method, *parameters)


@contextmanager
def running(*arguments: str) -> Iterator[tuple[AnvilChain, str]]:
    """An Anvil of one's own, and its address: ape takes and reverts no snapshots of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = ["anvil", "--silent", "--port", str(port), "--chain-id", str(CHAIN_ID), *arguments]
    process = subprocess.Popen(command)
    try:
        yield AnvilChain(url), url
    finally:
        process.terminate()
        process.wait()


def deploy_through_ape(owner: Any, project: Project) -> System:
    """The system as `ape run deploy` makes it, with the reader and the feeds."""
    made = deploy_system(owner, owner.deploy(project.MockUSDC))
    parts = (made.exchange, made.fund, made.engine, made.price_feed)
    reader = owner.deploy(project.StateReader, *parts)
    feeds = [owner.deploy(project.MockAggregator, spec.decimals, spec.answer) for spec in MARKETS]
    sequencer = owner.deploy(project.MockAggregator, 0, 0)
    contracts = (made.token, made.price_feed, made.exchange, made.fund, made.round_book, made.engine, reader, sequencer)
    addresses = [part.address for part in contracts]
    return System(owner.address, *addresses, tuple(feed.address for feed in feeds))
