"""What the index says of a database that it cannot use."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstop.chain.deployment import Deployment
from backstop.errors import StoreError
from backstop.index.store import Store
from scripts.stage.venue import Venue


@pytest.fixture
def deployment(venue: Venue) -> Deployment:
    return venue.deployment


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://keeper:hunter2@127.0.0.1:1/x",
        "postgresql+psycopg://keeper@127.0.0.1:1/x?password=hunter2",
        "mysql://keeper@127.0.0.1:1/x?password=hunter2",
        "sqlite:////proc/none/x.sqlite?password=hunter2",
    ],
)
def test_no_secret_of_its_url_is_shown(url: str, deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        Store(url, deployment)
    assert "hunter2" not in str(refused.value)
    assert url.partition(":")[0].partition("+")[0] in str(refused.value)
