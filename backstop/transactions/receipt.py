"""What came of a transaction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction that succeeded; `logs` are (address in lowercase, topics, data), `cost` is in wei."""

    transaction: str
    block: int
    gas_used: int
    logs: tuple[tuple[str, list[bytes], bytes], ...]
    block_hash: str = ""
    cost: int = 0
