"""A deployment that is stopped at every write of its journal, and what makes it refuse to go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ape import project

from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.deployment.journal import Journal, locked
from backstop.deployment.plan import Plan
from backstop.errors import DeployError, PlanError
from scripts.stage import deploying, runner, system
from scripts.stage.deploying import Order, deploy
from scripts.stage.own_chain import with_test_markets
from scripts.stage.venue import wad
from tests.deploy.stages import StoppedError, before_handover, run, run_stopped, stopping, with_plan, wrong


def test_stopped_at_every_write(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = endpoint.quantity("eth_getTransactionCount", deployer.address, "latest")
    stops = 0
    while True:
        with monkeypatch.context() as patch:
            stopping(patch, 1, before=False)
            try:
                run(order, deployer, endpoint)
            except StoppedError:
                stops += 1
                continue
        break
    record = json.loads(order.file.read_text())
    sent = endpoint.quantity("eth_getTransactionCount", deployer.address, "latest") - first
    # Two writes for each step: before it is sent, and when it was mined.
    assert sent == len(record["details"]["transactions"]) == stops / 2
    assert sent > 25
    assert not order.journal.exists()


def test_stopped_before_a_write_goes_on_with_the_same_nonce(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    """Mined, and not written down: found by its state."""
    (step,) = run_stopped(order, deployer, endpoint, at=2, before=True).values()
    assert not step["done"]
    assert endpoint.request("eth_getCode", step["address"], "latest") != "0x"
    made = run(order, deployer, endpoint)
    assert made.price_feed.address == step["address"]


def test_nonce_that_another_transaction_took(
    order: Order, deployer: Any, endpoint: Endpoint, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed, written down and never sent; then the account sent something else."""
    monkeypatch.setattr(runner, "SETTLED", 0.2)
    (step,) = run_stopped(order, deployer, endpoint, at=1).values()
    deployer.transfer(owner, 1)
    made = run(order, deployer, endpoint)
    assert made.price_feed.address != step["address"]
    assert Deployment.load(order.file).price_feed == made.price_feed.address


def test_transaction_that_is_not_mined_offers_more(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner.Runner.__init__, "__kwdefaults__", {"patience": 1.5, "replace_after": 0.3})
    endpoint.request("evm_setAutomine", False)
    try:
        with pytest.raises(DeployError, match=r"was not mined in 1.5 s; run the same command again"):
            run(order, deployer, endpoint)
    finally:
        endpoint.request("evm_setAutomine", True)
    (step,) = json.loads(order.journal.read_text())["steps"].values()
    assert len(step["transactions"]) > 1
    assert len({attempt["hash"] for attempt in step["transactions"]}) == len(step["transactions"])
    endpoint.request("evm_mine")
    made = run(order, deployer, endpoint)
    assert made.price_feed.address == step["address"]


def test_steps_that_were_taken_back_are_sent_again(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a reorganisation, or because they were tried on a fork: as they were signed, with the nonces they had."""
    monkeypatch.setattr(runner, "SETTLED", 0.2)
    before = endpoint.quantity("eth_getTransactionCount", deployer.address, "latest")
    state = endpoint.request("evm_snapshot")
    known = run_stopped(order, deployer, endpoint, at=12)
    assert [step["done"] for step in known.values()] == [True] * 6
    assert endpoint.request("evm_revert", state)
    assert endpoint.quantity("eth_getTransactionCount", deployer.address, "latest") == before
    run(order, deployer, endpoint)
    record = json.loads(order.file.read_text())
    assert {name: record[name] for name in known} == {name: step["address"] for name, step in known.items()}
    sent = record["details"]["transactions"]
    assert {name: sent[name] for name in known} == {
        name: step["transactions"][0]["hash"] for name, step in known.items()
    }
    assert endpoint.quantity("eth_getTransactionCount", deployer.address, "latest") - before == len(sent)


def test_steps_that_were_taken_back_and_whose_nonces_are_used_up(
    order: Order, deployer: Any, endpoint: Endpoint, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets the next nonce that is free, and what depends on its address is made anew."""
    monkeypatch.setattr(runner, "SETTLED", 0.2)
    state = endpoint.request("evm_snapshot")
    known = run_stopped(order, deployer, endpoint, at=12)
    assert endpoint.request("evm_revert", state)
    deployer.transfer(owner, 1)
    deployer.transfer(owner, 1)
    run(order, deployer, endpoint)
    record = json.loads(order.file.read_text())
    assert all(record[name] != step["address"] for name, step in known.items())
    assert wrong(order, endpoint) == []


def test_node_that_lags_is_waited_for(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is not taken for one that was taken back as long as a lag explains that it is not to be seen."""
    (step,) = run_stopped(order, deployer, endpoint, at=2).values()
    real, asked = Endpoint.request, 0

    def lagging(self: Any, method: str, *parameters: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked < 40 and method in ("eth_getCode", "eth_getTransactionReceipt"):
            return "0x" if method == "eth_getCode" else None
        return real(self, method, *parameters, **more)

    monkeypatch.setattr(Endpoint, "request", lagging)
    monkeypatch.setattr(deploying, "check_plan", lambda *_: None)
    told: list[str] = []
    made = deploying.deploy(order, deployer, endpoint, told.append)
    assert made.price_feed.address == step["address"]
    assert not any(line.startswith("price_feed") for line in told)
    assert asked > 40


def _another_plan(order: Order) -> Order:
    return replace(order, plan=order.plan.model_copy(update={"pools": [], "markets": []}))


@pytest.mark.parametrize("what", ["of another plan", "by another account", "of other contracts", "of another chain"])
def test_unfinished_deployment_of_something_else(
    what: str, order: Order, deployer: Any, endpoint: Endpoint, keeper: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_stopped(order, deployer, endpoint, at=6)
    before = (order.journal.read_bytes(), endpoint.quantity("eth_blockNumber"))
    if what == "of another plan":
        order = _another_plan(order)
    elif what == "by another account":
        deployer = keeper
    elif what == "of other contracts":
        monkeypatch.setattr(system, "code_hash", lambda: "0x" + "00" * 32)
    else:
        document = json.loads(before[0]) | {"genesis": "0x" + "00" * 32}
        order.journal.write_text(json.dumps(document))
        before = (order.journal.read_bytes(), before[1])
    with pytest.raises(DeployError, match=f"is an unfinished deployment {what}"):
        run(order, deployer, endpoint)
    assert (order.journal.read_bytes(), endpoint.quantity("eth_blockNumber")) == before


def test_journal_that_was_changed(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    order.journal.write_text('{"steps": {}}')
    with pytest.raises(DeployError, match="is no journal of a deployment"):
        run(order, deployer, endpoint)


@pytest.mark.parametrize(
    ("key", "value"),
    [("block", "7"), ("chain_id", None), ("nonce", "1"), ("nonce", -1), ("done", 1), ("hash", "zz"), ("raw", "0xzz")],
)
def test_journal_with_something_else_in_it(
    key: str, value: Any, order: Order, deployer: Any, endpoint: Endpoint
) -> None:
    run_stopped(order, deployer, endpoint, at=6)
    document = json.loads(order.journal.read_text())
    step = document["steps"]["solvency_module"]
    place = next(place for place in (document, step, step["transactions"][0]) if key in place)
    place[key] = value
    order.journal.write_text(json.dumps(document))
    with pytest.raises(DeployError, match=f"{order.journal} is no journal of a deployment"):
        run(order, deployer, endpoint)


def test_deployer_who_cannot_pay(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    """Told before anything is sent, asked or written, with what is needed at least."""
    deployer.balance = 10**15
    asked: list[bool] = []
    with pytest.raises(DeployError) as refused:
        deploy(order, deployer, endpoint, lambda _: None, lambda: asked.append(True))
    found = re.fullmatch(
        rf"{deployer.address} has 0\.001 ether, and the contracts alone take ([\d,]+) gas: ([\d.]+) ether .*",
        str(refused.value),
    )
    assert found is not None, refused.value
    least = int(found[1].replace(",", ""))
    assert not asked
    assert not order.journal.exists()

    deployer.balance = 10**20
    run(order, deployer, endpoint)
    used = sum(
        int(endpoint.request("eth_getTransactionReceipt", one)["gasUsed"], 16)
        for one in json.loads(order.file.read_text())["details"]["transactions"].values()
    )
    assert used * 3 // 4 < least < used


def test_who_does_not_agree_has_done_nothing(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    """And is asked only where the plan is one for this chain."""

    def refuse() -> None:
        raise KeyboardInterrupt

    before = endpoint.quantity("eth_blockNumber")
    with pytest.raises(KeyboardInterrupt):
        deploy(order, deployer, endpoint, lambda _: None, refuse)
    with pytest.raises(PlanError, match="the plan is for chain 5"):
        deploy(with_plan(order, lambda plan: plan.update(chain_id=5)), deployer, endpoint, lambda _: None, refuse)
    assert endpoint.quantity("eth_blockNumber") == before
    assert not order.file.exists()


@pytest.mark.parametrize("force", [False, True])
def test_record_that_would_be_no_file(force: bool, order: Order, deployer: Any, endpoint: Endpoint) -> None:
    order.file.mkdir()
    with pytest.raises(PlanError, match="is no file, and a record cannot be written there"):
        run(replace(order, force=force), deployer, endpoint)
    assert not order.journal.exists()


def test_two_at_once(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    with (
        locked(order.journal),
        pytest.raises(DeployError, match="another process is at this deployment"),
    ):
        run(order, deployer, endpoint)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan.update(chain_id=5), "the plan is for chain 5, the node serves chain 31337"),
        (lambda plan: plan.update(timelock=None), "timelock is missing"),
        (lambda plan: plan["timelock"].update(delay=172_799, shorter_than_exits=True), "at least 172800 s are needed"),
        (lambda plan: plan.update(collateral="0x" + "12" * 20), "is no token on this chain"),
        (lambda plan: plan["markets"][0].update(feed="0x" + "12" * 20), "is no feed on this chain"),
        (lambda plan: plan["markets"][0].update(highest_price="1999"), "outside of its lowest_price and highest_price"),
        (lambda plan: plan["markets"][0].update(heartbeat=1), r"was updated \d+ s ago, its heartbeat is 1 s"),
        (lambda plan: plan["markets"][0].update(feed=None, price="100"), "has a price set by hand"),
    ],
)
def test_plan_that_this_chain_cannot_have(
    change: Callable[[dict[str, Any]], None], said: str, order: Order, deployer: Any, endpoint: Endpoint
) -> None:
    endpoint.request("evm_increaseTime", 2)
    endpoint.request("evm_mine")
    before = endpoint.quantity("eth_blockNumber")
    with pytest.raises(PlanError, match=said):
        run(with_plan(order, change), deployer, endpoint)
    assert endpoint.quantity("eth_blockNumber") == before
    assert not order.journal.exists()


def test_second_run_while_the_first_ends(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process ends right before this one would read journal and record: it finds the record."""
    real, made = deploying.check_plan, []

    def slow(*arguments: Any) -> None:
        real(*arguments)
        if not made:
            made.append(None)
            made.append(run(order, deployer, endpoint))

    monkeypatch.setattr(deploying, "check_plan", slow)
    with pytest.raises(PlanError, match="is there already; move it away"):
        run(order, deployer, endpoint)
    assert json.loads(order.file.read_text())["exchange"] == made[1].exchange.address
    assert order.journal.with_suffix(".lock").exists()


def test_journal_is_read_under_the_lock(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever reads or removes it does so while no other run can write it."""
    seen = []
    for name in ("header_of", "_check_record", "_forget_ended_chain"):
        real = getattr(deploying, name)

        def held(*arguments: Any, real: Any = real, name: str = name) -> Any:
            with pytest.raises(DeployError, match="another process is at this deployment"), locked(order.journal):
                pass
            seen.append(name)
            return real(*arguments)

        monkeypatch.setattr(deploying, name, held)
    stopping(monkeypatch, 1, before=True)
    with pytest.raises(StoppedError):
        run(order, deployer, endpoint)
    assert seen == ["header_of", "_forget_ended_chain", "_check_record"]


@pytest.mark.parametrize("role", ["proposers", "executors", "cancellers"])
def test_deployer_in_a_role(role: str, order: Order, deployer: Any, endpoint: Endpoint) -> None:
    named = with_plan(order, lambda plan: plan["timelock"].update({role: [deployer.address]}))
    with pytest.raises(PlanError, match="it is to hold nothing afterwards"):
        run(named, deployer, endpoint)


def test_deployer_as_the_treasury(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    named = with_plan(order, lambda plan: plan["exchange"].update(treasury=deployer.address))
    with pytest.raises(PlanError, match=r"exchange\.treasury is the deployer, 0x\w+: it is to hold nothing"):
        run(named, deployer, endpoint)


def test_chain_that_is_not_as_planned_gets_no_record(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look finds what a step should have set and did not."""
    apply_plan = deploying.apply_plan

    def forgetful(run: Any, made: Any, plan: Plan) -> None:
        apply_plan(run, made, plan)
        made.exchange.setWarningRate(10**18, sender=deployer)

    monkeypatch.setattr(deploying, "apply_plan", forgetful)
    with pytest.raises(DeployError, match=r"not as planned: exchange: warning_rate: 1, the plan has 0\.8"):
        run(order, deployer, endpoint)
    assert not order.file.exists()


def test_what_the_deployer_announced_without_a_delay_is_found(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody who executes could carry it out when the deployer is long gone."""

    def announce(timelock: Any) -> None:
        timelock.schedule(deployer, 0, b"", bytes(32), bytes(32), 0, sender=deployer)

    before_handover(monkeypatch, announce)
    with pytest.raises(DeployError, match=r"announced: 0x[0-9a-f]{64} was announced before the hand-over"):
        run(order, deployer, endpoint)
    assert not order.file.exists()


def test_local_chain_may_have_a_timelock_and_prices_set_by_hand(
    plan: Plan, tmp_path: Path, deployer: Any, endpoint: Endpoint
) -> None:
    with_market = with_test_markets(plan, [("SOL-USD", Decimal("12.5"))])
    order = Order(plan=with_market, governed=True, public=False, file=tmp_path / "local.json")
    made = run(order, deployer, endpoint)
    timelock = json.loads(order.file.read_text())["details"]["timelock"]
    assert made.exchange.owner() == timelock["address"]
    feed = project.MockAggregator.at(made.price_feed.feedOf(2).aggregator)
    assert made.price_feed.markPrice(2) == wad("12.5")
    feed.setAnswer(13 * 10**8, sender=deployer)
    assert made.price_feed.markPrice(2) == wad(13)


def test_anvil_that_was_ended_is_forgotten(plan: Plan, tmp_path: Path, deployer: Any, endpoint: Endpoint) -> None:
    """On a local chain nobody can finish what an earlier Anvil has begun."""
    order = Order(plan=plan, governed=False, public=False, file=tmp_path / "local.json")
    header = system.header_of(endpoint, deployer, plan)
    header.genesis = "0x" + "00" * 32
    Journal(header, order.journal).write()
    made = run(order, deployer, endpoint)
    assert made.exchange.owner() == deployer.address
    assert json.loads(order.file.read_text())["details"]["timelock"] is None
