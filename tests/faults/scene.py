"""A sea whose first long has to be taken over, the keeper's daemons beside it, and what the chain says they did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from backstop.chain.endpoint import Endpoint
from backstop.transactions.journal import OPEN, Intent, Journal, State
from backstop.transactions.steps import Kind
from scripts.stage.venue import rpc_url
from tests.faults.daemon import Daemon
from tests.keeper.command import secret_of
from tests.keeper.sea import PRICES, Sea, wait_until

GWEI = 10**9
ETHER = 10**18


class Scene:
    """One scenario. What is due is one takeover, unless the scenario says otherwise."""

    def __init__(self, sea: Sea, folder: Path) -> None:
        self.sea = sea
        self.folder = folder
        self.chain: Endpoint = sea.venue.endpoint
        self.daemons: list[Daemon] = []
        self.begun_at = self.head()
        self.nonce = self.count()

    # ------------------------------------------------------------------ the chain

    def head(self) -> int:
        """The newest block."""
        return self.chain.quantity("eth_blockNumber")

    def count(self, signer: LocalAccount | None = None) -> int:
        """Transactions of a key that are mined."""
        return self.chain.quantity("eth_getTransactionCount", (signer or self.sea.keeper).address, "latest")

    def fall(self, price: Decimal = PRICES["first takeover"]) -> int:
        """The price at which the first long has to be taken over; the block."""
        self.sea.set_price(price)
        return self.head()

    def mine(self) -> int:
        """A block; its number."""
        self.chain.request("evm_mine")
        return self.head()

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """Blocks are mined by `mine` alone."""
        self.chain.request("evm_setAutomine", False)
        try:
            yield
        finally:
            self.chain.request("evm_setAutomine", True)

    def pool(self) -> list[dict[str, Any]]:
        """What waits to be mined."""
        content = self.chain.request("txpool_content")["pending"]
        return [tx for of in content.values() for tx in of.values()]

    def waiting(self, *, besides: Sequence[str] = ()) -> dict[str, Any]:
        """The one transaction that waits, once there is one."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [tx for tx in self.pool() if tx["hash"] not in besides]
            return bool(found)

        wait_until(is_there)
        (one,) = found
        return one

    def publish(self, price: Decimal) -> None:
        """A price that waits to be mined."""
        data = self.sea.market.feed.setAnswer.encode_input(int(price * 10**8))
        sent = {"from": self.sea.venue.owner.address, "to": self.sea.market.feed.address, "data": "0x" + data.hex()}
        self.chain.request("eth_sendTransaction", sent | {"gas": hex(200_000)})

    # ------------------------------------------------------------------ effects

    def _logs(self, contract: Any, event: str) -> list[dict[str, Any]]:
        topic = "0x" + keccak(text=getattr(contract, event).abi.selector).hex()
        query = {"address": contract.address, "topics": [topic], "fromBlock": hex(self.begun_at + 1)}
        found: list[dict[str, Any]] = self.chain.request("eth_getLogs", query)
        return found

    def taken(self) -> list[int]:
        """Blocks in which accounts were taken over."""
        return [int(log["blockNumber"], 16) for log in self._logs(self.sea.venue.system.exchange, "TakenOver")]

    def rounds(self) -> list[int]:
        """Blocks of rounds."""
        return [int(log["blockNumber"], 16) for log in self._logs(self.sea.venue.system.engine, "RoundExecuted")]

    def logs_of_engine(self, event: str) -> list[dict[str, Any]]:
        """An event of the rounds."""
        return self._logs(self.sea.venue.system.engine, event)

    def effect(self) -> int:
        """The block of the one takeover, once it is there."""
        wait_until(lambda: bool(self.taken()))
        (block,) = self.taken()
        return block

    # ------------------------------------------------------------------ the daemon

    def start(
        self,
        *urls: str,
        name: str = "keeper",
        signer: LocalAccount | None = None,
        killed_at: Kind | None = None,
        **tables: dict[str, Any],
    ) -> Daemon:
        """A daemon on nodes, by default the chain's own. One of the same name has the same state folder."""
        folder = self.folder / name
        settings = {
            "": {"deployment": str(self.sea.deployment), "state_dir": str(folder / "state")},
            "node": {"urls": list(urls) or [rpc_url()], "poll": 0.05} | tables.pop("node", {}),
            "duties.checkpoint": {"enabled": False},
        } | tables
        one = Daemon(folder, secret_of(signer or self.sea.keeper), settings, killed_at)
        self.daemons.append(one)
        return one

    def watching(self, *urls: str, **options: Any) -> Daemon:
        """The same, once it has looked at the chain."""
        one = self.start(*urls, **options)
        wait_until(lambda: self._has_looked(one) or not one.process.is_alive())
        assert one.process.is_alive(), one.log
        return one

    def _has_looked(self, one: Daemon) -> bool:
        return bool(one.said("watching"))

    def journal(self, name: str = "keeper") -> list[Intent]:
        """What a daemon has written down."""
        journal = Journal(str(self.folder / name / "state" / "journal.sqlite"), create=False)
        try:
            return journal.all()
        finally:
            journal.close()

    def attempts(self, name: str = "keeper") -> list[tuple[str, int, int]]:
        """Hash, fee and tip of everything that it has signed."""
        journal = Journal(str(self.folder / name / "state" / "journal.sqlite"), create=False)
        try:
            found = [attempt for intent in journal.all() for attempt in journal.attempts(intent.id)]
            return [(one.hash, one.max_fee, one.tip) for one in found]
        finally:
            journal.close()

    def settle(self, one: Daemon, name: str = "keeper") -> None:
        """Ends a daemon once its journal holds nothing open."""
        wait_until(lambda: not any(intent.state in (*OPEN, State.PLANNED) for intent in self.journal(name)))
        assert one.end() == 0, one.log

    def agrees(self, name: str = "keeper", *, signer: LocalAccount | None = None, foreign: int = 0) -> bool:
        """Whether journal and chain tell the same: each that is mined has its receipt, and no other is of the key."""
        mined = [intent for intent in self.journal(name) if intent.mined_hash and intent.state is not State.LOST]
        for intent in mined:
            receipt = self.chain.request("eth_getTransactionReceipt", intent.mined_hash)
            assert receipt["blockHash"] == intent.mined_block_hash
            assert (receipt["status"] == "0x1") == (intent.state is not State.FAILED)
        before = self.nonce if signer is None else 0
        return self.count(signer) == before + len(mined) + foreign

    def close(self) -> None:
        """Leaves nothing behind."""
        for one in self.daemons:
            one.process.kill()
            one.process.join()
        self.chain.request("evm_setAutomine", True)
        self.chain.request("anvil_dropAllTransactions")
