"""Where the gas of a transaction goes, read from a trace of it in the state that it was executed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from scripts.stage.venue import Venue

_BASE, _NONZERO_BYTE, _ZERO_BYTE = 21_000, 16, 4  # what a transaction costs before it executes (EIP-2028)
_ECRECOVER = 1


def gas_parts(venue: Venue, transaction: str, gas_used: int) -> dict[str, int]:
    """Gas by what it was spent on; the parts sum to `gas_used`, refunds are negative.

    `transaction` is base and calldata; `signatures` recovers the signers; `otherContracts` is everything in contracts
    that the called one calls; `storageReads`, `storageWrites` and `events` are its own and its modules';
    `computation` is the rest. It is traced as a call on the block before its own: of what it has mined Anvil keeps no
    steps, unless it keeps those of all.
    """
    mined = venue.endpoint.request("eth_getTransactionByHash", transaction)
    data = bytes.fromhex(mined["input"][2:])
    call = {"from": mined["from"], "to": mined["to"], "data": mined["input"], "gas": mined["gas"]}
    before = hex(int(mined["blockNumber"], 16) - 1)
    trace = venue.endpoint.request("debug_traceCall", call, before, {"disableStorage": True})
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
    for part, cost in _costs(trace["structLogs"]):
        parts[part] += cost
    executed = sum(parts.values())
    parts["refunds"] = gas_used - executed
    if parts["refunds"] > 0:
        raise click.ClickException(f"{transaction} used {gas_used} gas, its trace tells of {executed}: this is a bug")
    return parts


def _costs(steps: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Part and cost of every step; each step knows the gas left before it, so the next one of its frame tells its cost.

    A step that calls costs what is left when it is back, less what the called frame spent.
    """
    costs = [step["gasCost"] for step in steps]
    before: list[int] = []  # of each open frame, the step that is waiting to be followed
    own = [True]
    parts: list[str] = []
    for i, step in enumerate(steps):
        depth = step["depth"] - steps[0]["depth"] + 1
        while len(before) > depth:
            before.pop()
            own.pop()
        if len(before) == depth:
            waiting = before[-1]
            costs[waiting] = steps[waiting]["gas"] - step["gas"] - sum(costs[waiting + 1 : i])
            before[-1] = i
        else:
            if before:
                own.append(own[-1] and steps[before[-1]]["op"] == "DELEGATECALL")
            before.append(i)
        parts.append(_part_of(step) if own[-1] else "otherContracts")
    return zip(parts, costs, strict=True)


def _part_of(step: dict[str, Any]) -> str:
    operation = step["op"]
    if operation in ("CALL", "STATICCALL"):
        to = int(step["stack"][-2], 16) % 2**160
        return "signatures" if to == _ECRECOVER else "otherContracts"
    if operation.startswith("LOG"):
        return "events"
    return {"SLOAD": "storageReads", "SSTORE": "storageWrites"}.get(operation, "computation")
