"""`backstop run` as an operator leaves it running: settings from a file, journal and index in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import click
from eth_account.signers.local import LocalAccount

from backstop.chain.keys import ENVIRONMENT
from backstop.transactions.journal import Journal

_PATIENCE = 60  # seconds
PLENTY = '[fees]\nbudget_per_day = "90 ether"\n'  # for what is done far more often than in a day
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Daemon:
    """A keeper with a key, a node and a folder; it may be killed and begun anew, and finds its journal again."""

    def __init__(self, signer: LocalAccount, url: str, deployment: Path, folder: Path, settings: str = "") -> None:
        self.signer = signer
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "keeper.toml"
        self._config.write_text(
            f'deployment = "{deployment.absolute()}"\nstate_dir = "{folder.absolute()}"\n{settings}\n'
            f'[node]\nurls = ["{url}"]\ntimeout = 2\npoll = 0.05\n'
            '[log]\nformat = "json"\nlevel = "info"\n',
            encoding="utf-8",
        )
        self._log = folder / "keeper.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.memory: list[int] = []

    def start(self) -> None:
        """Begins it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("backstop")), "run", "--send", "--config", str(self._config)],
                env=os.environ | {ENVIRONMENT: "0x" + bytes(self.signer.key).hex()},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL: it ends where it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE)

    def stop(self) -> None:
        """Asks it to end, and waits. Raises where its status is not 0."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        if (status := self._process.wait(_PATIENCE)) != 0:
            raise click.ClickException(f"a keeper ended with status {status}: {self.last_words()}")

    def check(self) -> None:
        """Raises where it has ended by itself."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise click.ClickException(f"a keeper ended by itself with status {status}: {self.last_words()}")

    def weigh(self) -> None:
        """Notes the bytes that it holds resident."""
        if self._process is not None and self._process.poll() is None:
            fields = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()
            self.memory.append(int(fields[1]) * _PAGE)

    def growth(self) -> float:
        """What a sixth of the weighings at the end has more than those after a third of them, as a fraction."""
        part = max(len(self.memory) // 6, 1)
        begin, end = median(self.memory[2 * part : 3 * part]), median(self.memory[-part:])
        return end / begin - 1

    def events(self) -> list[dict[str, Any]]:
        """What it has logged; a line that a kill has cut short is left out."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])

    def journal(self) -> Journal:
        """Its journal, to be closed by whoever reads it."""
        return Journal(str(self.folder / "journal.sqlite"), create=False)
