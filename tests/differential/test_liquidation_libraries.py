"""The libraries of liquidation and the auction against their mirror: extreme numbers, equal to the wei."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from backstop.chain.endpoint import Endpoint
from scripts.stage.venue import rpc_url

from .harness import Harness
from .liquidation_pairs import LIQUIDATION
from .pairs import Pair, check

CASES = 4000


@pytest.fixture(scope="module")
def liquidations(owner: Any) -> Harness:
    """A deployed `LiquidationHarness`."""
    return Harness(Endpoint(rpc_url()), owner.deploy(project.LiquidationHarness).address)


@pytest.mark.parametrize("pair", LIQUIDATION, ids=lambda pair: pair.signature.split("(")[0])
def test_libraries(pair: Pair, liquidations: Harness) -> None:
    check(pair, liquidations, CASES)
