"""The system of contracts: deployed, wired, set to a plan, handed over to its timelock; and read back as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
from ape import chain, networks, project
from eth_utils.crypto import keccak

from backstop.chain.deployment import ADDRESSES, Deployment
from backstop.chain.endpoint import Endpoint
from backstop.deployment.code import hash_of
from backstop.deployment.journal import Header, Journal
from backstop.deployment.parameters import MarketParameters
from backstop.deployment.plan import ANYONE, MarketPlan, Plan
from backstop.errors import DeployError
from scripts.stage.runner import Runner

FEED_DECIMALS = 8  # of feeds that are set by hand
# Which contract stands at an address of the record. The collateral is a test token, or somebody else's.
CONTRACTS = {
    "price_feed": "ChainlinkPriceFeed",
    "settlement_module": "SettlementModule",
    "solvency_module": "SolvencyModule",
    "market_module": "MarketModule",
    "exchange": "Exchange",
    "inventory_module": "InventoryModule",
    "pool_module": "PoolModule",
    "shares_factory": "PoolSharesFactory",
    "fund": "InsuranceFund",
    "round_book": "RoundBook",
    "engine": "ADLEngine",
    "lens": "BackstopLens",
    "fund_lens": "FundLens",
}
# What their constructors take, and the order in which they are deployed.
CONSTRUCTORS = {
    "price_feed": ("owner",),
    "settlement_module": ("token", "price_feed"),
    "solvency_module": ("token", "price_feed"),
    "market_module": ("token", "price_feed"),
    "exchange": ("token", "price_feed", "settlement_module", "solvency_module", "market_module", "owner"),
    "shares_factory": (),
    "inventory_module": ("exchange", "price_feed"),
    "pool_module": ("exchange", "price_feed", "shares_factory"),
    "fund": ("exchange", "price_feed", "inventory_module", "pool_module", "owner"),
    "round_book": ("exchange", "fund", "price_feed", "owner"),
    "engine": ("exchange", "fund", "price_feed", "round_book"),
    "lens": ("exchange", "fund", "price_feed"),
    "fund_lens": ("fund",),
}
TIMELOCK = "BackstopTimelock"
OWNED = ("exchange", "fund", "round_book", "price_feed")
_NO_PREDECESSOR, _SALT = bytes(32), keccak(text="backstop handover")


@dataclass
class System:
    """The deployed contracts, as ape's instances."""

    token: Any
    price_feed: Any
    settlement_module: Any
    solvency_module: Any
    market_module: Any
    exchange: Any
    inventory_module: Any
    pool_module: Any
    shares_factory: Any
    fund: Any
    round_book: Any
    engine: Any
    lens: Any
    fund_lens: Any
    block: int

    def record(self) -> Deployment:
        """The addresses, as the Python package takes them."""
        addresses = {key: str(getattr(self, key).address) for key in ADDRESSES}
        return Deployment(chain_id=chain.chain_id, block=self.block, **addresses)


def deploy_system(owner: Any, token: Any) -> System:
    """Deploys and wires everything around a collateral token, nothing set; `owner` owns what can be owned."""
    runner = local_runner(owner)
    system = deploy_contracts(runner, token)
    assert_wired(system, str(owner.address))
    return system


def local_runner(owner: Any) -> Runner:
    """One whose journal lasts as long as the process."""
    endpoint = Endpoint(str(networks.provider.http_uri))
    return Runner(owner, endpoint, Journal(header_of(endpoint, owner, Plan())))


def header_of(endpoint: Endpoint, deployer: Any, plan: Plan) -> Header:
    """Of a deployment that begins now."""
    genesis = endpoint.request("eth_getBlockByNumber", "0x0", False)
    return Header(
        chain_id=endpoint.quantity("eth_chainId"),
        genesis=str((genesis or {}).get("hash")),
        deployer=str(deployer.address),
        plan_hash=plan.hash(),
        code_hash=code_hash(),
        block=endpoint.quantity("eth_blockNumber"),
    )


def code_hash() -> str:
    """The keccak-256 of the creation code of everything that a deployment makes."""
    names = [*CONTRACTS.values(), TIMELOCK]
    return hash_of(b"".join(bytes(container(name).contract_type.get_deployment_bytecode()) for name in names))


def container(name: str) -> Any:
    """Ape's container of one of the project's contracts."""
    return getattr(project, name)


def deploy_contracts(runner: Runner, token: Any) -> System:
    """Everything but the timelock, wired; the deployer owns it."""
    at: dict[str, Any] = {"owner": runner.account, "token": token}
    for key, names in CONSTRUCTORS.items():
        at[key] = runner.deploy(key, container(CONTRACTS[key]), *(at[name] for name in names))
    del at["owner"]
    price_feed, exchange, fund, engine = (at[key] for key in ("price_feed", "exchange", "fund", "engine"))
    runner.act("wire price feed", lambda: price_feed.exchange() == exchange.address, price_feed.wire, exchange)
    runner.act(
        "wire exchange",
        lambda: (exchange.fund(), exchange.engine()) == (fund.address, engine.address),
        exchange.wire,
        fund,
        engine,
    )
    runner.act("wire fund", lambda: fund.engine() == engine.address, fund.wire, engine)
    return System(**at, block=runner.journal.header.block)


def arguments_of(system: System, key: str, owner: str) -> list[Any]:
    """What the constructor of a contract was to take, by the addresses of the others; `owner` has deployed them."""
    return [owner if name == "owner" else getattr(system, name) for name in CONSTRUCTORS[key]]


def apply_plan(runner: Runner, system: System, plan: Plan) -> None:
    """Sets what a plan says, but for the timelock. The deployer still owns everything."""
    s = system
    if (rest := plan.sequencer) is not None:
        meant = (rest.feed, rest.grace)
        runner.act(
            "set sequencer",
            lambda: (s.price_feed.sequencer(), s.price_feed.grace()) == meant,
            s.price_feed.setSequencer,
            *meant,
        )
    terms = plan.exchange
    runner.act(
        "set backstop ratio",
        lambda: s.exchange.backstopRatio() == terms.backstop_ratio,
        s.exchange.setBackstopRatio,
        terms.backstop_ratio,
    )
    runner.act(
        "set warning rate",
        lambda: s.exchange.warningRate() == terms.warning_rate,
        s.exchange.setWarningRate,
        terms.warning_rate,
    )
    if terms.treasury is not None:
        runner.act(
            "set treasury",
            lambda: s.exchange.reserves()[0] == terms.treasury,
            s.exchange.setTreasury,
            terms.treasury,
        )
    if terms.guardian is not None:
        runner.act(
            "set guardian",
            lambda: s.exchange.guardian() == terms.guardian,
            s.exchange.setGuardian,
            terms.guardian,
        )
    runner.act(
        "set rounds",
        lambda: tuple(s.round_book.roundParameters()) == plan.rounds.values(),
        s.round_book.setRoundParameters,
        plan.rounds.values(),
    )
    runner.act(
        "set rewards",
        lambda: tuple(s.round_book.rewardParameters()) == plan.rewards.values(),
        s.round_book.setRewardParameters,
        plan.rewards.values(),
    )
    for id, pool in enumerate(plan.pools, 1):
        name, staking = name_bytes(pool.name), (pool.cap, pool.cooldown)
        runner.act(
            f"create pool {pool.name}",
            lambda id=id, name=name: s.fund.poolCount() >= id and bytes(s.fund.pool(id).name) == name,
            s.fund.createPool,
            name,
            *pool.terms(),
        )
        runner.act(
            f"set staking of {pool.name}",
            lambda id=id, staking=staking: tuple(s.fund.staking(id))[1:] == staking,
            s.fund.setStaking,
            id,
            *staking,
        )
    pools = {pool.name: id for id, pool in enumerate(plan.pools, 1)}
    for id, market in enumerate(plan.markets, 1):
        _list(runner, system, id, market, pools[market.pool])


def _list(runner: Runner, s: System, id: int, market: MarketPlan, pool: int) -> None:
    name = name_bytes(market.name)
    aggregator = market.feed
    if market.price is not None:
        answer = market.price * 10**FEED_DECIMALS // 10**18
        aggregator = runner.deploy(f"feed of {market.name}", project.MockAggregator, FEED_DECIMALS, answer).address
    runner.act(
        f"list {market.name}",
        lambda: s.exchange.marketCount() >= id and bytes(s.exchange.market(id).name) == name,
        s.exchange.listMarket,
        name,
        pool,
        market.parameters(),
    )
    runner.act(
        f"set feed of {market.name}",
        lambda: feed_of(s, id) == (aggregator, *market.feed_terms()),
        s.price_feed.setFeed,
        id,
        aggregator,
        *market.feed_terms(),
    )
    runner.act(
        f"set drawdown bounds of {market.name}",
        lambda: tuple(s.fund.parameters(id))[1:] == market.drawdown.values(),
        s.fund.setDrawdownBounds,
        id,
        *market.drawdown.values(),
    )
    runner.act(
        f"set auctions of {market.name}",
        lambda: auctions_of(runner.endpoint, s, id) == market.auction.values(),
        s.fund.setAuctionParameters,
        id,
        *market.auction.values(),
    )


def feed_of(system: System, market: int) -> tuple[str, int, int, int]:
    """Aggregator, heartbeat and bounds of a market's feed."""
    feed = system.price_feed.feedOf(market)
    return (feed.aggregator, feed.heartbeat, feed.minPrice, feed.maxPrice)


def auctions_of(endpoint: Endpoint, system: System, market: int) -> tuple[int, int] | None:
    """Premium and duration of a market's auctions. No view tells them: the last event does, of which listing emits one.

    None where the node gives no such event, so that nothing is known.
    """
    from backstop.chain.logs import read_logs

    topics = ["0x" + keccak(text="AuctionParametersSet(uint16,uint64,uint32)").hex(), "0x" + f"{market:064x}"]
    query = {"address": system.fund.address, "topics": topics}
    last = endpoint.quantity("eth_blockNumber")
    values = None
    for log in read_logs(endpoint, query, system.block, last):
        values = (int.from_bytes(log.data[:32]), int.from_bytes(log.data[32:64]))
    return values


def parameters_of(system: System, market: int) -> MarketParameters:
    """A market's parameters as they were set; those in force may be stricter while ADL is near."""
    m = system.exchange.market(market)
    return MarketParameters(
        initial_margin_fraction=m.calmMarginFraction,
        maintenance_margin_fraction=m.maintenanceMarginFraction,
        liquidation_discount=m.liquidationDiscount,
        liquidation_fee=m.liquidationFee,
        maker_fee=m.makerFee,
        taker_fee=m.takerFee,
        price_band=m.calmBand,
        funding_cap=m.funding.cap,
        max_notional=m.maxNotional,
        min_size=m.minSize,
        max_open_interest=m.maxOpenInterest,
        pool_fee_share=m.poolFeeShare,
        treasury_fee_share=m.treasuryFeeShare,
        initial_margin_step=m.initialMarginStep,
        stress_band=m.stressBand,
    )


def hand_over(runner: Runner, system: System, plan: Plan) -> Any:
    """A new timelock, which becomes the owner of everything, and the deployer nobody.

    The timelock begins without a delay and with the deployer as its only proposer, and no administrator but itself. One
    batch, executed in one transaction, accepts every ownership, gives the roles to those of the plan, takes them from
    the deployer, and sets the delay: there is no moment in which somebody owns the contracts without one.
    """
    terms, s = plan.timelock, system
    assert terms is not None, "a hand-over is planned"
    me = runner.account.address
    timelock = runner.deploy("timelock", container(TIMELOCK), *timelock_arguments(str(me)))
    for key in OWNED:
        contract = getattr(s, key)
        runner.act(
            f"offer {key} to the timelock",
            lambda contract=contract: timelock.address in (contract.pendingOwner(), contract.owner()),
            contract.transferOwnership,
            timelock,
        )
    calls = handover_calls(s, timelock, plan, me)
    batch = ([to for to, _ in calls], [0] * len(calls), [data for _, data in calls], _NO_PREDECESSOR, _SALT)
    operation = handover_id(s, timelock, plan, me)
    runner.act("announce the hand-over", lambda: timelock.isOperation(operation), timelock.scheduleBatch, *batch, 0)
    runner.act("hand over", lambda: timelock.isOperationDone(operation), timelock.executeBatch, *batch)
    return timelock


def timelock_arguments(deployer: str) -> tuple[int, list[str], list[str], str]:
    """Delay, proposers, executors and administrator that the timelock begins with."""
    return (0, [deployer], [deployer], ANYONE)


def handover_calls(system: System, timelock: Any, plan: Plan, deployer: str) -> list[tuple[str, bytes]]:
    """Targets and calldata of the batch."""
    terms = plan.timelock
    assert terms is not None, "a hand-over is planned"
    proposer, executor, canceller = roles_of(timelock)

    def role(change: Any, which: bytes, who: str) -> tuple[str, bytes]:
        return (timelock.address, bytes(change.encode_input(which, who)))

    holders = [
        *((proposer, who) for who in terms.proposers),
        *((executor, who) for who in terms.executor_addresses()),
        *((canceller, who) for who in terms.cancellers),
    ]
    return [
        *((getattr(system, key).address, bytes(getattr(system, key).acceptOwnership.encode_input())) for key in OWNED),
        *(role(timelock.grantRole, which, who) for which, who in holders),
        *(role(timelock.revokeRole, which, deployer) for which in (proposer, executor, canceller)),
        (timelock.address, bytes(timelock.updateDelay.encode_input(terms.delay))),
    ]


def handover_id(system: System, timelock: Any, plan: Plan, deployer: str) -> bytes:
    """Of the batch, as the timelock keeps it."""
    calls = handover_calls(system, timelock, plan, deployer)
    targets, payloads = [to for to, _ in calls], [data for _, data in calls]
    return bytes(timelock.hashOperationBatch(targets, [0] * len(calls), payloads, _NO_PREDECESSOR, _SALT))


def roles_of(timelock: Any) -> tuple[bytes, bytes, bytes]:
    """Proposer, executor, canceller."""
    return (bytes(timelock.PROPOSER_ROLE()), bytes(timelock.EXECUTOR_ROLE()), bytes(timelock.CANCELLER_ROLE()))


def system_at(runner: Runner, record: Deployment) -> System:
    """The contracts of a record, which are not asked whether they are those."""
    at = {key: runner.instance(container(name), getattr(record, key)) for key, name in CONTRACTS.items()}
    return System(token=runner.instance(project.MockUSDC, record.token), **at, block=record.block)


def wiring(system: System) -> dict[str, tuple[Any, Any]]:
    """Every address that a contract holds: what was found, and what was meant."""
    s = system
    return {
        "exchange.token": (s.exchange.token(), s.token),
        "exchange.priceFeed": (s.exchange.priceFeed(), s.price_feed),
        "exchange.settlementModule": (s.exchange.settlementModule(), s.settlement_module),
        "exchange.solvencyModule": (s.exchange.solvencyModule(), s.solvency_module),
        "exchange.marketModule": (s.exchange.marketModule(), s.market_module),
        "exchange.fund": (s.exchange.fund(), s.fund),
        "exchange.engine": (s.exchange.engine(), s.engine),
        "fund.exchange": (s.fund.exchange(), s.exchange),
        "fund.priceFeed": (s.fund.priceFeed(), s.price_feed),
        "fund.engine": (s.fund.engine(), s.engine),
        "fund.inventoryModule": (s.fund.inventoryModule(), s.inventory_module),
        "fund.poolModule": (s.fund.poolModule(), s.pool_module),
        "poolModule.sharesFactory": (s.pool_module.sharesFactory(), s.shares_factory),
        "engine.exchange": (s.engine.exchange(), s.exchange),
        "engine.fund": (s.engine.fund(), s.fund),
        "engine.priceFeed": (s.engine.priceFeed(), s.price_feed),
        "engine.book": (s.engine.book(), s.round_book),
        "roundBook.exchange": (s.round_book.exchange(), s.exchange),
        "roundBook.fund": (s.round_book.fund(), s.fund),
        "roundBook.priceFeed": (s.round_book.priceFeed(), s.price_feed),
        "lens.exchange": (s.lens.exchange(), s.exchange),
        "lens.fund": (s.lens.fund(), s.fund),
        "lens.priceFeed": (s.lens.priceFeed(), s.price_feed),
        "fundLens.fund": (s.fund_lens.fund(), s.fund),
        "priceFeed.exchange": (s.price_feed.exchange(), s.exchange),
    }


def owners(system: System) -> dict[str, tuple[str, str]]:
    """Of everything that can be owned: the owner, and who may become it by accepting."""
    return {key: (str(getattr(system, key).owner()), str(getattr(system, key).pendingOwner())) for key in OWNED}


def assert_wired(system: System, owner: str) -> None:
    """Every address that a contract holds is the one that was deployed, and every owner is the one meant."""
    for name, (found, meant) in wiring(system).items():
        if found != meant.address:
            raise DeployError(f"{name} is {found}, {meant.address} was meant")
    for key, (found, _) in owners(system).items():
        if found != owner:
            raise DeployError(f"{key} is owned by {found}, {owner} was meant")


def name_bytes(name: str) -> bytes:
    """A short name as the contracts take it: 32 bytes, left-aligned."""
    encoded = name.encode()
    if not 0 < len(encoded) <= 32:
        raise click.BadParameter(f"{name!r}: 1 to 32 bytes are needed")
    return encoded.ljust(32, b"\0")
