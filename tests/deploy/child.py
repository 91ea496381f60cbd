"""`ape run` in a process that dies by its own SIGKILL at the nth write of the deployment's journal; 0 for never."""

from __future__ import annotations

import os
import signal
import sys

from ape._cli import cli

from backstop.deployment.journal import Journal

_write = Journal.write


def pull_the_plug_at(last: int) -> None:
    """Even writes are made first, odd ones are not: a kill right after one and right before one."""
    count = 0

    def write(journal: Journal) -> None:
        nonlocal count
        count += 1
        if count == last and last % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        _write(journal)
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.write = write  # type: ignore[method-assign]


if __name__ == "__main__":
    if int(sys.argv[1]):
        pull_the_plug_at(int(sys.argv[1]))
    cli(["run", *sys.argv[2:]])
