"""A venue with two markets of one shared pool, with fees and funding, and one of a pool of its own without."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from scripts.stage.parameters import full_market
from scripts.stage.venue import TestMarket, Venue, rpc_url

from .shell import Shell

pytest.register_assert_rewrite(f"{__package__}.shell", "tests.keeper.command")


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system of its own."""
    return Venue.open(owner)


@pytest.fixture(scope="module")
def markets(venue: Venue) -> dict[str, TestMarket]:
    """ETH-USD at 100 and BTC-USD at 1,000 of the pool "majors"; SOL-USD at 50 of the pool "sol"; all 10x, mmf 5 %."""
    venue.list_market("SOL-USD", "sol", Decimal(50))
    pool = venue.create_pool("majors", shared=True)
    parameters = full_market(Decimal("0.1"), Decimal("0.05"), Decimal("0.01"))
    for name, price in (("ETH-USD", 100), ("BTC-USD", 1000)):
        venue.list_in_pool(name, pool, Decimal(price), parameters)
    return dict(venue.markets)


@pytest.fixture
def shell(venue: Venue, markets: dict[str, TestMarket], tmp_path: Path) -> Shell:
    """The command line of whoever trades here."""
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
