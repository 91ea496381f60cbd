"""Fixtures of the tests that run on a chain: one deployment a session, undone to the same state before each test."""

from __future__ import annotations

import os
import tempfile
from decimal import Decimal
from typing import Any

import pytest
from ape import accounts
from hypothesis import settings

from backstop.chain.keys import ENVIRONMENT
from backstop.commands.options import DEPLOYMENT_VARIABLE, RPC_VARIABLE
from backstop.commands.sending_options import JOURNAL_VARIABLE, SIGNER_VARIABLE
from scripts.stage.venue import TestMarket, Venue
from tests.support import quick_ape

# What a developer's shell says of another chain is not what is tested.
for _variable in (ENVIRONMENT, RPC_VARIABLE, DEPLOYMENT_VARIABLE, JOURNAL_VARIABLE, SIGNER_VARIABLE, "BACKSTOP_CONFIG"):
    os.environ.pop(_variable, None)

# Nor does a test write to a developer's home.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="backstop-state-")

quick_ape.install()

# How long an example takes depends on what else the machine does.
settings.register_profile("unhurried", parent=settings(), deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def owner() -> Any:
    """Deploys and owns the contracts; trades nothing."""
    return accounts.test_accounts[0]


@pytest.fixture(scope="session")
def keeper() -> Any:
    """Anybody who calls what anybody may call."""
    return accounts.test_accounts[1]


@pytest.fixture(scope="session")
def stranger() -> Any:
    """Somebody with no role."""
    return accounts.test_accounts[2]


@pytest.fixture(scope="session")
def venue(owner: Any) -> Venue:
    """The deployed system."""
    return Venue.open(owner)


@pytest.fixture(scope="session")
def market(venue: Venue) -> TestMarket:
    """A market at 100, 10x, mmf 5 %, in a pool of its own that is empty."""
    return venue.list_market("ETH-USD", "eth", Decimal(100))
