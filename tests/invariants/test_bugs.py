"""Seeded bugs: the same sequences, on contracts with one fault each, must fail by the invariant that is named."""

from __future__ import annotations

import pytest

from . import checks
from .compiler import Artefact, compile_variants
from .seeded import BUGS

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")


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
    if fault := BUGS[name].missed(variants[name]):
        pytest.fail(fault, pytrace=False)


def test_every_invariant_can_fail() -> None:
    caught = frozenset().union(*(bug.caught_by for bug in BUGS.values()))
    assert caught == set(checks.INVARIANTS)
