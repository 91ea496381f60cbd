"""The plays of `halting` and `hostile`, and the seeded bugs of `halts/`: a fault each, and what it must break."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import halting, hostile
from .compiler import Artefact, Replacement
from .halting import Stage
from .hostile import HostileStage
from .steps import Violation

WITHIN = 60  # sequences in which a bug must be caught
PLAYS: dict[str, Callable[[Any, int], list[Violation]]] = {
    "end": halting.end,
    "pause": halting.pause,
    "hostile": hostile.hostile,
}
INVARIANTS = halting.INVARIANTS | hostile.INVARIANTS
# What of `Stage.counts` shows that the plays reach what they are about, and in one of how many of them at least.
SEEN = {
    "end": {
        "accounts settled": 2,
        "bankrupt accounts": 4,
        "rounds before settlement": 8,
        "bankrupt in another market": 8,
        "rounds due by another market": 60,
    },
    "pause": {"NewRiskPaused": 12, "new risk": 12, "both sides reduce": 12, "accepted": 12},
    "hostile": {"X2": 1, "calls back under the lock": 1, "orders of wallets": 4},
}


def stage_of(play: str, artefacts: dict[str, Artefact]) -> Stage:
    """What it is played on."""
    return HostileStage(artefacts) if play == "hostile" else Stage(artefacts)


@dataclass(frozen=True, slots=True)
class HaltingBug:
    """What is wrong, what is played on it, and the invariants that must all fail; `seed` may show it."""

    what: str
    play: str
    seed: int
    caught_by: frozenset[str]
    changes: tuple[Replacement, ...]

    def missed(self, artefacts: dict[str, Artefact]) -> str:
        """Plays on contracts with the bug until it is caught: empty then, else what they came to."""
        stage = stage_of(self.play, artefacts)
        seen: Counter[str] = Counter()
        for seed in (self.seed, *range(WITHIN)):
            broken = {violation.invariant for violation in PLAYS[self.play](stage, seed)}
            if self.caught_by <= broken:
                return ""
            seen.update(broken)
        wanted = ", ".join(sorted(self.caught_by))
        return f"{self.what} Not caught by {wanted} in {WITHIN} sequences; others: {dict(seen)}"


def never_seen(play: str, plays: int, counts: Counter[str]) -> list[str]:
    """What so many plays should have reached, and did not."""
    return [
        f"{name!r} was seen {counts[name]} times in {plays} plays"
        for name, one_in in SEEN[play].items()
        if counts[name] * one_in <= plays - one_in
    ]


def _load(file: Path) -> HaltingBug:
    document = json.loads(file.read_text(encoding="utf-8"))
    changes = tuple(Replacement(**change) for change in document["changes"])
    return HaltingBug(document["what"], document["play"], document["seed"], frozenset(document["caughtBy"]), changes)


BUGS = {file.stem: _load(file) for file in sorted((Path(__file__).parent / "halts").glob("*.json"))}
