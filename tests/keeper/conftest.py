"""The worked case of docs/mathematics.md, played up to the gap: one account to take over, and then 35 % drawdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from scripts.stage.cases import CASES, Case
from scripts.stage.venue import TestMarket, Venue

pytest.register_assert_rewrite(f"{__package__}.command", f"{__package__}.sea")


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system of its own: nothing is due there but what these tests make so."""
    return Venue.open(owner)


@pytest.fixture(scope="module")
def case() -> Case:
    """The worked case."""
    return next(case for case in CASES if case.name == "worked-case")


@pytest.fixture(scope="module")
def gapped(venue: Venue, case: Case) -> TestMarket:
    """Its market, just after the gap."""
    market = venue.play(case)
    venue.set_price(market, case.gap)
    return market


@pytest.fixture(scope="module")
def operator(venue: Venue) -> LocalAccount:
    """Whose key the keeper signs with; it has gas money and a bond."""
    signer = venue.trader("operator")
    venue.post_bond(signer)
    # What it sends is counted from here.
    venue.endpoint.request("anvil_setNonce", signer.address, "0x0")
    return signer


@pytest.fixture
def deployment_file(venue: Venue, tmp_path: Path) -> Path:
    """Where the keeper finds the contracts."""
    file = tmp_path / "deployment.json"
    venue.deployment.save(file)
    return file
