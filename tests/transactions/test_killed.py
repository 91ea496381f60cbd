"""SIGKILL between any two steps: the next process finds out what became of it, and there is exactly one effect."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from backstop.transactions.journal import Journal, State
from backstop.transactions.sender import Sender
from backstop.transactions.steps import Kind

from .chain import CHAIN_ID, COUNTER, KEY, Chain

CHILD = Path(__file__).with_name("child.py")
# What the journal holds right after the kill, and whether the chain has the effect already (blocks come at once).
POINTS = [
    (Kind.PLANNED, State.PLANNED, 0),
    (Kind.SIGNED, State.PLANNED, 0),
    (Kind.JOURNALLED, State.SIGNED, 0),
    (Kind.BROADCAST, State.SIGNED, 1),
    (Kind.WAITING, State.BROADCAST, 1),
    (Kind.MINED, State.MINED, 1),
]


def killed_at(kind: Kind, chain: Chain, journal: Path) -> None:
    """A process that has died there."""
    arguments = [chain.full_url, str(CHAIN_ID), KEY, COUNTER, str(journal), kind]
    done = subprocess.run(
        [sys.executable, str(CHILD), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(("kind", "left", "effects"), POINTS)
def test_there_is_one_effect_wherever_the_process_was_killed(
    kind: Kind, left: State, effects: int, chain: Chain, signer: LocalAccount, journal_file: Path
) -> None:
    killed_at(kind, chain, journal_file)
    (before,) = Journal(str(journal_file)).all()
    assert (before.state, chain.effects()) == (left, effects)

    # The keeper's way: recover, look at the chain, and do what is still due.
    sender = Sender(chain, signer, CHAIN_ID, timeout=20, journal=Journal(str(journal_file)))
    sender.resume()
    if chain.effects() == 0:
        sender.send(COUNTER, b"", name="count")
    assert chain.effects() == 1
    assert chain.quantity("eth_getTransactionCount", signer.address, "latest") == 1
    intents = Journal(str(journal_file)).all()
    dropped = [State.DROPPED] if left is State.PLANNED else []
    assert [intent.state for intent in intents] == [*dropped, State.MINED]
    # Nothing was signed twice: the transaction that is mined is the only one of its intent.
    (attempt,) = Journal(str(journal_file)).attempts(intents[-1].id)
    assert attempt.hash == intents[-1].mined_hash
    assert all(raw == "0x" + attempt.raw.hex() for raw in chain.raws)


@pytest.mark.parametrize("kind", [Kind.JOURNALLED, Kind.BROADCAST, Kind.WAITING])
def test_the_same_call_in_the_next_process_is_answered_with_what_was_sent(
    kind: Kind, chain: Chain, signer: LocalAccount, journal_file: Path
) -> None:
    """A caller that recovers nothing by itself is safe too."""
    killed_at(kind, chain, journal_file)
    receipt = Sender(chain, signer, CHAIN_ID, timeout=20, journal=Journal(str(journal_file))).send(COUNTER, b"")
    (intent,) = Journal(str(journal_file)).all()
    assert receipt.transaction == intent.mined_hash
    assert chain.effects() == 1
