"""What nobody may be made to trust: a dishonest deployer's or record's ways past `deploy` and `verify`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ape import accounts, project

from backstop.chain.endpoint import Endpoint
from backstop.deployment.journal import Header, Journal
from backstop.errors import DeployError, RpcError
from backstop.preflight.findings import Finding
from scripts import verify
from scripts.stage import deploying, inspection, runner
from scripts.stage.deploying import Order
from tests.deploy.stages import before_handover, findings, run, run_stopped, with_plan, wrong


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who deploys has left out the last look."""
    monkeypatch.setattr(deploying, "inspect", lambda *_: [])


def make_administrator(timelock: Any, who: Any, deployer: Any) -> None:
    """While there is no delay."""
    data = timelock.grantRole.encode_input(timelock.DEFAULT_ADMIN_ROLE(), who.address)
    call = (timelock.address, 0, data, bytes(32), bytes(32))
    timelock.schedule(*call, 0, sender=deployer)
    timelock.execute(*call, sender=deployer)


def report_price(order: Order, who: Any) -> None:
    """The feed's next answer, after time has passed."""
    project.MockAggregator.at(order.plan.markets[0].feed).setAnswer(2000 * 10**8, sender=who)


def timelock_of(order: Order) -> Any:
    return project.BackstopTimelock.at(json.loads(order.file.read_text())["details"]["timelock"]["address"])


def test_journal_that_names_another_contract_is_refused(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, keeper: Any
) -> None:
    """Of the same code, but for the price feed that it asks; whether somebody else's or an earlier one of one's own."""
    run_stopped(order, deployer, endpoint, at=6)
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


def test_announced_with_the_delay_before_the_hand_over(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, keeper: Any
) -> None:
    """Days before, so that it is ripe at the hand-over, and anybody makes somebody an administrator a moment later."""
    order = with_plan(order, lambda plan: plan["timelock"].update(executors="anyone", proposers=[keeper.address]))
    call: list[Any] = []
    assert order.plan.timelock is not None
    delay = order.plan.timelock.delay

    def announce(timelock: Any) -> None:
        data = timelock.grantRole.encode_input(timelock.DEFAULT_ADMIN_ROLE(), keeper.address)
        call[:] = [timelock.address, 0, data, bytes(32), bytes(32)]
        timelock.schedule(*call, delay, sender=deployer)
        endpoint.request("evm_increaseTime", delay)
        endpoint.request("evm_mine")

    with monkeypatch.context() as patch:
        before_handover(patch, announce)
        with pytest.raises(
            DeployError, match=r"not as planned: announced: 0x\w{64} was announced before the hand-over"
        ):
            run(order, deployer, endpoint)
    assert not order.file.exists()
    report_price(order, keeper)
    with monkeypatch.context() as patch:
        patch.setattr(deploying, "inspect", lambda *_: [])
        run(order, deployer, endpoint)
    (found,) = wrong(order, endpoint)
    assert found.startswith("fail announced: ")

    # What governance announces is told, and no fault; also once it is ripe.
    timelock = timelock_of(order)
    timelock.execute(*call, sender=keeper)
    timelock.revokeRole(timelock.DEFAULT_ADMIN_ROLE(), keeper, sender=keeper)
    assert wrong(order, endpoint) == []
    timelock.schedule(keeper, 0, b"", bytes(32), bytes(32), delay, sender=keeper)
    since = endpoint.quantity("eth_blockNumber")
    for wait in (0, delay):
        endpoint.request("evm_increaseTime", wait)
        report_price(order, keeper)
        (found,) = wrong(order, endpoint)
        assert found.startswith("warn announced: 0x")
        assert f"waits since block {since}, " in found


def test_administrator_is_not_hidden(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, keeper: Any, unseen: None
) -> None:
    """Neither by a later block in the record, nor by a node without old events."""
    with monkeypatch.context() as patch:
        before_handover(patch, lambda timelock: make_administrator(timelock, keeper, deployer))
        run(order, deployer, endpoint)
    assert wrong(order, endpoint) == [f"fail admins: {keeper.address} can give roles without a delay"]

    document = json.loads(order.file.read_text())
    born = json.loads(order.file.read_text())["details"]["transactions"]["timelock"]
    block = int(endpoint.request("eth_getTransactionReceipt", born)["blockNumber"], 16)
    for later, said in (
        (block + 1, "the constructor's grant to the timelock itself since block"),
        (endpoint.quantity("eth_blockNumber"), "the constructor's grant to the timelock itself and "),
    ):
        order.file.write_text(json.dumps(document | {"block": later}))
        (first, *_) = (one for one in wrong(order, endpoint) if one.startswith("fail events: "))
        assert said in first

    order.file.write_text(json.dumps(document))
    real = Endpoint.request

    def pruned(self: Any, method: str, *parameters: Any, **more: Any) -> Any:
        return [] if method == "eth_getLogs" else real(self, method, *parameters, **more)

    monkeypatch.setattr(Endpoint, "request", pruned)
    said = "\n".join(wrong(order, endpoint))
    assert (
        "fail events: the node does not give the constructor's grant to the timelock itself and the hand-over" in said
    )
    assert "fail market ETH-USD: auctions: the node gives no event of theirs" in said


def test_another_grant_is_not_taken_for_the_constructors(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, keeper: Any, unseen: None
) -> None:
    """One who is administrator takes the role from the timelock and gives it back, and the record begins there."""

    def again(timelock: Any) -> None:
        make_administrator(timelock, keeper, deployer)
        role = timelock.DEFAULT_ADMIN_ROLE()
        timelock.revokeRole(role, timelock, sender=keeper)
        timelock.grantRole(role, timelock, sender=keeper)
        blocks.append(endpoint.quantity("eth_blockNumber"))

    blocks: list[int] = []
    with monkeypatch.context() as patch:
        before_handover(patch, again)
        run(order, deployer, endpoint)
    document = json.loads(order.file.read_text())
    order.file.write_text(json.dumps(document | {"block": blocks[0]}))
    assert any("fail events: the node does not give the constructor's grant" in one for one in wrong(order, endpoint))


def test_closed_market_is_a_warning(order: Order, deployer: Any, endpoint: Endpoint, keeper: Any) -> None:
    order = replace(order, governed=False, public=False)
    made = run(order, deployer, endpoint)
    assert wrong(order, endpoint) == []
    close = made.exchange.closeMarket
    (abi,) = [one for one in made.exchange.contract_type.mutable_methods if one.name == "closeMarket"]
    bounds = (0, 2**96 - 1)[: len(abi.inputs) - 1]
    close(1, *bounds, sender=deployer)
    ends = made.exchange.settlesAt(1)
    closed = f"warn market ETH-USD: closed: its positions are settled from {ends} on at 2000"
    assert wrong(order, endpoint) == [closed]
    assert any(one.name == "market ETH-USD: auctions" for one in findings(order, endpoint))
    made.fund.setAuctionParameters(1, 10**16, 900, sender=deployer)
    assert wrong(order, endpoint)[:2] == [closed, "warn market ETH-USD: auctions: premium: 0.01, the plan has 0.02"]


def test_closed_market_that_is_not_ended(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it is closed, and takes orders at the prices of a feed."""
    order = replace(order, governed=False, public=False)
    run(order, deployer, endpoint)

    class Pretending:
        """The exchange, but for that it says when it settles."""

        def __init__(self, exchange: Any) -> None:
            self._exchange = exchange

        def __getattr__(self, name: str) -> Any:
            return (lambda _: 5) if name == "settlesAt" else getattr(self._exchange, name)

    closed = inspection.look_at_markets

    def looked(subject: Any) -> Any:
        system = replace(subject.system, exchange=Pretending(subject.system.exchange))
        return closed(replace(subject, system=system))

    monkeypatch.setattr(inspection, "look_at_markets", looked)
    found = wrong(order, endpoint)
    ended = "price_band, stress_band, funding_cap, initial_margin_step, the band in force"
    assert found[0] == f"fail market ETH-USD: closed, and {ended} is not zero"
    assert found[1].startswith("fail market ETH-USD: feed: the market is closed, and its price not final")


def test_more_or_fewer_pools_and_markets_than_the_plan(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = replace(order, governed=False, public=False)
    run(order, deployer, endpoint)

    def as_of(pools: list[Any], markets: list[Any]) -> list[str]:
        plan = order.plan.model_copy(update={"pools": pools, "markets": markets})
        subject_of = verify.subject_of
        with monkeypatch.context() as patch:
            patch.setattr(verify, "subject_of", lambda *given: replace(subject_of(*given), plan=plan))
            return wrong(order, endpoint)

    (pool,), (market,) = order.plan.pools, order.plan.markets
    assert as_of([], []) == [f"warn pools: also {pool.name}", f"warn markets: also {market.name}"]
    another, other = pool.model_copy(update={"name": "second"}), market.model_copy(update={"name": "SOL-USD"})
    assert as_of([pool, another], [market, other]) == [
        "fail pool second: there are only 1 pools",
        "fail market SOL-USD: there are only 1 markets",
    ]


def test_delay_shorter_than_an_exit(
    order: Order, deployer: Any, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once governance has made a cooldown longer; and nothing where the plan says that it may be so."""
    order = replace(order, public=False)
    made = run(order, deployer, endpoint)
    assert wrong(order, endpoint) == []
    assert order.plan.timelock is not None
    delay = order.plan.timelock.delay
    timelock = accounts[timelock_of(order).address]
    timelock.balance = 10**18
    made.fund.setStaking(1, 2**96 - 1, delay + 1, sender=timelock)
    exits = f"warn exits: whoever leaves pool main waits {delay + 1} s, the delay is {delay} s: stakers cannot leave"
    assert any(one.startswith(exits) for one in wrong(order, endpoint))

    allowed = with_plan(
        replace(order, force=True),
        lambda plan: (plan["timelock"].update(shorter_than_exits=True), plan["pools"][0].update(cooldown=delay + 1)),
    )
    run(allowed, deployer, endpoint)
    assert wrong(allowed, endpoint) == []


def test_feed_that_does_not_answer_or_counts_otherwise(
    order: Order, deployer: Any, endpoint: Endpoint, keeper: Any
) -> None:
    run(order, deployer, endpoint)
    feed, head = order.plan.markets[0].feed, "fail market ETH-USD: feed"
    real = endpoint.request("eth_getCode", feed, "latest")
    other = keeper.deploy(project.MockAggregator, 9, 2000 * 10**9).address
    endpoint.request("anvil_setCode", feed, "0x")
    assert wrong(order, endpoint) == [f"{head}: {feed} is no feed"]
    endpoint.request("anvil_setCode", feed, "0x60006000fd")
    assert wrong(order, endpoint)[0].startswith(f"{head}: {feed} does not answer")
    endpoint.request("anvil_setCode", feed, endpoint.request("eth_getCode", other, "latest"))
    slots = [endpoint.request("eth_getStorageAt", other, hex(slot), "latest") for slot in range(3)]
    for slot, value in enumerate(slots):
        endpoint.request("anvil_setStorageAt", feed, hex(slot).replace("0x", "0x" + "0" * 63), value)
    assert wrong(order, endpoint) == [f"{head}: {feed} has 9 decimals, its prices are scaled by 10000000000"]
    endpoint.request("anvil_setCode", feed, real)
    aggregator = project.MockAggregator.at(feed)
    aggregator.setAnswer(10**16, sender=keeper)
    assert wrong(order, endpoint) == [f"warn {head.split(' ', 1)[1]}: at 100000000, 10 to 1000000 are accepted"]
    endpoint.request("evm_increaseTime", 86_400)
    endpoint.request("evm_mine")
    [found] = wrong(order, endpoint)
    assert re.fullmatch(r"warn market ETH-USD: feed: updated 864\d\d s ago, its heartbeat is 4500 s", found)


class _Paused:
    """An exchange whose pause ends at another time."""

    def __init__(self, exchange: Any, until: int) -> None:
        self._exchange, self._until = exchange, until

    def __getattr__(self, name: str) -> Any:
        return (lambda: self._until) if name == "pausedUntil" else getattr(self._exchange, name)


def test_pause_that_runs_is_told(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    made = run(order, deployer, endpoint)
    guardian = accounts[order.plan.exchange.guardian]
    guardian.balance = 10**18
    made.exchange.pause(sender=guardian)
    [found] = wrong(order, endpoint)
    assert re.fullmatch(r"warn pause: new risk is stopped for 259(200|199|198) s more", found)
    long = replace(made, exchange=_Paused(made.exchange, endpoint.head().timestamp + 3 * 86_400 + 60))
    subject = inspection.Subject(
        runner.Runner(deployer, endpoint, None), long, None, order.plan, order.plan, deployer, deployer, True
    )
    assert [one.status.value for one in inspection._look_at_pause(subject)] == ["fail"]
    endpoint.request("evm_increaseTime", made.exchange.MAX_PAUSE())
    report_price(order, deployer)
    assert wrong(order, endpoint) == []


def test_delay_that_leaves_a_guardian_its_next_pause(order: Order, deployer: Any, endpoint: Endpoint) -> None:
    run(order, deployer, endpoint)
    timelock = timelock_of(order)
    itself = accounts[timelock.address]
    itself.balance = 10**18
    timelock.updateDelay(8 * 86_400, sender=itself)
    assert wrong(order, endpoint) == [
        "warn delay: 691200 s, the plan has 259200 s",
        "warn delay: 691200 s, and a guardian who pauses without need may pause again after 604800 s",
    ]


@pytest.mark.parametrize("key", ["exchange", "fund", "price_feed", "round_book", "timelock"])
def test_code_that_was_changed_anywhere_is_told_and_looked_past(
    key: str, order: Order, deployer: Any, endpoint: Endpoint
) -> None:
    """Whatever it answers then, or does not."""
    made = run(order, deployer, endpoint)
    address = timelock_of(order).address if key == "timelock" else getattr(made, key).address
    code = bytes.fromhex(endpoint.request("eth_getCode", address, "latest")[2:])
    for place in range(8, len(code) - 60, len(code) // 12):
        other = code[:place] + bytes([code[place] ^ 0x15]) + code[place + 1 :]
        endpoint.request("anvil_setCode", address, "0x" + other.hex())
        found = wrong(order, endpoint)[0]
        assert found.startswith(f"fail code of {key}: ")
        assert re.search(rf"at {address} (is not|holds other immutables)", found)


def test_node_that_is_gone_is_no_finding(order: Order) -> None:
    """Else a lost connection would be told as a contract that is not to be trusted."""

    class Gone:
        def quantity(self, *_: Any) -> int:
            raise RpcError("no answer")

    def asking() -> Iterator[Finding]:
        raise RuntimeError("no answer")
        yield

    looking = runner.Runner(None, Gone(), Journal(Header(1, "", "0x" + "00" * 20, "", "", 1)))
    subject = inspection.Subject(looking, None, None, order.plan, order.plan, "", "", True)
    with pytest.raises(RpcError, match="no answer"):
        list(inspection._answered(subject, "wiring", asking()))
