"""How the commands of the fund that send something do it, and tell of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from backstop.commands.options import show_steps

if TYPE_CHECKING:
    from backstop.chain.bindings import Event
    from backstop.commands.fund.reading import Reading
    from backstop.trading.actions import Step
    from backstop.transactions.receipt import Receipt
    from backstop.transactions.sender import Sender


def do(
    reading: Reading,
    sender: Sender,
    steps: Sequence[Step],
    document: dict[str, Any],
    told: Callable[[dict[str, Any]], Sequence[str]],
    outcome: Callable[[Receipt], dict[str, Any]] = lambda _: {},
    *,
    send: bool,
    as_json: bool,
) -> None:
    """Simulates or sends the steps; prints `document` as JSON, or `told` of it as lines.

    Where something was sent, `outcome` of the last receipt is what the contracts made of it, in the place of what the
    document foresaw.
    """
    from backstop.trading.actions import take, taken_documents

    with reading.words.explaining():
        taken = take(sender, steps, send=send)
    receipt = taken[-1].receipt
    document = {"action": steps[-1].name, "sent": send, **document, **(outcome(receipt) if receipt else {})}
    if as_json:
        click.echo(json.dumps(document | {"steps": taken_documents(taken)}, indent=2))
        return
    for line in told(document):
        click.echo(line)
    show_steps(taken)


def event_of(receipt: Receipt, event: Event, address: str) -> tuple[Any, ...] | None:
    """The values of the first event of a kind that an address emitted."""
    for emitter, topics, data in receipt.logs:
        if emitter == address.lower() and topics and topics[0] == event.topic:
            return event.decode(topics, data)
    return None
