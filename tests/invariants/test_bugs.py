"""Seeded bugs: the same sequences, on contracts with one fault each, must fail by the invariant that is named."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from .compiler import Artefact, Replacement, compile_variants
from .sequences import Ground

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")

SEQUENCES = 150  # within which a bug must be caught


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong, and the invariants that must all fail in one step."""

    what: str
    caught_by: frozenset[str]
    changes: tuple[Replacement, ...]


def _load(file: Path) -> Bug:
    document = json.loads(file.read_text(encoding="utf-8"))
    changes = tuple(Replacement(**change) for change in document["changes"])
    return Bug(document["what"], frozenset(document["caughtBy"]), changes)


BUGS = {file.stem: _load(file) for file in sorted((Path(__file__).parent / "bugs").glob("*.json"))}


@pytest.fixture(scope="module")
def variants(request: pytest.FixtureRequest) -> dict[str, dict[str, Artefact]]:
    """The contracts with each of the bugs that are asked for, compiled together."""
    wanted = {item.callspec.params["name"] for item in request.session.items if item.name.startswith("test_bug[")}
    return compile_variants({name: BUGS[name].changes for name in BUGS if name in wanted})


@pytest.mark.parametrize("name", BUGS)
def test_bug(name: str, variants: dict[str, dict[str, Artefact]]) -> None:
    bug = BUGS[name]
    ground = Ground(variants[name])
    seen: Counter[str] = Counter()
    for seed in range(SEQUENCES):
        broken = ground.play(seed).broken
        if bug.caught_by <= broken:
            return
        seen.update(broken)
    pytest.fail(f"{bug.what} Not caught by {set(bug.caught_by)} in {SEQUENCES} sequences; others: {dict(seen)}", False)


def test_every_invariant_can_fail() -> None:
    caught = frozenset().union(*(bug.caught_by for bug in BUGS.values()))
    assert caught >= {
        "S1",
        "S2",
        "O1",
        "A1",
        "A2",
        "A3",
        "A4",
        "A5",
        "A6",
        "A7",
        "B1",
        "B2",
        "C1",
        "G1",
        "K2",
        "R1",
        "M1",
    }
