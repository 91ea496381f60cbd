"""The journal as a table for people, and as JSON with everything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from backstop.render import make_console, print_whole
from backstop.transactions.fees import ether, gwei
from backstop.transactions.journal import Attempt, Intent

_WORDS = ("Call", "State", "Transaction", "Planned")
_HEADINGS = ("ID", "Call", "Planned", "Nonce", "State", "Signed", "Fee cap", "Tip", "Block", "Ether", "Transaction")

Row = tuple[Intent, Sequence[Attempt]]


def print_journal(rows: Sequence[Row]) -> None:
    """A line for each intent; fees in gwei, those of the newest attempt; times in UTC."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading in _WORDS else "right", no_wrap=True)
    for intent, attempts in rows:
        newest = attempts[-1] if attempts else None
        table.add_row(
            str(intent.id),
            intent.name or intent.to,
            _time(intent),
            _or_dash(intent.nonce),
            intent.state,
            str(len(attempts)),
            gwei(newest.max_fee) if newest else "-",
            gwei(newest.tip) if newest else "-",
            _or_dash(intent.mined_block),
            "-" if intent.cost is None else ether(intent.cost),
            intent.mined_hash or (newest.hash if newest else "-"),
        )
    console = make_console()
    print_whole(table, console)
    for intent, _ in rows:
        if intent.reason:
            console.print(f"{intent.id}: {intent.reason}", soft_wrap=True)


def intent_document(intent: Intent, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Everything of an intent but the raw transactions; wei as decimal strings."""
    return {
        "id": intent.id,
        "chainId": intent.chain_id,
        "from": intent.sender,
        "to": intent.to,
        "data": "0x" + intent.data.hex(),
        "name": intent.name,
        "nonce": intent.nonce,
        "state": intent.state,
        "reason": intent.reason or None,
        "planned": _time(intent),
        "transaction": intent.mined_hash,
        "block": intent.mined_block,
        "blockHash": intent.mined_block_hash,
        "cost": None if intent.cost is None else str(intent.cost),
        "attempts": [
            {
                "transaction": attempt.hash,
                "gas": attempt.gas,
                "maxFeePerGas": str(attempt.max_fee),
                "maxPriorityFeePerGas": str(attempt.tip),
                "cancels": attempt.cancels,
                "broadcast": attempt.broadcast_wall is not None,
            }
            for attempt in attempts
        ],
    }


def _time(intent: Intent) -> str:
    return datetime.fromtimestamp(intent.planned_wall, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
