"""The table of faults in docs/operate.md tells the scenarios that there are, and the bounds that they are held to."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.faults import table

HERE = Path(__file__).parent
RUNBOOK = HERE.parents[1] / "docs" / "operate.md"


def rows() -> list[tuple[str, ...]]:
    """The cells of the table below the heading Faults."""
    section = RUNBOOK.read_text().split("\n## Faults\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def test_the_runbook_has_every_fault_with_its_bound() -> None:
    assert rows() == [(fault.name, fault.passes_when, str(fault.most)) for fault in table.FAULTS]


def test_every_fault_has_a_scenario() -> None:
    for name in ("test_transactions", "test_nodes", "test_market"):
        import_module(f"tests.faults.{name}")
    assert table.shown == set(table.BOUNDS)
