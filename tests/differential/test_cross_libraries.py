"""The libraries of funding and of cross accounts against their mirror: extreme numbers, equal to the wei."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from backstop.chain.endpoint import Endpoint
from scripts.stage.venue import rpc_url

from .cross_pairs import FUNDING, check_legs, check_orders_of_legs, check_shares
from .harness import Harness
from .pairs import Pair, check

CASES = 3000


@pytest.fixture(scope="module")
def cross(owner: Any) -> Harness:
    """A deployed `CrossHarness`."""
    return Harness(Endpoint(rpc_url()), owner.deploy(project.CrossHarness).address)


@pytest.mark.parametrize("pair", FUNDING, ids=lambda pair: pair.signature.split("(")[0])
def test_funding_library_equals_its_mirror(pair: Pair, cross: Harness) -> None:
    check(pair, cross, CASES)


def test_shares_of_equity_equal_their_mirror(cross: Harness) -> None:
    check_shares(cross, CASES // 2)


def test_bankruptcy_prices_are_the_same_in_every_order_of_the_legs(cross: Harness) -> None:
    check_orders_of_legs(cross, 60)


def test_legs_stay_ascending_whatever_comes_and_goes(cross: Harness) -> None:
    check_legs(cross, CASES)
