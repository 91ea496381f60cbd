"""A queue in which a round is due: who watches sees it before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.stage.venue import Venue, rpc_url
from tests.support.desk import Desk
from tests.support.omissions import open_queue
from tests.trader.shell import Shell

pytest.register_assert_rewrite("tests.keeper.command")


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system of its own."""
    return Venue.open(owner)


@pytest.fixture(scope="module")
def desk(venue: Venue) -> Desk:
    """The queue in which a round is due."""
    return open_queue(venue)


@pytest.fixture
def shell(desk: Desk, tmp_path: Path) -> Shell:
    """The command line of whoever watches."""
    file = tmp_path / "deployment.json"
    desk.venue.deployment.save(file)
    return Shell(rpc_url(), file, tmp_path)
