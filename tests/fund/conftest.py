"""A fund with every kind of pool: one of its own, one that two markets share, and a mutual group of two."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from scripts.stage.parameters import plain_market
from scripts.stage.venue import TestMarket, Venue, rpc_url
from tests.support.desk import Desk
from tests.trader.shell import Shell

pytest.register_assert_rewrite(f"{__package__}.scenes", "tests.keeper.command", "tests.trader.shell")


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system of its own."""
    return Venue.open(owner)


@pytest.fixture(scope="module")
def markets(venue: Venue) -> dict[str, TestMarket]:
    """All at 100, 100x: ETH-USD on its own, BTC-USD and SOL-USD of "majors", ADA-USD and DOT-USD of the group."""
    parameters = plain_market(Decimal("0.01"), Decimal("0.005"))
    majors = venue.create_pool("majors", shared=True)
    pools = {
        "ETH-USD": venue.create_pool("eth"),
        "BTC-USD": majors,
        "SOL-USD": majors,
        "ADA-USD": venue.create_pool("ada", mutual=True),
        "DOT-USD": venue.create_pool("dot", mutual=True),
    }
    for name, pool in pools.items():
        venue.list_in_pool(name, pool, Decimal(100), parameters)
    return dict(venue.markets)


@pytest.fixture
def desks(venue: Venue, markets: dict[str, TestMarket]) -> dict[str, Desk]:
    """The hands in each market."""
    return {name: Desk(venue, market) for name, market in markets.items()}


@pytest.fixture
def shell(venue: Venue, markets: dict[str, TestMarket], tmp_path: Path) -> Shell:
    """The command line."""
    file = tmp_path / "deployment.json"
    venue.deployment.save(file)
    return Shell(rpc_url(), file, tmp_path)


@pytest.fixture
def alice(venue: Venue) -> LocalAccount:
    """Somebody with a key and gas money."""
    return venue.trader("alice")


@pytest.fixture
def bob(venue: Venue) -> LocalAccount:
    """Another."""
    return venue.trader("bob")
