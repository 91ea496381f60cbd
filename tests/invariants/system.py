"""The contracts, deployed and set up as a sequence finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backstop.orders import Domain

from .calls import call, words
from .chain import CHAIN_ID, Chain, PyrevmChain
from .compiler import Artefact
from .world import (
    ADDRESSES,
    BACKSTOP_RATIO,
    FIRST_ANSWER,
    HEARTBEAT,
    MARKETS,
    MAX_PRICE,
    MIN_PRICE,
    POOLS,
    START,
    WALLETS,
)

OWNER = "0x" + "0e" * 20
_UNLIMITED = 2**256 - 1


@dataclass(frozen=True, slots=True)
class System:
    """The addresses. `feeds` are the aggregators, by market."""

    token: str
    price_feed: str
    exchange: str
    fund: str
    engine: str
    reader: str
    feeds: tuple[str, ...]

    @property
    def domain(self) -> Domain:
        """What orders are signed for."""
        return Domain(CHAIN_ID, self.exchange)


def deploy(chain: PyrevmChain, artefacts: dict[str, Artefact]) -> System:
    """Everything on pyrevm, in the order of `scripts.stage.system`."""

    def new(name: str, *arguments: str | int) -> str:
        return chain.deploy(OWNER, artefacts[name].bytecode + words(*arguments))

    token = new("MockUSDC")
    price_feed = new("ChainlinkPriceFeed", OWNER)
    module = new("SolvencyModule", token, price_feed)
    exchange = new("Exchange", token, price_feed, module, OWNER)
    fund = new("InsuranceFund", exchange, price_feed, OWNER)
    engine = new("ADLEngine", exchange, fund, price_feed)
    reader = new("StateReader", exchange, fund, engine, price_feed)
    _send(chain, OWNER, exchange, call("wire(address,address)", fund, engine), START - 2)
    _send(chain, OWNER, fund, call("wire(address)", engine), START - 1)
    feeds = tuple(new("MockAggregator", spec.decimals, spec.answer) for spec in MARKETS)
    return System(token, price_feed, exchange, fund, engine, reader, feeds)


def set_up(chain: Chain, system: System, owner: str) -> None:
    """Pools, markets, parameters, and money for the traders; then the feeds' first answers, a second apart."""
    for later, (sender, to, data) in enumerate(_transactions(system, owner)):
        _send(chain, sender, to, data, START + later)
    for spec in MARKETS:
        _send(chain, owner, system.feeds[spec.id - 1], call("setAnswer(int256)", spec.answer), FIRST_ANSWER + spec.id)


def _transactions(system: System, owner: str) -> Iterator[tuple[str, str, bytes]]:
    for to, data in _parameters(system):
        yield owner, to, data
    for address, wallet in zip(ADDRESSES, WALLETS, strict=True):
        yield address, system.token, call("mint(address,uint256)", address, wallet)
        for spender in (system.exchange, system.fund):
            yield address, system.token, call("approve(address,uint256)", spender, _UNLIMITED)


def _parameters(system: System) -> Iterator[tuple[str, bytes]]:
    exchange, fund = system.exchange, system.fund
    for pool, kind in enumerate(POOLS, start=1):
        yield fund, call("createPool(bytes32,uint8)", f"pool {pool}".encode(), kind)
    for spec in MARKETS:
        market, name, feed = spec.id, f"market {spec.id}".encode(), system.feeds[spec.id - 1]
        listing = "listMarket(bytes32,uint64,uint64,uint16)"
        yield exchange, call(listing, name, spec.initial, spec.maintenance, spec.pool)
        yield exchange, call("setLiquidationFractions(uint16,uint64,uint64)", market, spec.discount, spec.fee)
        limits = (HEARTBEAT, MIN_PRICE, MAX_PRICE)
        yield system.price_feed, call("setFeed(uint16,address,uint32,uint96,uint96)", market, feed, *limits)
        bounds = (spec.trigger, spec.stop, spec.target)
        yield fund, call("setDrawdownBounds(uint16,uint64,uint64,uint64)", market, *bounds)
        yield fund, call("setAuctionParameters(uint16,uint64,uint32)", market, spec.premium, spec.duration)
    yield exchange, call("setBackstopRatio(uint64)", BACKSTOP_RATIO)


def _send(chain: Chain, sender: str, to: str, data: bytes, timestamp: int) -> None:
    receipt = chain.send(sender, to, data, timestamp)
    if not receipt.ok:
        raise RuntimeError(f"the set-up was refused: {receipt.output.hex() or receipt.halt}")
