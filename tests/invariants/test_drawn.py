"""Hypothesis draws the actions, on Anvil: every invariant holds; and on contracts with a fault it finds a short way."""

from __future__ import annotations

import pytest

from .chain import PyrevmChain
from .compiler import Artefact, compile_system, compile_variants
from .drawn import ACTIONS, BUG, SHORT, WITHIN, Scene
from .on_anvil import running
from .seeded import BUGS
from .sequences import OPENING, report

EXAMPLES = 8


@pytest.fixture(scope="module")
def faulty() -> dict[str, Artefact]:
    """The contracts with the bug."""
    return compile_variants({BUG: BUGS[BUG].changes})[BUG]


def test_on_anvil_every_invariant_holds() -> None:
    with running() as (chain, _):
        sum_ = Scene(chain, compile_system()).play(EXAMPLES, ACTIONS)
    assert sum_.examples >= EXAMPLES
    assert sum_.actions >= EXAMPLES * OPENING
    for name in ("S1", "S2", "O1", "M1", "R1", "N1"):
        assert sum_.counts[name], f"{name} was never judged: {dict(sum_.counts)}"


def test_on_anvil_a_bug_is_found(faulty: dict[str, Artefact]) -> None:
    # Contracts with a bug are not optimized, and larger than a network allows.
    with running("--disable-code-size-limit") as (chain, _):
        outcome = Scene(chain, faulty).broken(WITHIN, ACTIONS, shrinks=False)
    assert outcome is not None
    assert outcome.broken >= BUGS[BUG].caught_by, report(outcome)


@pytest.mark.audit
def test_what_hypothesis_finds_it_makes_short(faulty: dict[str, Artefact]) -> None:
    pytest.importorskip(
        "pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take minutes"
    )
    outcome = Scene(PyrevmChain(), faulty).broken(WITHIN, ACTIONS, shrinks=True)
    assert outcome is not None
    assert len(outcome.actions) <= SHORT, report(outcome)
