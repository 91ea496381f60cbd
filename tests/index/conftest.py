"""A venue of the index's own, and databases: a SQLite file, and PostgreSQL where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.stage.venue import Venue
from tests.index.world import World
from tests.support.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system of its own."""
    return Venue.open(owner)


@pytest.fixture(scope="module")
def world(venue: Venue) -> World:
    """Markets and traders, some of which have positions."""
    return World.begin(venue)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file in a folder that is not there yet."""
    return f"sqlite:///{tmp_path}/kept/index.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
