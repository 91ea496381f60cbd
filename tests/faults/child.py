"""What a daemon's process runs: `config`, `key`, `log` and `killed_at` are handed over as globals."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from backstop.chain.keys import ENVIRONMENT
from backstop.cli import cli
from backstop.keeper import daemon
from backstop.telemetry import Telemetry
from backstop.transactions.steps import Step


def run(config: str, key: str, log: str, killed_at: str | None) -> None:
    """`backstop run`, with its log in a file."""
    with Path(log).open("a") as file, Path(os.devnull).open("w") as nothing:
        os.dup2(file.fileno(), 2)
        os.dup2(nothing.fileno(), 1)
    os.environ[ENVIRONMENT] = key
    if killed_at is not None:
        pull_the_plug_at(killed_at)
    cli.main(["run", "--send", "--json", "--config", config], prog_name="backstop")


def pull_the_plug_at(kind: str) -> None:
    """It dies by its own SIGKILL: no handler, no flush, no rollback."""

    def telling_steps(_: Telemetry) -> Callable[[Step], None]:
        def hear(step: Step) -> None:
            if step.kind == kind:
                os.kill(os.getpid(), signal.SIGKILL)

        return hear

    daemon.telling_steps = telling_steps


if __name__ == "__main__":
    run(globals()["config"], globals()["key"], globals()["log"], globals()["killed_at"])
