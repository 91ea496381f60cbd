"""The contracts, deployed and set up as a sequence finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backstop.orders import Domain

from .calls import call, words
from .chain import CHAIN_ID, Chain, DeployingChain
from .compiler import Artefact
from .world import (
    ADDRESSES,
    BACKSTOP_RATIO,
    BONDS,
    FIRST_ANSWER,
    GRACE,
    HEARTBEAT,
    MARKETS,
    MAX_PRICE,
    MIN_PRICE,
    POOLS,
    REWARD,
    ROUND_PARAMETERS,
    SEQUENCER_START,
    START,
    TREASURY,
    WALLETS,
    WARNING_RATE,
)

OWNER = "0x" + "0e" * 20
_UNLIMITED = 2**256 - 1
# The structs, as signatures spell them.
_ROUND_PARAMETERS = "(uint32,uint32,uint64,uint64,uint96,uint96)"
PARAMETERS = f"({'uint64,' * 8}uint96,uint96,uint112,{','.join(['uint64'] * 4)})"


@dataclass(frozen=True, slots=True)
class System:
    """The addresses. `feeds` are the aggregators, by market; `sequencer` is that of the sequencer's uptime."""

    owner: str
    token: str
    price_feed: str
    exchange: str
    fund: str
    round_book: str
    engine: str
    reader: str
    sequencer: str
    feeds: tuple[str, ...]

    @property
    def domain(self) -> Domain:
        """What orders are signed for."""
        return Domain(CHAIN_ID, self.exchange)


def deploy(chain: DeployingChain, artefacts: dict[str, Artefact]) -> System:
    """Everything, in the order of `scripts.stage.system`."""

    def new(name: str, *arguments: str | int) -> str:
        return chain.deploy(OWNER, artefacts[name].bytecode + words(*arguments))

    token = new("MockUSDC")
    price_feed = new("ChainlinkPriceFeed", OWNER)
    modules = [new(name, token, price_feed) for name in ("SettlementModule", "SolvencyModule", "MarketModule")]
    exchange = new("Exchange", token, price_feed, *modules, OWNER)
    factory = new("PoolSharesFactory")
    parts = [new("InventoryModule", exchange, price_feed), new("PoolModule", exchange, price_feed, factory)]
    fund = new("InsuranceFund", exchange, price_feed, *parts, OWNER)
    round_book = new("RoundBook", exchange, fund, price_feed, OWNER)
    engine = new("ADLEngine", exchange, fund, price_feed, round_book)
    reader = new("StateReader", exchange, fund, engine, price_feed)
    _send(chain, OWNER, price_feed, call("wire(address)", exchange), START - 3)
    _send(chain, OWNER, exchange, call("wire(address,address)", fund, engine), START - 2)
    _send(chain, OWNER, fund, call("wire(address)", engine), START - 1)
    feeds = tuple(new("MockAggregator", spec.decimals, spec.answer) for spec in MARKETS)
    sequencer = new("MockAggregator", 0, 0)
    return System(OWNER, token, price_feed, exchange, fund, round_book, engine, reader, sequencer, feeds)


def set_up(chain: Chain, system: System) -> None:
    """Pools, markets, parameters, and money for the traders; then the feeds' first answers, a second apart."""
    for later, (sender, to, data) in enumerate(_transactions(system)):
        _send(chain, sender, to, data, START + later)
    for pool in POOLS:
        allowances = allow_shares(system, shares_of(chain, system.fund, pool))
        for later, (sender, to, data) in enumerate(allowances, start=1):
            _send(chain, sender, to, data, FIRST_ANSWER - len(ADDRESSES) * (len(POOLS) + 1 - pool) + later)
    for spec in MARKETS:
        _send(
            chain,
            system.owner,
            system.feeds[spec.id - 1],
            call("setAnswer(int256)", spec.answer),
            FIRST_ANSWER + spec.id,
        )


def shares_of(chain: Chain, fund: str, pool: int) -> str:
    """Where the shares of a pool are."""
    return "0x" + chain.view(fund, call("staking(uint16)", pool))[12:32].hex()


def allow_shares(system: System, shares: str) -> Iterator[tuple[str, str, bytes]]:
    """Everybody lets the shares of a pool have tokens."""
    for address in ADDRESSES:
        yield address, system.token, call("approve(address,uint256)", shares, _UNLIMITED)


def _transactions(system: System) -> Iterator[tuple[str, str, bytes]]:
    for to, data in _parameters(system):
        yield system.owner, to, data
    for address, wallet in zip(ADDRESSES, WALLETS, strict=True):
        yield address, system.token, call("mint(address,uint256)", address, wallet)
        for spender in (system.exchange, system.fund):
            yield address, system.token, call("approve(address,uint256)", spender, _UNLIMITED)
    for address, bond in zip(ADDRESSES, BONDS, strict=True):
        if bond:
            yield address, system.token, call("mint(address,uint256)", address, bond)
            yield address, system.token, call("approve(address,uint256)", system.round_book, bond)
            yield address, system.round_book, call("postBond(uint256)", bond)


def _parameters(system: System) -> Iterator[tuple[str, bytes]]:
    exchange, fund = system.exchange, system.fund
    for pool, terms in POOLS.items():
        yield fund, call("createPool(bytes32,uint8,uint8)", f"pool {pool}".encode(), terms.kind, terms.is_mutual)
    for spec in MARKETS:
        market, name, feed = spec.id, f"market {spec.id}".encode(), system.feeds[spec.id - 1]
        yield exchange, call(f"listMarket(bytes32,uint16,{PARAMETERS})", name, spec.pool, *spec.parameters)
        limits = (HEARTBEAT, MIN_PRICE, MAX_PRICE)
        yield system.price_feed, call("setFeed(uint16,address,uint32,uint96,uint96)", market, feed, *limits)
        bounds = (spec.trigger, spec.stop, spec.target)
        yield fund, call("setDrawdownBounds(uint16,uint64,uint64,uint64)", market, *bounds)
        yield fund, call("setAuctionParameters(uint16,uint64,uint32)", market, spec.premium, spec.duration)
    yield exchange, call("setBackstopRatio(uint64)", BACKSTOP_RATIO)
    yield exchange, call("setWarningRate(uint64)", WARNING_RATE)
    yield exchange, call("setTreasury(address)", ADDRESSES[TREASURY])
    yield system.round_book, call(f"setRoundParameters({_ROUND_PARAMETERS})", *ROUND_PARAMETERS)
    yield system.round_book, call("setRewardParameters((uint96,uint64,uint64))", *REWARD)
    yield system.sequencer, call("setRound(uint80,int256,uint256,uint80)", 1, 0, SEQUENCER_START, 1)
    yield system.price_feed, call("setSequencer(address,uint32)", system.sequencer, GRACE)


def _send(chain: Chain, sender: str, to: str, data: bytes, timestamp: int) -> None:
    receipt = chain.send(sender, to, data, timestamp)
    if not receipt.ok:
        raise RuntimeError(f"the set-up was refused: {receipt.output.hex() or receipt.halt}")
