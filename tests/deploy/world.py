"""Anvils that pass for public networks, with a token and a feed, a plan for each, and a deployer with a keystore."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ape import project
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from scripts.stage.own_anvil import ask

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "deployment.toml"
SEPOLIA, BASE_SEPOLIA = 11155111, 84532
ALIAS, PASSPHRASE = "deployer", "correct horse"
DEPLOYER = Account.from_key(keccak(text="backstop test deployer"))
GUARDED = "setGuardian" in {method.name for method in project.Exchange.contract_type.mutable_methods}
NETWORKS = {SEPOLIA: "ethereum:sepolia:node", BASE_SEPOLIA: "base:sepolia:node"}
VARIABLES = {SEPOLIA: "SEPOLIA_RPC_URL", BASE_SEPOLIA: "BASE_SEPOLIA_RPC_URL"}


def named(name: str) -> str:
    """An address of somebody."""
    return to_checksum_address(keccak(text=name)[12:])


def create(url: str, contract: str, *arguments: Any) -> str:
    """The address of a contract that somebody else has deployed."""
    data = "0x" + bytes(getattr(project, contract)(*arguments).data).hex()
    sender = ask(url, "eth_accounts")[1]
    hash = ask(url, "eth_sendTransaction", {"from": sender, "data": data, "gas": hex(5_000_000)})
    return to_checksum_address(receipt_of(url, hash)["contractAddress"])


def receipt_of(url: str, hash: str) -> Any:
    """Anvil may have it a moment later."""
    while (receipt := ask(url, "eth_getTransactionReceipt", hash)) is None:
        time.sleep(0.01)
    return receipt


def plan_text(chain_id: int, token: str, feed: str, sequencer: str | None = None) -> str:
    """The example of the documentation, with addresses that are there."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in (
        ("chain_id = 11155111", f"chain_id = {chain_id}"),
        ("0x0000000000000000000000000000000000001001", token),
        ("0x0000000000000000000000000000000000003002", feed),
    ):
        assert old in text
        text = text.replace(old, new)
    if sequencer is not None:
        text = re.sub(r"# (\[sequencer\]|feed = |grace = )", r"\1", text)
        text = text.replace("0x0000000000000000000000000000000000003001", sequencer)
    if GUARDED:
        text = text.replace("# guardian = ", "guardian = ")
    return text


@dataclass
class World:
    """One chain, its plan, and where its record goes."""

    chain_id: int
    url: str
    folder: Path

    @classmethod
    def make(cls, chain_id: int, url: str, folder: Path) -> World:
        """With a token and feeds; the layer 2 chain has a sequencer's, too."""
        folder.mkdir()
        token, feed = create(url, "MockUSDC"), create(url, "MockAggregator", 8, 2000 * 10**8)
        sequencer = create(url, "MockAggregator", 0, 0) if chain_id == BASE_SEPOLIA else None
        ask(url, "anvil_setBalance", DEPLOYER.address, hex(10**20))
        world = cls(chain_id, url, folder)
        world.plan.write_text(plan_text(chain_id, token, feed, sequencer))
        world._make_account()
        return world

    @property
    def plan(self) -> Path:
        """The plan's file."""
        return self.folder / "plan.toml"

    @property
    def record(self) -> Path:
        """The record's file."""
        return self.folder / f"{self.chain_id}.json"

    @property
    def journal(self) -> Path:
        """What is there while a deployment is unfinished."""
        return self.folder / f"{self.chain_id}.partial.json"

    def _make_account(self) -> None:
        """Ape's data folder, with an account of its own."""
        data, real = self.folder / "ape", Path(os.environ["APE_DATA_FOLDER"])
        (data / "accounts").mkdir(parents=True)
        for entry in real.iterdir():
            if entry.name not in ("accounts", "processes") and not (data / entry.name).exists():
                (data / entry.name).symlink_to(entry)
        keystore = Account.encrypt(DEPLOYER.key, PASSPHRASE, kdf="pbkdf2", iterations=1)
        (data / "accounts" / f"{ALIAS}.json").write_text(json.dumps(keystore))

    def deploy(self, *options: str, killed_at: int | None = None) -> subprocess.CompletedProcess[str]:
        """`ape run deploy`, killed at the given write of its journal."""
        arguments = ["deploy", *self._network(), "--account", ALIAS, "--plan", str(self.plan)]
        return self.run(*arguments, "-o", str(self.record), "--yes", *options, killed_at=killed_at)

    def verify(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`ape run verify`."""
        return self.run("verify", *self._network(), "--deployment", str(self.record), *options, **environment)

    def _network(self) -> list[str]:
        return ["--network", NETWORKS[self.chain_id]]

    def run(self, *words: str, killed_at: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """A script of ape's, in a process of its own."""
        known = {key: value for key, value in os.environ.items() if not key.startswith("ETHERSCAN")}
        return subprocess.run(
            [sys.executable, str(Path(__file__).with_name("child.py")), str(killed_at or 0), *words],
            cwd=ROOT,
            env=known
            | {
                "APE_DATA_FOLDER": str(self.folder / "ape"),
                f"APE_ACCOUNTS_{ALIAS}_PASSPHRASE": PASSPHRASE,
                VARIABLES[self.chain_id]: self.url,
                "PYTHONPATH": str(ROOT),
            }
            | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def sent(self) -> int:
        """How many transactions of the deployer were mined."""
        return int(ask(self.url, "eth_getTransactionCount", DEPLOYER.address, "latest"), 16)

    def as_somebody(self, sender: str, to: str, data: bytes) -> None:
        """A transaction of an account whose key nobody has."""
        ask(self.url, "anvil_impersonateAccount", sender)
        ask(self.url, "anvil_setBalance", sender, hex(10**20))
        request = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(2_000_000)}
        hash = ask(self.url, "eth_sendTransaction", request)
        assert receipt_of(self.url, hash)["status"] == "0x1"
