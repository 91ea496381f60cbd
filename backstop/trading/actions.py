"""Transactions of a trader: simulated in a dry run, sent one after the other otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backstop.errors import BackstopError, RevertError, TransactionError
from backstop.trading.refusals import NO_NAMES, Names, explained
from backstop.transactions.receipt import Receipt
from backstop.transactions.sender import Sender


@dataclass(frozen=True, slots=True)
class Step:
    """A call to send; the gas limit is given where an estimate says too little, `names` are for the refusal of it."""

    name: str
    to: str
    data: bytes
    gas_limit: int | None = None
    names: Names = NO_NAMES


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was sent (`receipt`), or simulated; `gas` is what it used, or would.

    It is None where nobody can say: before the steps ahead of it are done, and where a limit is given instead.
    """

    step: Step
    receipt: Receipt | None
    gas: int | None


def take(sender: Sender, steps: Sequence[Step], *, send: bool) -> list[Taken]:
    """Sends all steps, or simulates the first.

    Raises RevertError with a sentence where the contracts refuse the first, and TransactionError for whatever goes
    wrong once something was sent: its text names that.
    """
    taken: list[Taken] = []
    for step in steps:
        try:
            if send:
                receipt = sender.send(step.to, step.data, step.gas_limit, name=step.name)
                taken.append(Taken(step, receipt, receipt.gas_used))
            else:
                is_estimated = step.gas_limit is None and not taken
                taken.append(Taken(step, None, sender.simulate(step.to, step.data) if is_estimated else None))
        except RevertError as refusal:
            reason = explained(refusal, step.names)
            if taken and send:
                raise TransactionError(f"{reason}{_standing(taken)}") from None
            raise reason from None
        except BackstopError as fault:
            if taken and send:
                raise TransactionError(f"{fault}{_standing(taken)}") from None
            raise
    return taken


def _standing(taken: Sequence[Taken]) -> str:
    """What has happened all the same."""
    sent = [f"{one.step.name} ({one.receipt.transaction})" for one in taken if one.receipt]
    return f"; {standing(sent)}" if sent else ""


def standing(mined: Sequence[str]) -> str:
    """That transactions were mined, in words."""
    return f"{', '.join(mined)} {'was sent and stands' if len(mined) == 1 else 'were sent and stand'}"


def taken_documents(taken: Sequence[Taken]) -> list[dict[str, Any]]:
    """The steps as JSON: gas used or estimated, the limit where one is set; `null` what is not known."""
    return [
        {
            "call": one.step.name,
            "transaction": one.receipt.transaction if one.receipt else None,
            "block": one.receipt.block if one.receipt else None,
            "gas": one.gas,
            "gasLimit": one.step.gas_limit,
        }
        for one in taken
    ]
