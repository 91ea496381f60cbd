"""What the chain says of what is open in a journal, and what its sender would do: looks only."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.chain.endpoint import Endpoint
from backstop.errors import RevertError
from backstop.transactions.journal import Intent, Journal
from backstop.transactions.lookup import find


@dataclass(frozen=True, slots=True)
class Prospect:
    """An intent: where it is found, and what `resume` would do with it."""

    intent: Intent
    found: str
    would: str


def look_ahead(endpoint: Endpoint, journal: Journal, intent: Intent) -> Prospect:
    """What would be done with an open or planned intent."""
    attempts = journal.attempts(intent.id)
    if not attempts:
        return Prospect(intent, "never signed", "give up")
    sighting = find(endpoint, attempts)
    if sighting.mined is not None:
        return Prospect(intent, f"mined in block {sighting.mined.block}", "note it")
    if sighting.is_doubtful:
        return Prospect(intent, "in a block that the node does not have", "wait")
    if endpoint.quantity("eth_getTransactionCount", intent.sender, "latest") > attempts[-1].nonce:
        return Prospect(intent, "its nonce went to another transaction", "give up")
    if endpoint.request("eth_getTransactionByHash", attempts[-1].hash) is not None:
        return Prospect(intent, "waits to be mined", "wait, with higher fees where it takes too long")
    if not attempts[-1].cancels and not _is_wanted(endpoint, intent):
        return Prospect(intent, "unknown to the node; the contracts would refuse it by now", "give up")
    return Prospect(intent, "unknown to the node", "send it again as it is")


def _is_wanted(endpoint: Endpoint, intent: Intent) -> bool:
    call = {"from": intent.sender, "to": intent.to, "data": "0x" + intent.data.hex()}
    try:
        endpoint.request("eth_estimateGas", call, "latest")
    except RevertError:
        return False
    return True
