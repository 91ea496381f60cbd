"""One sea for all scenarios, undone before each, and their results, which the session leaves in build/faults.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.stage.venue import Venue
from tests.faults.daemon import load_modules
from tests.faults.scene import Scene
from tests.faults.table import BOUNDS
from tests.keeper.sea import Sea

RESULTS = Path(__file__).parents[2] / "build" / "faults.json"
Shows = Callable[..., None]


@pytest.fixture(scope="session")
def high_sea(owner: Any, tmp_path_factory: pytest.TempPathFactory) -> Sea:
    """A market in a system of its own, before anything has sunk."""
    load_modules()
    return Sea(Venue.open(owner), tmp_path_factory.mktemp("sea"))


@pytest.fixture
def scene(high_sea: Sea, tmp_path: Path) -> Iterator[Scene]:
    """The sea, and nobody left in it afterwards."""
    one = Scene(high_sea, tmp_path)
    yield one
    one.close()


@pytest.fixture(scope="session")
def results() -> Iterator[dict[str, dict[str, Any]]]:
    """What was measured, by scenario."""
    found: dict[str, dict[str, Any]] = {}
    yield found
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(list(found.values()), indent=2) + "\n")


@pytest.fixture
def shows(request: pytest.FixtureRequest, results: dict[str, dict[str, Any]]) -> Iterator[Shows]:
    """Asserts and notes what a scenario of the test has shown: how many effects, and blocks to recover."""
    noted = []

    def note(scenario: str, *, effects: int, blocks: int) -> None:
        assert scenario in request.function.scenarios
        assert effects == 1
        assert 0 <= blocks <= BOUNDS[scenario]
        noted.append(scenario)
        results[scenario] = {"scenario": scenario, "effects": effects, "blocks": blocks, "most": BOUNDS[scenario]}

    yield note
    assert len(noted) == 1
