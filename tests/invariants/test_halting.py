"""Sequences that are paused or end with a market closed; and the seeded bugs that show what each check is worth.

Those of sequences among enemies are here too.
"""

from __future__ import annotations

import pytest

from .compiler import Artefact, compile_system, compile_variants
from .halted import BUGS, INVARIANTS, PLAYS, never_seen
from .halting import Stage

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")

TIMES = {"end": 20, "pause": 12}  # `make audit` plays more, and shows all of the bugs
SAMPLE = 5


@pytest.mark.parametrize("play", list(TIMES))
def test_what_halts_leaves_nobody_worse_off(play: str) -> None:
    """Nobody gains by the order of settlement; a pause stops new risk and nothing else."""
    stage = Stage(compile_system())
    for seed in range(TIMES[play]):
        violations = PLAYS[play](stage, seed)
        assert not violations, f"seed {seed}: {violations}"
    assert not never_seen(play, TIMES[play], stage.counts)


# ---------------------------------------------------------------------- seeded bugs


@pytest.fixture(scope="module")
def variants(request: pytest.FixtureRequest) -> dict[str, dict[str, Artefact]]:
    """The contracts with each of the bugs, compiled together."""
    wanted = {item.callspec.params["name"] for item in request.session.items if item.name.startswith("test_bug_of")}
    return compile_variants({name: BUGS[name].changes for name in BUGS if name in wanted})


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.audit if place % SAMPLE else ()) for place, name in enumerate(BUGS)],
)
def test_bug_of_halting(name: str, variants: dict[str, dict[str, Artefact]]) -> None:
    if fault := BUGS[name].missed(variants[name]):
        pytest.fail(fault, pytrace=False)


def test_every_check_can_fail() -> None:
    assert frozenset().union(*(bug.caught_by for bug in BUGS.values())) == set(INVARIANTS)
