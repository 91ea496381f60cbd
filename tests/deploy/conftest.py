"""A plan for the chain of the tests, an order to deploy it as to a public network, and who deploys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ape import accounts, networks, project

from backstop.chain.endpoint import Endpoint
from backstop.deployment.plan import Plan, load_plan
from scripts.stage.deploying import Order
from scripts.stage.venue import rpc_url
from tests.deploy.world import plan_text


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint(rpc_url())


@pytest.fixture
def deployer() -> Any:
    """Somebody who has sent nothing yet."""
    return accounts.test_accounts[7]


@pytest.fixture
def plan(tmp_path: Path, owner: Any) -> Plan:
    token = owner.deploy(project.MockUSDC)
    feed = owner.deploy(project.MockAggregator, 8, 2000 * 10**8)
    file = tmp_path / "plan.toml"
    file.write_text(plan_text(networks.provider.chain_id, token.address, feed.address))
    return load_plan(file)


@pytest.fixture
def order(plan: Plan, tmp_path: Path) -> Order:
    return Order(plan=plan, governed=True, public=True, file=tmp_path / "31337.json")
