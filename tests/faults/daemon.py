"""`backstop run --config FILE` as a process that is quick to start: a fork of one that has its modules loaded."""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from backstop.transactions.steps import Kind

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["backstop.cli", "backstop.commands.run", "backstop.keeper.daemon", "web3"])

CHILD = Path(__file__).with_name("child.py")

Settings = dict[str, dict[str, Any]]


def load_modules() -> None:
    """Has the process that daemons are forks of load its modules, however long that takes."""
    first = _CONTEXT.Process(target=os.getpid)
    first.start()
    first.join()


class Daemon:
    """A keeper of one key with a state folder of its own; its log is what it has written so far.

    `killed_at`: the step of its first transaction at which it dies by SIGKILL.
    """

    def __init__(self, folder: Path, key: str, settings: Settings, killed_at: Kind | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self._log = folder / "log"
        self._log.write_text("")
        config = folder / "keeper.toml"
        config.write_text("\n".join(_toml(settings)))
        told = {"config": str(config), "key": key, "log": str(self._log), "killed_at": killed_at and killed_at.value}
        self.process: BaseProcess = _CONTEXT.Process(target=runpy.run_path, args=(str(CHILD), told, "__main__"))
        self.process.start()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines that are complete."""
        lines = self._log.read_text().split("\n")[:-1]
        return [json.loads(line) if line.startswith("{") else {"event": line} for line in lines]

    def said(self, event: str) -> list[dict[str, Any]]:
        """Lines of an event: those that begin with these words, or hold them."""
        return [one for one in self.log if event in one["event"]]

    def end(self, number: int = signal.SIGTERM) -> int | None:
        """Its status after a signal."""
        if self.process.is_alive() and self.process.pid is not None:
            os.kill(self.process.pid, number)
        return self.died()

    def died(self) -> int | None:
        """Its status, once it has ended by itself."""
        self.process.join(30)
        return self.process.exitcode


def _toml(settings: Settings) -> list[str]:
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings[""].items()]
    for table, values in settings.items():
        if table:
            lines += [f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    return lines
