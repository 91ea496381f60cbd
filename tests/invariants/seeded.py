"""The seeded bugs of `bugs/`: one fault each in the contracts, and the invariants that it must break."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .compiler import Artefact, Replacement
from .sequences import Ground

SEQUENCES = 300  # within which a bug must be caught


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong, and the invariants that must all fail in one step; `seed` is of a sequence that may show it."""

    what: str
    seed: int
    caught_by: frozenset[str]
    changes: tuple[Replacement, ...]

    def missed(self, artefacts: dict[str, Artefact]) -> str:
        """Plays sequences on contracts with the bug until one catches it: empty then, else what they came to."""
        ground = Ground(artefacts)
        seen: Counter[str] = Counter()
        for seed in (self.seed, *range(SEQUENCES)):
            broken = ground.play(seed).broken
            if self.caught_by <= broken:
                return ""
            seen.update(broken)
        wanted = ", ".join(sorted(self.caught_by))
        return f"{self.what} Not caught by {wanted} in {SEQUENCES} sequences; others: {dict(seen)}"


def _load(file: Path) -> Bug:
    document = json.loads(file.read_text(encoding="utf-8"))
    changes = tuple(Replacement(**change) for change in document["changes"])
    return Bug(document["what"], document["seed"], frozenset(document["caughtBy"]), changes)


BUGS = {file.stem: _load(file) for file in sorted((Path(__file__).parent / "bugs").glob("*.json"))}
