"""What happens to a transaction on its way, told as it happens: to metrics, and to tests that pull the plug there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The steps, in the order in which one follows the other where nothing goes wrong; then those of faults."""

    PLANNED = "planned"  # the intent is in the journal
    SIGNED = "signed"  # there is a raw transaction, in memory only
    JOURNALLED = "journalled"  # it is in the journal, and nobody else has it
    BROADCAST = "broadcast"  # a node has it, and the journal does not know that yet
    WAITING = "waiting"  # the journal knows; no receipt was asked for
    MINED = "mined"
    FINAL = "final"
    FAILED = "failed"  # mined, and reverted
    REPLACED = "replaced"  # signed again for the same nonce, with higher fees
    PREEMPTED = "preempted"  # it gave way: the same nonce is another intent's now
    REBROADCAST = "rebroadcast"  # the same raw transaction, which no node knew
    REVOKED = "revoked"  # its block is not canonical any more
    DROPPED = "dropped"  # it will not be mined: plan anew
    LOST = "lost"  # the same, of one that was mined once
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an intent of the journal: its id and name, and the hash of the transaction where there is one."""

    kind: Kind
    intent: int
    name: str
    transaction: str | None = None
