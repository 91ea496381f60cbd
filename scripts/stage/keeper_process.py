"""The keeper as the demo and the tests run it: `backstop run`, a process of its own with a key of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from eth_account.signers.local import LocalAccount

from backstop.chain.keys import ENVIRONMENT

_PATIENCE = 120  # seconds


class KeeperProcess:
    """A keeper that was left running. What it does comes in as JSON, a line an action."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.actions: list[dict[str, Any]] = []
        self._process = process
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        self._errors: list[str] = []
        for reader in self._readers:
            reader.start()

    def check(self) -> None:
        """Raises where the keeper has ended by itself."""
        if self._process.poll() is not None:
            raise click.ClickException(f"the keeper ended with {self._process.returncode}: {''.join(self._errors)}")

    def stop(self) -> None:
        """Asks it to end after what it is doing, and waits."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(_PATIENCE)
        for reader in self._readers:
            reader.join(_PATIENCE)
        if status != 0:
            raise click.ClickException(f"the keeper ended with status {status}: {''.join(self._errors)}")

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.actions.append(json.loads(line))

    def _read_errors(self) -> None:
        self._errors += list(self._process.stderr or ())


def keeper_command(rpc: str, deployment: Path, *options: str) -> list[str]:
    """The command line of a keeper that sends; samples in between would only add blocks to a case."""
    backstop = str(Path(sys.executable).with_name("backstop"))
    chain = ["--rpc", rpc, "--deployment", str(deployment)]
    return [backstop, "run", "--send", "--json", "--no-checkpoint", *chain, *options]


def keeper_environment(signer: LocalAccount) -> dict[str, str]:
    """The environment of a keeper that signs with this key."""
    return os.environ | {ENVIRONMENT: "0x" + bytes(signer.key).hex()}


def run_keeper_once(rpc: str, deployment: Path, signer: LocalAccount) -> list[dict[str, Any]]:
    """One cycle of a keeper; what it did, as it says itself."""
    done = subprocess.run(
        keeper_command(rpc, deployment, "--once"),
        env=keeper_environment(signer),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode != 0:
        raise click.ClickException(f"the keeper ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    actions: list[dict[str, Any]] = json.loads(done.stdout)
    return actions


@contextmanager
def running_keeper(rpc: str, deployment: Path, signer: LocalAccount, *options: str) -> Iterator[KeeperProcess]:
    """A keeper that goes on by itself, ended on the way out."""
    # A chain that is begun anew needs a new journal.
    with TemporaryDirectory() as state:
        process = subprocess.Popen(
            keeper_command(rpc, deployment, *options),
            env=keeper_environment(signer) | {"BACKSTOP_STATE_DIR": state},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        keeper = KeeperProcess(process)
        try:
            yield keeper
            keeper.stop()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(_PATIENCE)


def wait_until(done: Callable[[], bool], keeper: KeeperProcess) -> None:
    """Waits until `done()` holds, as long as the keeper is alive."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        keeper.check()
        if done():
            return
        time.sleep(0.1)
    raise click.ClickException(f"the keeper has not finished after {_PATIENCE} s")
