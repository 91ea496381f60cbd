"""What the sequences of a session share: the deployment they start from, and the tally of what they did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from .compiler import compile_system
from .sequences import Ground, Outcome


@dataclass(slots=True)
class Tally:
    """What all sequences did together."""

    sequences: int = 0
    actions: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Counts a sequence."""
        self.sequences += 1
        self.actions += len(outcome.actions)
        self.counts += outcome.counts


@pytest.fixture(scope="session")
def ground() -> Ground:
    """The contracts as they are, on pyrevm."""
    return Ground(compile_system())


@pytest.fixture(scope="session")
def tally() -> Tally:
    """Of the sequences of this session."""
    return Tally()
