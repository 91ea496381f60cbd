"""Every fault that the keeper is shown to survive, and within how many blocks of its end what was due is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

_Test = TypeVar("_Test", bound=Callable[..., None])


class Fault(NamedTuple):
    """`most`: blocks from the last one with the fault, or from the one that made something due, to the effect."""

    name: str
    passes_when: str
    most: int


FAULTS = (
    Fault("transaction dropped", "the same raw transaction is sent again", 1),
    Fault("underpriced replacement", "each replacement raises both fees by at least 12.5 %, within the cap", 1),
    Fault("reorganisation", "revoked, and the same transaction is mined again", 2),
    Fault("reorganisation of the cause", "revoked and given up; planned anew when it is due again", 1),
    Fault("gas spike", "replaced at the new base fee", 1),
    Fault("gas spike past the cap", "an error in the log; it lands when gas is cheaper", 1),
    Fault("gas spike past the budget", "the alarm budget_spent, and nothing is sent", 1),
    Fault("clock skew", "deadlines are counted in chain time", 3),
    Fault("chain halt", "the alarm chain_halt; what is due is done in order after it", 5),
    Fault("sent, response lost", "found by its hash, not signed again", 1),
    Fault("killed after planning", "the next process plans anew", 1),
    Fault("killed after signing", "the next process plans anew", 1),
    Fault("killed after journalling", "the next process sends what is in the journal", 1),
    Fault("killed after broadcast", "the next process finds it by its hash", 1),
    Fault("killed before the receipt", "the next process finds it by its hash", 1),
    Fault("node answers 429", "the next node is asked", 1),
    Fault("node answers 503", "the next node is asked", 1),
    Fault("node times out", "the next node is asked", 1),
    Fault("node answers garbage", "the next node is asked", 1),
    Fault("node answers half a batch", "the next node is asked for all of it", 1),
    Fault("lagging node", "it is not read from; alone, nothing is planned on its old block", 1),
    Fault("two keepers on one job", "one effect; the loser pays at most one revert", 1),
    Fault("counterparty moves in the same block", "it is skipped, and the next one takes its part", 1),
    Fault("feed stale", "the alarm stale_feed, and no transaction", 1),
    Fault("feed frozen", "the alarm stale_feed, and no transaction", 1),
    Fault("feed zero", "the alarm stale_feed, and no transaction", 1),
    Fault("out of gas money", "the alarm low_balance before it is empty, and while it still acts", 1),
    Fault("foreign transaction from the key", "given up, and planned anew with the next nonce", 2),
)

BOUNDS = {fault.name: fault.most for fault in FAULTS}
shown: set[str] = set()


def scenario(*names: str) -> Callable[[_Test], _Test]:
    """Names the faults that a test shows. Raises KeyError for one that the table does not have."""
    shown.update(name for name in names if BOUNDS[name])

    def note(test: Any) -> Any:
        test.scenarios = names
        return test

    return note
