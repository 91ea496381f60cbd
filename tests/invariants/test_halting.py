"""Sequences that are paused or end with a market closed; and the seeded bugs that show what each check is worth."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from . import halting
from .compiler import Artefact, Replacement, compile_system, compile_variants
from .halting import Stage
from .steps import Violation

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")

ENDINGS, PAUSES = 60, 12
WITHIN = 60  # sequences in which a bug must be caught
PLAYS: dict[str, Callable[[Stage, int], list[Violation]]] = {"end": halting.end, "pause": halting.pause}
BUGS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parent / "halts").glob("*.json"))
}


def test_nobody_gains_by_the_order_of_settlement() -> None:
    stage = Stage(compile_system())
    for seed in range(ENDINGS):
        violations = halting.end(stage, seed)
        assert not violations, f"seed {seed}: {violations}"
    # Otherwise nothing was shown.
    assert stage.counts["accounts settled"] > ENDINGS // 2
    assert stage.counts["bankrupt accounts"] > ENDINGS // 4
    assert stage.counts["rounds before settlement"] > ENDINGS // 8
    assert stage.counts["bankrupt in another market"] > ENDINGS // 8
    assert stage.counts["rounds due by another market"]


def test_a_pause_stops_new_risk_and_nothing_else() -> None:
    stage = Stage(compile_system())
    for seed in range(PAUSES):
        violations = halting.pause(stage, seed)
        assert not violations, f"seed {seed}: {violations}"
    for seen in ("NewRiskPaused", "new risk", "both sides reduce", "accepted"):
        assert stage.counts[seen], f"{seen} was never seen: {dict(stage.counts)}"


# ---------------------------------------------------------------------- seeded bugs


@pytest.fixture(scope="module")
def variants(request: pytest.FixtureRequest) -> dict[str, dict[str, Artefact]]:
    """The contracts with each of the bugs, compiled together."""
    wanted = {item.callspec.params["name"] for item in request.session.items if item.name.startswith("test_bug_of")}
    return compile_variants(
        {name: [Replacement(**change) for change in BUGS[name]["changes"]] for name in BUGS if name in wanted}
    )


@pytest.mark.parametrize("name", list(BUGS))
def test_bug_of_halting(name: str, variants: dict[str, dict[str, Artefact]]) -> None:
    bug, stage = BUGS[name], Stage(variants[name])
    for seed in (bug["seed"], *range(WITHIN)):
        if set(bug["caughtBy"]) <= {violation.invariant for violation in PLAYS[bug["play"]](stage, seed)}:
            return
    pytest.fail(f"{bug['what']} Not caught by {bug['caughtBy']} in {WITHIN} sequences")


def test_every_check_can_fail() -> None:
    named = set(re.findall(r"^([A-Z]\d)  ", halting.__doc__ or "", re.MULTILINE))
    assert {each for bug in BUGS.values() for each in bug["caughtBy"]} == named
