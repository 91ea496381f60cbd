"""After a soak: what the chain has of each keeper's transactions, against what its journal says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from backstop.chain.bindings import LIQUIDATED, ROUND_EXECUTED, TAKEN_OVER
from backstop.chain.endpoint import Endpoint
from backstop.transactions.journal import Intent, State
from scripts.stage.daemon import Daemon

_EFFECTS = {"takeOver": TAKEN_OVER, "deleverage": ROUND_EXECUTED, "liquidate": LIQUIDATED}
_SUCCEEDED = (State.MINED, State.FINAL)
_ON_CHAIN = (*_SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass
class Audit:
    """`effects` are those of a keeper by duty, `states` its intents by state, `faults` all that does not agree."""

    effects: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    doubled: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)


def audit(node: Endpoint, daemon: Daemon, mined: dict[str, dict[str, Any]], since: int) -> Audit:
    """`mined` are the canonical transactions of its key by hash, from nonce `since` on."""
    found = Audit()
    own = {sent: one for sent, one in mined.items() if int(one["nonce"], 16) >= since}
    receipts = dict(
        zip(own, node.batch([("eth_getTransactionReceipt", [sent]) for sent in own]) if own else [], strict=True)
    )
    journal = daemon.journal()
    try:
        known: set[str] = set()
        for intent in journal.all():
            found.states[intent.state.value] += 1
            hashes = [attempt.hash for attempt in journal.attempts(intent.id)]
            known.update(hashes)
            _compare(found, intent, [sent for sent in hashes if sent in own], receipts)
    finally:
        journal.close()
    found.disagreements += [f"{sent} is on chain and not in the journal" for sent in own if sent not in known]
    return found


def _compare(found: Audit, intent: Intent, on_chain: list[str], receipts: dict[str, Any]) -> None:
    called = f"{intent.id} ({intent.name}, {intent.state})"
    if len(on_chain) > 1:
        found.doubled.append(f"{called} was mined {len(on_chain)} times: {', '.join(on_chain)}")
    if intent.is_open or intent.state is State.PLANNED:
        found.disagreements.append(f"{called} is still open")
    elif intent.state not in _ON_CHAIN:
        found.disagreements += [f"{called} is on chain: {sent}" for sent in on_chain]
    elif on_chain != [intent.mined_hash]:
        found.disagreements.append(f"{called} was mined as {intent.mined_hash}, the chain has {on_chain}")
    else:
        receipt = receipts[on_chain[0]]
        if (int(receipt["blockNumber"], 16), receipt["blockHash"]) != (intent.mined_block, intent.mined_block_hash):
            found.disagreements.append(f"{called} is in block {receipt['blockNumber']}, {receipt['blockHash']}")
        if (int(receipt["status"], 16) == 1) is (intent.state is State.FAILED):
            found.disagreements.append(f"{called} has status {receipt['status']} on chain")
        _count(found, intent, called, receipt)


def _count(found: Audit, intent: Intent, called: str, receipt: dict[str, Any]) -> None:
    """A duty that went through has its effect once in its receipt, and one that did not has none."""
    duty = intent.name.split(" ", 1)[0]
    event = _EFFECTS.get(duty)
    if event is None:
        return
    logs = [log for log in receipt["logs"] if log["topics"] and log["topics"][0] == "0x" + event.topic.hex()]
    subjects = Counter(tuple(log["topics"][1:3]) for log in logs)
    if intent.state in _SUCCEEDED:
        found.effects[duty] += 1
        if not logs or max(subjects.values()) > 1 or (duty != "takeOver" and len(logs) > 1):
            found.doubled.append(f"{called} has {len(logs)} effects")
    elif logs:
        found.doubled.append(f"{called} has an effect all the same")
