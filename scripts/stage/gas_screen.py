"""The figures of the bench as tables, and which of them are held to a limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.stage.crowd import GAS
from scripts.stage.round_gas import CROWD, IN_ONE_CALL

SIZE_LIMIT = 24_576
_BLOCK = 30_000_000
_MARGINAL, _MARGINAL_CROSS, _CHALLENGE = 25_000, 60_000, 400_000
_PARTS = {
    "transaction": "base and calldata",
    "signatures": "recovering two signers",
    "storageReads": "reading storage",
    "storageWrites": "writing storage",
    "otherContracts": "the price feed",
    "events": "the event",
    "computation": "computation",
    "refunds": "refunds",
}
_DEARER = {
    "unordered": "listed in no order",
    "fundingDue": "each with funding to pay",
    "afterRound": "after another round of the hour",
    "afterHarsherRound": "after one that took twice as much for a contract",
}
_RING = {
    "touchInBucket": "a sample in a known bucket",
    "touchOpensBucket": "a sample that opens a bucket",
    "maximum": "the maximum of eight hours",
}
# Published by others of their own contracts; nothing here measures them.
PUBLISHED = {
    "dYdX v3: one counterparty": 138_500,
    "dYdX v3: marginal, through a wrapper that batches": 66_900,
    "GMX v2: one position": 2_660_000,
}


@dataclass(frozen=True)
class Figure:
    """A line of the table; `limit` is the most that it may be."""

    label: str
    used: int
    limit: int | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it is above its limit."""
        return self.limit is not None and self.used > self.limit


def figures(gas: dict[str, Any]) -> list[Figure]:
    """All that was measured, in the order of the table."""
    return [*_trading(gas), *_isolated(gas), *_cross(gas), *_challenges(gas), *_others(gas)]


def _trading(gas: dict[str, Any]) -> Iterator[Figure]:
    yield Figure("settle", gas["settle"])
    for part, used in gas["settleParts"].items():
        yield Figure(f"  of it {_PARTS[part]}", used)
    yield Figure("liquidate", gas["liquidate"])
    yield Figure("takeOver", gas["takeOver"])


def _isolated(gas: dict[str, Any]) -> Iterator[Figure]:
    for size, used in gas["deleverage"].items():
        yield Figure(f"deleverage, {size} isolated", used)
    yield Figure("  marginal at 100: (100 - 10) / 90", gas["marginal"]["100"], _MARGINAL)
    yield Figure("  marginal at 500: (500 - 100) / 400", gas["marginal"]["500"], _MARGINAL)
    yield Figure("  marginal: (500 - 10) / 490", gas["marginalFrom10To500"], _MARGINAL)
    for name, used in gas["dearer"].items():
        yield Figure(f"  marginal at 100, {_DEARER[name]}", used)
    thousand = gas["thousand"]
    yield Figure(f"deleverage, {CROWD:,} isolated, {IN_ONE_CALL} to a call: calls", thousand["calls"])
    yield Figure("  the largest call", thousand["largest"], GAS)
    yield Figure("  all of them", thousand["total"], _BLOCK)


def _cross(gas: dict[str, Any]) -> Iterator[Figure]:
    for size, used in gas["deleverageCross"].items():
        yield Figure(f"deleverage, {size} cross, in 4 markets each", used)
    yield Figure("  marginal: (60 - 20) / 40", gas["marginalCross"], _MARGINAL_CROSS)
    for name, used in gas["dearerCross"].items():
        yield Figure(f"  marginal, {_DEARER[name]}", used)


def _challenges(gas: dict[str, Any]) -> Iterator[Figure]:
    yield Figure("challenge, isolated, touched since", gas["challenge"], _CHALLENGE)
    yield Figure("challenge, cross of 16 legs, all traded since", gas["challengeCross"], _CHALLENGE)


def _others(gas: dict[str, Any]) -> Iterator[Figure]:
    for name, label in _RING.items():
        yield Figure(label, gas["ring"][name])
    yield Figure("floor of a counterparty: two cold slots, an event", gas["floor"])


def show(found: list[Figure], sizes: dict[str, int]) -> None:
    """What was measured here, what others have published, and the contracts' sizes."""
    console = Console(highlight=False)
    table = Table("Gas", title="Gas, from receipts on Anvil", title_justify="left")
    for heading in ("Used", "Limit"):
        table.add_column(heading, justify="right")
    for figure in found:
        limit = "" if figure.limit is None else f"{figure.limit:,}" + (" missed" if figure.is_missed else "")
        table.add_row(figure.label, f"{figure.used:,}", limit)
    console.print(table)
    table = Table("Published by others", title="Not measured here", title_justify="left")
    table.add_column("Gas", justify="right")
    for label, used in PUBLISHED.items():
        table.add_row(label, f"{used:,}")
    console.print(table)
    table = Table("Contract", title="Runtime bytecode", title_justify="left")
    for heading in ("Bytes", "Room"):
        table.add_column(heading, justify="right")
    for name, size in sizes.items():
        table.add_row(name, f"{size:,}", f"{SIZE_LIMIT - size:,}")
    console.print(table)
