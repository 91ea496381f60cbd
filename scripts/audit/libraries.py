"""The libraries of the contracts against their exact mirrors in Python, ten thousand cases a function."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.differential.in_process import InProcess, checks, code_of

from .machine import CORES
from .results import Part, Row

CASES = 10_000

_harnesses: dict[str, InProcess] = {}


def run() -> Part:
    """A row for each harness's libraries."""
    part = Part("Libraries against their mirrors")
    asked = list(checks(CASES))
    with ProcessPoolExecutor(CORES, mp_context=get_context("fork")) as pool:
        faults = list(pool.map(_fault, range(len(asked))))
    groups: dict[str, list[int]] = {}
    for place, check in enumerate(asked):
        groups.setdefault(", ".join(sorted(check.libraries)), []).append(place)
    for libraries, places in groups.items():
        cases = sum(asked[place].cases for place in places)
        names = ", ".join(asked[place].name for place in places)
        names = names if len(names) <= 70 else f"{len(places)} functions and orders"
        holds = not any(faults[place] for place in places)
        part.rows.append(Row(libraries, len(places), cases, found=names, asked=f"{CASES:,} of each", holds=holds))
    part.faults = [f"{asked[place].name}: {fault}" for place, fault in enumerate(faults) if fault]
    part.figures = {check.name: check.cases for check in asked}
    return part


def _fault(place: int) -> str:
    """What is wrong with a check's answers; empty where nothing is."""
    check = list(checks(CASES))[place]
    if check.harness not in _harnesses:
        _harnesses[check.harness] = InProcess(code_of(check.harness))
    try:
        check.run(_harnesses[check.harness])
    except AssertionError as fault:
        return str(fault).partition("\n")[0] or "wrong"
    return ""
