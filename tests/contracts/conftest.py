"""What the tests of the contracts share; after each of them the proofs must hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue
from tests.support.acting import rpc
from tests.support.desk import Desk
from tests.support.proofs import assert_proofs


@pytest.fixture(scope="module", autouse=True)
def clock(venue: Venue, market: TestMarket) -> Iterator[None]:
    """The chain's clock stands, from the beginning of an hour: it goes on only where a test says so.

    Otherwise auctions, funding and windows would depend on how fast the machine is.
    """
    venue.next_hour()
    rpc("anvil_setBlockTimestampInterval", 0)
    yield
    rpc("anvil_removeBlockTimestampInterval")


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The hands in the market that all tests know: at 100, 10x, mmf 5 %, an isolated pool that is empty.

    Modules that need more set out override it in the same scope: ape isolates fixtures of one name in one scope only.
    """
    return Desk(venue, market)


@pytest.fixture(autouse=True)
def proofs(venue: Venue, market: TestMarket, owner: Any, keeper: Any, stranger: Any) -> Iterator[None]:
    """Whatever a test did: tokens held equal claims, sizes sum to zero, open interest is the sum of the longs.

    It asks for all session fixtures, so that they are set up before the first module's state is saved.
    """
    yield
    assert_proofs(venue)
