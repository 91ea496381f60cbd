"""Long histories of the complete exchange, and honest keepers on two thousand books: the tests marked `audit`."""

from __future__ import annotations

from .pytests import Run
from .results import Part, Row

_RUNS = {
    "keepers": "tests/invariants/honest",
    "histories": "tests/differential",
}
_ROWS = {
    "honest keepers are never slashed, on 2,000 books": ("test_honest_keepers_can_never_be_slashed",),
    "contracts and Python agree over 500 actions": ("test_history",),
    "all that histories mean to reach is reached": ("test_everything_was_reached",),
}


def run() -> Part:
    """A row for each kind; both kinds run at once."""
    part = Part("Histories")
    running = [Run(f"audit-{name}", "-m", "audit", tests) for name, tests in _RUNS.items()]
    outcomes = [one.outcome() for one in running]
    part.faults = [fault for outcome in outcomes for fault in outcome.faults]
    for what, names in _ROWS.items():
        good, bad = (sum(counts) for counts in zip(*(outcome.of(*names) for outcome in outcomes), strict=True))
        part.rows.append(Row(what, good + bad, found=f"{good} of {good + bad} pass", holds=good > 0 and not bad))
    for names in _ROWS.values():
        part.faults += [f"no case of {name} was run" for name in names if not any(one.passed[name] for one in outcomes)]
    known = {name for names in _ROWS.values() for name in names}
    part.faults += [
        f"{name} is in no row of this part" for outcome in outcomes for name in outcome.passed if name not in known
    ]
    return part
