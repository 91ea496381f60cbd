"""What nobody may be made to trust: a dishonest deployer's or record's ways past `deploy` and `verify`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ape import project

from backstop.chain.endpoint import Endpoint
from backstop.errors import DeployError
from scripts.stage import deploying, runner
from scripts.stage.deploying import Order
from tests.deploy.stages import StoppedError, run, stopping, wrong


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who deploys has left out the last look."""
    monkeypatch.setattr(deploying, "inspect", lambda *_: [])


def test_journal_that_names_another_contract_is_refused(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, keeper: Any
) -> None:
    """Of the same code, but for the price feed that it asks; whether somebody else's or an earlier one of one's own."""
    with monkeypatch.context() as patch:
        stopping(patch, 6, before=False)
        with pytest.raises(StoppedError):
            run(order, deployer, endpoint)
    journal = json.loads(order.journal.read_text())
    assert list(journal["steps"])[-1] == "solvency_module"
    rogue = keeper.deploy(
        project.SolvencyModule, order.plan.collateral, keeper.deploy(project.ChainlinkPriceFeed, keeper)
    )
    journal["steps"]["solvency_module"]["address"] = str(rogue.address)
    order.journal.write_text(json.dumps(journal))
    with pytest.raises(DeployError, match=r"solvency_module is at 0x\w+, which is not the address of its nonce"):
        run(order, deployer, endpoint)

    nonce = endpoint.quantity("eth_getTransactionCount", deployer.address, "latest")
    own = deployer.deploy(project.SolvencyModule, order.plan.collateral, keeper)
    journal["steps"]["solvency_module"] |= {"address": str(own.address), "nonce": nonce}
    order.journal.write_text(json.dumps(journal))
    made = run(order, deployer, endpoint)
    assert made.solvency_module.address not in (own.address, rogue.address)
    assert wrong(order, endpoint) == []


def test_other_immutables_are_found(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, keeper: Any, unseen: None
) -> None:
    """Modules that ask a feed of the deployer's own, which no getter tells and the record's own hashes hide."""
    feed = keeper.deploy(project.ChainlinkPriceFeed, keeper)
    real, rogues = runner.Runner.deploy, ("settlement_module", "solvency_module", "market_module", "pool_module")

    def sly(self: Any, key: str, container: Any, *arguments: Any) -> Any:
        if key in rogues:
            arguments = (arguments[0], feed, *arguments[2:])
        return real(self, key, container, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(runner.Runner, "deploy", sly)
        run(order, deployer, endpoint)
    found = wrong(order, endpoint)
    assert [one.split(":")[0] for one in found] == [f"fail code of {key}" for key in rogues]
    assert all("holds other immutables than its constructor writes" in one for one in found)
