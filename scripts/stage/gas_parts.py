"""Where the gas of a transaction goes, read from the trace of the node that executed it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import click

from scripts.stage.venue import Venue

_BASE, _NONZERO_BYTE, _ZERO_BYTE = 21_000, 16, 4  # what a transaction costs before it executes (EIP-2028)
_CALLS = ("CALL", "STATICCALL", "DELEGATECALL")
_ECRECOVER = 1


def gas_parts(venue: Venue, transaction: str, gas_used: int) -> dict[str, int]:
    """Gas by what it was spent on; the parts sum to `gas_used`, refunds are negative.

    `transaction` is base and calldata; `signatures` recovers the signers; `otherContracts` is everything in contracts
    that the called one calls; `storageReads`, `storageWrites` and `events` are its own; `computation` is the rest.
    """
    mined = venue.endpoint.request("eth_getTransactionByHash", transaction)
    data = bytes.fromhex(mined["input"][2:])
    trace = venue.endpoint.request("debug_traceTransaction", transaction, {"disableStorage": True})
    parts = dict.fromkeys(
        (
            "transaction",
            "signatures",
            "storageReads",
            "storageWrites",
            "otherContracts",
            "events",
            "computation",
            "refunds",
        ),
        0,
    )
    parts["transaction"] = _BASE + sum(_NONZERO_BYTE if byte else _ZERO_BYTE for byte in data)
    # The steps of the called contract itself, each with the gas left before it: the next one tells what it cost.
    own = [step for step in trace["structLogs"] if step["depth"] == trace["structLogs"][0]["depth"]]
    for step, following in pairwise(own):
        parts[_part_of(step)] += step["gas"] - following["gas"]
    last = own[-1]
    parts[_part_of(last)] += last["gasCost"]
    executed = sum(parts.values())
    parts["refunds"] = gas_used - executed
    if parts["refunds"] > 0:
        raise click.ClickException(f"{transaction} used {gas_used} gas, its trace tells of {executed}: this is a bug")
    return parts


def _part_of(step: dict[str, Any]) -> str:
    operation = step["op"]
    if operation in _CALLS:
        to = int(step["stack"][-2], 16) % 2**160
        return "signatures" if to == _ECRECOVER else "otherContracts"
    if operation.startswith("LOG"):
        return "events"
    return {"SLOAD": "storageReads", "SSTORE": "storageWrites"}.get(operation, "computation")
