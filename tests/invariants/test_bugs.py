"""Seeded bugs: the same sequences, on contracts with one fault each, must fail by the invariant that is named."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import checks
from .compiler import Artefact, Replacement, compile_variants
from .sequences import Ground

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")

SEQUENCES = 300  # within which a bug must be caught


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong, and the invariants that must all fail in one step; `seed` is of a sequence that may show it."""

    what: str
    seed: int
    caught_by: frozenset[str]
    changes: tuple[Replacement, ...]


def _load(file: Path) -> Bug:
    document = json.loads(file.read_text(encoding="utf-8"))
    changes = tuple(Replacement(**change) for change in document["changes"])
    return Bug(document["what"], document["seed"], frozenset(document["caughtBy"]), changes)


BUGS = {file.stem: _load(file) for file in sorted((Path(__file__).parent / "bugs").glob("*.json"))}


@pytest.fixture(scope="module")
def variants(request: pytest.FixtureRequest) -> dict[str, dict[str, Artefact]]:
    """The contracts with each of the bugs that are asked for, compiled together."""
    wanted = {item.callspec.params["name"] for item in request.session.items if item.name.startswith("test_bug[")}
    return compile_variants({name: BUGS[name].changes for name in BUGS if name in wanted})


SAMPLE = 5  # of so many bugs one is shown by `make test`, all others by `make audit`


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.audit if place % SAMPLE else ()) for place, name in enumerate(BUGS)],
)
def test_bug(name: str, variants: dict[str, dict[str, Artefact]]) -> None:
    bug = BUGS[name]
    ground = Ground(variants[name])
    seen: Counter[str] = Counter()
    for seed in (bug.seed, *range(SEQUENCES)):
        broken = ground.play(seed).broken
        if bug.caught_by <= broken:
            return
        seen.update(broken)
    pytest.fail(f"{bug.what} Not caught by {set(bug.caught_by)} in {SEQUENCES} sequences; others: {dict(seen)}", False)


def test_every_invariant_can_fail() -> None:
    caught = frozenset().union(*(bug.caught_by for bug in BUGS.values()))
    named = re.findall(r"^([A-Z]\d)  ", checks.__doc__ or "", re.MULTILINE)
    assert caught >= set(named)
