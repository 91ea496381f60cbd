"""One deployment from plan to record: begun or resumed, handed over, inspected, written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ape import project
from eth_abi.abi import decode

from backstop.chain.code_hashes import hashes_now
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.deployment.code import abi_hash, hash_of
from backstop.deployment.journal import Journal, locked, read_header, write_atomically
from backstop.deployment.plan import ANYONE, Plan
from backstop.errors import BackstopError, DeployError, PlanError, RevertError
from backstop.math.wad import format_amount
from backstop.preflight.findings import Status
from scripts.stage.inspection import DECIMALS, LATEST_ROUND, Subject, abi_of, contracts_of, inspect
from scripts.stage.runner import Runner
from scripts.stage.system import (
    CONTRACTS,
    TIMELOCK,
    System,
    apply_plan,
    container,
    deploy_contracts,
    hand_over,
    header_of,
)


@dataclass(frozen=True)
class Order:
    """What is to be done: `governed` hands over to the timelock, `file` is the record (none is written without)."""

    plan: Plan
    governed: bool
    public: bool
    file: Path | None
    force: bool = False

    @property
    def journal(self) -> Path | None:
        """`deployments/1.partial.json` beside `deployments/1.json`."""
        return None if self.file is None else self.file.with_suffix(".partial.json")


def deploy(
    order: Order,
    account: Any,
    endpoint: Endpoint,
    tell: Callable[[str], None],
    agree: Callable[[], None] = lambda: None,
) -> System:
    """Raises PlanError for a plan that this chain cannot have, DeployError where it cannot go on.

    `agree` is asked when all that can be known has been checked, and nothing is done or written yet.
    """
    check_plan(order, account, endpoint)
    # What another run has written or removed until now is read under the lock only.
    with locked(order.journal):
        header = header_of(endpoint, account, order.plan)
        _forget_ended_chain(order, header.genesis)
        _check_record(order)
        journal = Journal.open(header, order.journal) if order.journal else Journal(header)
        if journal.steps:
            tell(f"resuming: {sum(step.done for step in journal.steps.values())} steps are done")
        else:
            check_funds(account, endpoint)
        agree()
        runner = Runner(account, endpoint, journal, tell)
        token = (
            runner.instance(project.MockUSDC, order.plan.collateral)
            if order.plan.collateral is not None
            else runner.deploy("token", project.MockUSDC)
        )
        system = deploy_contracts(runner, token)
        apply_plan(runner, system, order.plan)
        timelock = hand_over(runner, system, order.plan) if order.governed else None
        deployer = str(account.address)
        owner = deployer if timelock is None else str(timelock.address)
        subject = Subject(runner, system, timelock, order.plan, order.plan, deployer, owner, order.public)
        wrong = [finding for finding in inspect(subject, {}, {}) if finding.status is not Status.OK]
        if wrong:
            lines = "; ".join(f"{finding.name}: {finding.found}" for finding in wrong)
            raise DeployError(f"all steps are done, and the chain is not as planned: {lines}")
        if order.file is not None:
            write_atomically(order.file, record_of(subject))
            journal.remove()
    return system


def check_plan(order: Order, account: Any, endpoint: Endpoint) -> None:
    """Everything that can be known before the first transaction. Raises PlanError."""
    plan, chain_id = order.plan, endpoint.quantity("eth_chainId")
    if plan.chain_id is not None and plan.chain_id != chain_id:
        raise PlanError(f"the plan is for chain {plan.chain_id}, the node serves chain {chain_id}")
    for fault in plan.public_faults() if order.public else ():
        raise PlanError(f"the plan cannot be deployed to a public network: {fault}")
    deployer = str(account.address)
    if order.governed and plan.timelock is not None:
        for role in ("proposers", "cancellers"):
            if deployer in getattr(plan.timelock, role):
                raise PlanError(f"timelock.{role} has the deployer, {deployer}: it is to hold nothing afterwards")
        if deployer in plan.timelock.executor_addresses():
            raise PlanError(f"timelock.executors has the deployer, {deployer}: it is to hold nothing afterwards")
        for role in ("guardian", "treasury"):
            if getattr(plan.exchange, role) == deployer:
                raise PlanError(f"exchange.{role} is the deployer, {deployer}: it is to hold nothing afterwards")
    methods = {method.name for method in project.Exchange.contract_type.mutable_methods}
    if plan.exchange.guardian not in (None, ANYONE) and "setGuardian" not in methods:
        raise PlanError("exchange.guardian is named, and these contracts have no guardian")
    if plan.collateral is not None and not _decimals(endpoint, "collateral", plan.collateral) <= 18:
        raise PlanError(f"collateral {plan.collateral} has more than 18 decimals")
    if plan.sequencer is not None:
        _ask(endpoint, "sequencer.feed", plan.sequencer.feed, LATEST_ROUND)
    for market in plan.markets:
        if market.feed is None:
            continue
        what = f"feed of {market.name}"
        decimals = _decimals(endpoint, what, market.feed)
        if decimals > 18:
            raise PlanError(f"{what}, {market.feed}, has {decimals} decimals, at most 18 are possible")
        _, answer, _, updated, _ = decode(
            ["uint80", "int256", "uint256", "uint256", "uint80"], _ask(endpoint, what, market.feed, LATEST_ROUND)[:160]
        )
        if not market.lowest_price <= answer * 10 ** (18 - decimals) <= market.highest_price:
            raise PlanError(f"{what} is at {answer / 10**decimals:g}, outside of its lowest_price and highest_price")
        if (age := endpoint.head().timestamp - updated) > market.heartbeat:
            raise PlanError(f"{what}, {market.feed}, was updated {age} s ago, its heartbeat is {market.heartbeat} s")


def check_funds(account: Any, endpoint: Endpoint) -> None:
    """Whether the deployer can pay at least for the contracts. Raises DeployError."""
    gas = sum(_least_gas(container(name)) for name in {*CONTRACTS.values(), TIMELOCK})
    price = endpoint.quantity("eth_gasPrice")
    balance = endpoint.quantity("eth_getBalance", str(account.address), "latest")
    if balance < gas * price:
        raise DeployError(
            f"{account.address} has {format_amount(balance)} ether, and the contracts alone take {gas:,} gas: "
            f"{format_amount(gas * price)} ether at the present gas price"
        )


def _least_gas(made: Any) -> int:
    """What the creation of a contract takes before its constructor runs: transaction, calldata, and the code's storage.

    Figures of the yellow paper's appendix G and of EIP-2028, with zeros as cheap as they are.
    """
    created = bytes(made.contract_type.get_deployment_bytecode())
    zeros = created.count(0)
    return 53_000 + 4 * zeros + 16 * (len(created) - zeros) + 200 * len(made.contract_type.get_runtime_bytecode())


def record_of(s: Subject) -> dict[str, Any]:
    """The record: addresses and code hashes for everybody, and how it was made for `verify`."""
    endpoint, deployment = s.runner.endpoint, s.system.record()
    contracts = contracts_of(s)
    (compiler,) = [one for one in project.manifest.compilers if one.name == "solidity"]
    settings = {key: value for key, value in (compiler.settings or {}).items() if key != "outputSelection"}
    timelock = None
    if s.timelock is not None:
        assert s.plan.timelock is not None, "there is a timelock"
        address = str(s.timelock.address)
        timelock = {"address": address, "code_hash": hash_of(s.runner.code(address))} | s.plan.timelock.model_dump()
    details = {
        "deployer": s.deployer,
        "owner": s.owner,
        "timelock": timelock,
        "plan": s.plan.document(),
        "plan_hash": s.plan.hash(),
        "compiler": {"name": compiler.name, "version": compiler.version, "settings": settings},
        "abi_hashes": {key: abi_hash(abi_of(name)) for key, (name, _) in contracts.items()},
        "constructor_arguments": dict(s.runner.arguments),
        "transactions": s.runner.mined(),
    }
    return asdict(deployment) | {"code_hashes": hashes_now(endpoint, deployment), "details": details}


def _decimals(endpoint: Endpoint, what: str, address: str) -> int:
    return int.from_bytes(_ask(endpoint, what, address, DECIMALS)[:32])


def _ask(endpoint: Endpoint, what: str, address: str, selector: str) -> bytes:
    """What a contract answers; a plan that names an address without one, or with another one, is refused."""
    try:
        answer = bytes.fromhex((endpoint.request("eth_call", {"to": address, "data": selector}, "latest") or "0x")[2:])
    except RevertError:
        answer = b""
    if len(answer) < (160 if selector == LATEST_ROUND else 32):
        kind = "token" if what == "collateral" else "feed"
        raise PlanError(f"{what}: at {address} is no {kind} on this chain")
    return answer


def _forget_ended_chain(order: Order, genesis: str) -> None:
    """An Anvil that was ended takes an unfinished deployment with it."""
    if order.public or order.journal is None or not order.journal.exists():
        return
    try:
        ended = read_header(order.journal).genesis != genesis
    except DeployError:
        return  # said when it is opened
    if ended:
        order.journal.unlink()


def _check_record(order: Order) -> None:
    """An earlier record is not overwritten; one that this deployment has written before it was stopped is."""
    if order.file is None or not order.file.exists() or (order.force and order.file.is_file()):
        return
    if order.journal is not None and order.journal.exists():
        try:
            block = read_header(order.journal).block
            details = json.loads(order.file.read_text(encoding="utf-8")).get("details", {})
            if Deployment.load(order.file).block == block and details.get("plan_hash") == order.plan.hash():
                return
        except (BackstopError, ValueError, AttributeError):
            pass
    if not order.file.is_file():
        raise PlanError(f"{order.file} is no file, and a record cannot be written there: name another one with -o")
    raise PlanError(f"{order.file} is there already; move it away, or give --force to replace it")
