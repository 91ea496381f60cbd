"""The deployment that every book starts from."""

from __future__ import annotations

import pytest

from tests.invariants.compiler import compile_system

from .world import Ground


@pytest.fixture(scope="session")
def honest_ground() -> Ground:
    """The contracts as they are, on pyrevm."""
    pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")
    return Ground(compile_system())
