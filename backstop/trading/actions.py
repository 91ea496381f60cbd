"""Transactions of a trader: simulated in a dry run, sent one after the other otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backstop.chain.transactions import Receipt, Sender
from backstop.errors import BackstopError, RevertError, TransactionError
from backstop.trading.refusals import explained


@dataclass(frozen=True, slots=True)
class Step:
    """A call to send; `gas` is given where an estimate would say too little."""

    name: str
    to: str
    data: bytes
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was sent (`receipt`), or simulated: `gas` is None where it cannot be before those ahead of it."""

    step: Step
    receipt: Receipt | None
    gas: int | None


def take(sender: Sender, steps: Sequence[Step], *, send: bool) -> list[Taken]:
    """Sends all steps, or simulates the first. Raises RevertError with a sentence where the contracts refuse one."""
    taken: list[Taken] = []
    for step in steps:
        try:
            if send:
                receipt = sender.send(step.to, step.data, step.gas)
                taken.append(Taken(step, receipt, receipt.gas_used))
            else:
                gas = (step.gas or sender.simulate(step.to, step.data)) if not taken else None
                taken.append(Taken(step, None, gas))
        except RevertError as refusal:
            raise RevertError(f"{explained(refusal)}{_standing(taken)}") from None
        except BackstopError as fault:
            if taken and send:
                raise TransactionError(f"{fault}{_standing(taken)}") from None
            raise
    return taken


def _standing(taken: Sequence[Taken]) -> str:
    """What has happened all the same."""
    sent = [f"{one.step.name} ({one.receipt.transaction})" for one in taken if one.receipt]
    return f"; {', '.join(sent)} was sent and stands" if sent else ""


def taken_documents(taken: Sequence[Taken]) -> list[dict[str, Any]]:
    """The steps as JSON: gas used or estimated, block and transaction `null` where nothing was sent."""
    return [
        {
            "call": one.step.name,
            "transaction": one.receipt.transaction if one.receipt else None,
            "block": one.receipt.block if one.receipt else None,
            "gas": one.gas,
        }
        for one in taken
    ]
