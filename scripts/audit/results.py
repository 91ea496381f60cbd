"""What the parts of the audit found: rows of one table, and what falls short."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

REPORT = Path("build") / "audit.json"


@dataclass(slots=True)
class Row:
    """A line of the table; `seeded` is of an invariant how many of its seeded bugs were caught, of how many."""

    what: str
    runs: int | None = None
    calls: int | None = None
    seeded: tuple[int, int] | None = None
    found: str = ""
    asked: str = ""
    holds: bool = True


@dataclass(slots=True)
class Part:
    """What one part found. `faults` say what falls short, one line or more each, `notes` what is to be known
    all the same; `figures` go into the report."""

    title: str
    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether something was looked at, and nothing falls short."""
        return bool(self.rows) and not self.faults and all(row.holds for row in self.rows)


def show(parts: dict[str, Part]) -> None:
    """The table, and then what falls short."""
    console = Console(width=118, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("", "left"), ("Runs", "right"), ("Calls", "right"), ("Seeded bugs", "right")):
        table.add_column(name, justify=justify, no_wrap=name != "")  # type: ignore[arg-type]
    table.add_column("Found", overflow="fold")
    table.add_column("Asked", overflow="fold")
    table.add_column("", no_wrap=True)
    for part in parts.values():
        table.add_row(f"[bold]{part.title}[/] ({part.seconds:.0f} s)", end_section=False)
        for row in _rows_of(part):
            table.add_row(*row)
        table.add_section()
    console.print(table)
    for part in parts.values():
        for note in part.notes:
            console.print(note, markup=False)
    for part in parts.values():
        for fault in part.faults:
            console.print(f"[red]{part.title}[/]:", end=" ")
            console.print(fault, markup=False)


def _rows_of(part: Part) -> list[tuple[str, ...]]:
    rows = []
    for row in part.rows:
        caught = "" if row.seeded is None else "{} of {} caught".format(*row.seeded)
        verdict = "[green]holds[/]" if row.holds else "[red]FAILS[/]"
        numbers = ("" if number is None else f"{number:,}" for number in (row.runs, row.calls))
        rows.append(("  " + row.what, *numbers, caught, row.found, row.asked, verdict))
    return rows


def write(parts: dict[str, Part], left_out: list[str]) -> None:
    """The report, as JSON; `leftOut` are parts that were not asked for."""
    document: dict[str, Any] = {"holds": all(part.holds for part in parts.values()), "leftOut": left_out}
    document["parts"] = {
        name: {
            "title": part.title,
            "holds": part.holds,
            "seconds": round(part.seconds, 1),
            "rows": [
                {
                    "what": row.what,
                    "runs": row.runs,
                    "calls": row.calls,
                    "seededBugs": None if row.seeded is None else {"caught": row.seeded[0], "of": row.seeded[1]},
                    "found": row.found,
                    "asked": row.asked,
                    "holds": row.holds,
                }
                for row in part.rows
            ],
            "faults": part.faults,
            "notes": part.notes,
            "figures": part.figures,
        }
        for name, part in parts.items()
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
