"""A market whose longs sink one after the other, and the keeper as a process that is left running beside it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from backstop.account_id import account_text, isolated_account
from backstop.chain.keys import ENVIRONMENT
from backstop.chain.snapshot import read_chain
from backstop.math.wad import WAD
from scripts.stage.venue import TestMarket, Venue

BACKSTOP = Path(sys.executable).parent / "backstop"
PATIENCE = 30.0  # seconds after which a test gives up; nothing waits that long when all is well
PRICES = {
    "liquidation": Decimal("94"),
    "first takeover": Decimal("92"),
    "takeover": Decimal("91"),
    "ADL": Decimal("60"),
}


class Keeper:
    """`backstop run` as a process, with its lines as they come."""

    def __init__(
        self, signer: LocalAccount, deployment: Path, url: str | None, *options: str, state: str = "state"
    ) -> None:
        command = [
            str(BACKSTOP),
            "run",
            *(["--rpc", url] if url else []),
            "--deployment",
            str(deployment),
            "--poll",
            "0.05",
            *options,
            "--no-checkpoint",
        ]
        self.process = subprocess.Popen(
            command,
            env=os.environ
            | {ENVIRONMENT: "0x" + bytes(signer.key).hex(), "BACKSTOP_STATE_DIR": str(deployment.parent / state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.out: queue.Queue[str] = queue.Queue()
        self.told: queue.Queue[str] = queue.Queue()
        self.log: list[dict[str, Any]] = []
        for target in (self._pump_out, self._pump_log):
            threading.Thread(target=target, daemon=True).start()

    def _pump_out(self) -> None:
        for line in self.process.stdout or ():
            self.out.put(line.rstrip("\n"))

    def _pump_log(self) -> None:
        for line in self.process.stderr or ():
            if line.startswith("{"):
                self.log.append(json.loads(line))
            if (word := spoken(line.rstrip("\n"))) is not None:
                self.told.put(word)

    def line(self) -> str:
        """The next line of its output."""
        return self.out.get(timeout=PATIENCE)

    def action(self) -> dict[str, Any]:
        """The next line, read as JSON."""
        document: dict[str, Any] = json.loads(self.line())
        return document

    def word(self) -> str:
        """The next line on stderr."""
        return self.told.get(timeout=PATIENCE)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def spoken(line: str) -> str | None:
    """A line of the log as an operator would say it; None for what is told of duties, nodes, pools and feeds."""
    if not line.startswith("{"):
        return line
    entry = json.loads(line)
    if entry["event"] == "watching":
        return f"watching {entry['node']}" + ("; a dry run, nothing is sent" if entry["dry_run"] else "")
    if set(entry) <= {"event", "level", "timestamp", "block"} and " " in entry["event"]:
        return f"{entry['level']}: {entry['event']}"
    return None


class Sea:
    """A market at 100 whose longs sink one after the other, and the keeper's funded account."""

    def __init__(self, venue: Venue, folder: Path) -> None:
        self.venue = venue
        self.market: TestMarket = venue.list_market("SEA-USD", "sea", Decimal(100))
        venue.contribute(venue.trader("sea donor"), self.market, 100)
        self.keeper = venue.trader("sea keeper")
        venue.post_bond(self.keeper)
        self.carrier = account_text(venue.deposit(self.keeper, self.market, 10_000))
        self.deployment = folder / "deployment.json"
        venue.deployment.save(self.deployment)
        bear = venue.trader("sea bear")
        venue.deposit(bear, self.market, 100_000)
        self.accounts: dict[str, str] = {"bear": account_text(isolated_account(bear.address, self.market.id))}
        # At 94 they have 40 and 50 of MM 47; at 92 20 and 30, and half of MM is 23; at 91 10 and 20, and it is 22.75.
        for name, margin in (("first", 100), ("second", 110)):
            trader = venue.trader(f"sea {name}")
            self.accounts[name] = account_text(venue.deposit(trader, self.market, margin))
            venue.trade(bear, trader, self.market, 10 * WAD, 100 * WAD)

    def set_price(self, price: Decimal) -> None:
        self.venue.set_price(self.market, price)

    def sizes(self) -> dict[str, int]:
        """Sizes of the accounts that hold something, by name."""
        names = {account: name for name, account in self.accounts.items()} | {self.carrier: "keeper"}
        accounts = read_chain(self.venue.endpoint, self.venue.deployment).snapshot.accounts
        return {names[one.id]: one.positions[0].size for one in accounts if one.id in names and one.positions}


def told(action: dict[str, Any], sea: Sea) -> tuple[str, str]:
    names = {account: name for name, account in sea.accounts.items()}
    return action["duty"], names[action["account"]] if "account" in action else action["plan"]["side"]


def wait_until(holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
