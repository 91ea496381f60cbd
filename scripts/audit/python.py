"""Line and branch coverage of `backstop/` by the tests that run it, keepers in processes of their own among it."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

from coverage import Coverage

from .pytests import Run
from .results import Part, Row

LEAST = 95  # of a hundred lines, of the whole package; of each file what is missing is listed below it
DATA = Path("build") / "python"

# Two at once, each with an Anvil of its own, that take about as long as each other.
_RUNS = {
    "first": ("tests/adl", "tests/settings", "tests/keeper", "tests/index", "tests/telemetry", "tests/watch"),
    "second": (
        *("tests/transactions", "tests/trader", "tests/fund", "tests/stress", "tests/deploy", "tests/faults"),
        *("tests/ranking", "tests/policies"),
    ),
}


def run() -> Part:
    """A row for the tests, one for lines and one for branches."""
    part = Part("Coverage of the Python package")
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    data = (DATA / "data").absolute()  # keepers have folders of their own
    under = ("coverage", "run", f"--data-file={data}")
    running = [Run(f"python-{name}", *tests, under=under) for name, tests in _RUNS.items()]
    outcomes = [one.outcome() for one in running]
    part.faults = [fault for outcome in outcomes for fault in outcome.faults]
    good, bad = sum(one.passed.total() for one in outcomes), sum(one.failed.total() for one in outcomes)
    part.rows.append(Row("tests", good + bad, found=f"{good} of {good + bad} pass", holds=good > 0 and not bad))
    _measure(part, str(data))
    return part


def _measure(part: Part, data: str) -> None:
    measured = Coverage(data_file=data, config_file="pyproject.toml")  # whatever COVERAGE_RCFILE names
    measured.combine([str(DATA)])
    report = DATA / "coverage.json"
    measured.json_report(outfile=str(report), include=["backstop/*"])  # not the copies that tests make of it
    document = json.loads(report.read_text(encoding="utf-8"))
    totals = document["totals"]
    lines, reached = totals["num_statements"], totals["covered_lines"]
    holds = lines > 0 and 100 * reached >= LEAST * lines
    found = f"{_percent(reached, lines)} of {lines:,} lines"
    part.rows.append(Row("lines of backstop/", found=found, asked=f"{LEAST} %", holds=holds))
    branches = totals["num_branches"]
    found = f"{_percent(totals['covered_branches'], branches)} of {branches:,}"
    part.rows.append(Row("branches of backstop/", found=found, asked="for information"))
    for file, figures in sorted(document["files"].items()):
        missing, of_file = figures["missing_lines"], figures["summary"]["num_statements"]
        if 100 * len(missing) > (100 - LEAST) * of_file:
            share = _percent(of_file - len(missing), of_file)
            part.notes.append(f"{file}: {share} of {of_file} lines; not reached: {_spans(missing)}")
        part.figures[file] = _figures(figures["summary"], missing)
    part.figures["total"] = _figures(totals, [])


def _figures(summary: dict[str, Any], missing: list[int]) -> dict[str, Any]:
    return {
        "lines": summary["num_statements"],
        "linesReached": summary["covered_lines"],
        "branches": summary["num_branches"],
        "branchesReached": summary["covered_branches"],
        "missing": _spans(missing),
    }


def _percent(part: int, whole: int) -> str:
    """Down, so that nothing is said to reach what it does not."""
    return f"{part * 1000 // whole / 10:.1f} %" if whole else "none"


def _spans(lines: list[int]) -> str:
    """`3, 7-9`: runs of line numbers that are next to each other."""
    starts = [line for before, line in pairwise([-1, *lines]) if line != before + 1]
    ends = [line for line, after in pairwise([*lines, -1]) if after != line + 1]
    return ", ".join(str(start) if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True))
