"""A process that sends one call and is killed at a step: `python child.py URL CHAIN_ID KEY TO JOURNAL STEP`."""

from __future__ import annotations

import os
import signal
import sys

from eth_account import Account

from backstop.chain.endpoint import Endpoint
from backstop.transactions.journal import Journal
from backstop.transactions.sender import Sender
from backstop.transactions.steps import Step


def main() -> None:
    """Dies by its own SIGKILL: no handler, no flush, no rollback."""
    url, chain_id, key, to, journal, kind = sys.argv[1:]

    def pull_the_plug(step: Step) -> None:
        if step.kind == kind:
            os.kill(os.getpid(), signal.SIGKILL)

    sender = Sender(
        Endpoint(url),
        Account.from_key(key),
        int(chain_id),
        timeout=20,
        journal=Journal(journal),
        on_step=pull_the_plug,
    )
    sender.send(to, b"", name="count")


if __name__ == "__main__":
    main()
