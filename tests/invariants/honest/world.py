"""Where honest keepers work: ten traders, three markets of a shared pool and one of its own. Amounts are WAD.

The parameters of rounds are the defaults, those that a plan is made for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backstop.math.wad import WAD
from scripts.stage.parameters import MarketParameters
from tests.invariants.calls import call, words
from tests.invariants.chain import PyrevmChain
from tests.invariants.compiler import Artefact
from tests.invariants.machine import errors_of
from tests.invariants.system import PARAMETERS, System, deploy
from tests.invariants.world import START, TRADERS

OPENS = START + 300  # the first action
SCALE = 10**12  # WAD in a token unit
WALLET = 10**9 * 10**6  # token units
BOND = 10**7 * 10**6
SHARED, OWN, SPARE = 1, 2, 3  # pools; no market stands in the last one
HEARTBEAT = 86_400
HOUR = 3600
_UNLIMITED = 2**256 - 1


def _percent(hundredths: int) -> int:
    return hundredths * WAD // 10_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A market: its pool, its first mark, its fractions, and when a drawdown is due there."""

    id: int
    pool: int
    mark: int
    parameters: MarketParameters
    bounds: tuple[int, int, int] = (_percent(3000), _percent(2000), _percent(2500))

    @property
    def name(self) -> str:
        """As snapshots have it."""
        return f"M{self.id}"


MARKETS = (
    Listed(1, SHARED, 100 * WAD, MarketParameters(_percent(1000), _percent(500), _percent(125), _percent(125))),
    Listed(
        2,
        SHARED,
        2_345 * WAD,
        MarketParameters(
            _percent(400), _percent(200), _percent(50), _percent(50), _percent(2), _percent(5), funding_cap=_percent(10)
        ),
    ),
    Listed(
        3,
        SHARED,
        7 * WAD,
        MarketParameters(_percent(1500), _percent(800), _percent(100), _percent(100), funding_cap=_percent(50)),
    ),
    Listed(
        4,
        OWN,
        50 * WAD,
        MarketParameters(_percent(1000), _percent(500), _percent(100), _percent(100), 0, _percent(5)),
    ),
)
BY_ID = {one.id: one for one in MARKETS}
IDS = {one.name: one.id for one in MARKETS}


class Chain(PyrevmChain):
    """An EVM that also tells what a transaction would do."""

    def would(self, sender: str, to: str, data: bytes, timestamp: int) -> tuple[bool, bytes]:
        """Whether it is accepted, and what it returns or reverts with; nothing is changed."""
        checkpoint, number = self._evm.snapshot(), self._number
        receipt = self.send(sender, to, data, timestamp)
        self._evm.revert(checkpoint)
        self._number = number
        return receipt.ok, receipt.output


class Ground:
    """A deployment on pyrevm that every book starts from. `errors` are the contracts', by selector."""

    def __init__(self, artefacts: dict[str, Artefact]) -> None:
        self.chain = Chain()
        system = deploy(self.chain, artefacts)
        aggregator = artefacts["MockAggregator"].bytecode
        feeds = [self.chain.deploy(system.owner, aggregator + words(18, one.mark)) for one in MARKETS]
        self.system = replace(system, feeds=tuple(feeds))
        self.errors = errors_of(artefacts)
        for sender, to, data in _set_up(self.system):
            receipt = self.chain.send(sender, to, data, START)
            assert receipt.ok, receipt
        self.chain.mark()


def _set_up(system: System) -> Iterator[tuple[str, str, bytes]]:
    owner, exchange, fund, feed = system.owner, system.exchange, system.fund, system.price_feed
    for pool, kind in ((SHARED, 1), (OWN, 0), (SPARE, 1)):
        yield owner, fund, call("createPool(bytes32,uint8,uint8)", f"P{pool}".encode(), kind, 0)
    for one in MARKETS:
        listed = (one.name.encode(), one.pool, *one.parameters)
        yield owner, exchange, call(f"listMarket(bytes32,uint16,{PARAMETERS})", *listed)
        limits = (HEARTBEAT, WAD // 10_000, 10**9 * WAD)
        aggregator = system.feeds[one.id - 1]
        yield owner, feed, call("setFeed(uint16,address,uint32,uint96,uint96)", one.id, aggregator, *limits)
        yield owner, fund, call("setDrawdownBounds(uint16,uint64,uint64,uint64)", one.id, *one.bounds)
        yield owner, aggregator, call("setAnswer(int256)", one.mark)
    for trader in TRADERS:
        yield trader.address, system.token, call("mint(address,uint256)", trader.address, WALLET)
        for spender in (exchange, fund, system.round_book):
            yield trader.address, system.token, call("approve(address,uint256)", spender, _UNLIMITED)
        yield trader.address, system.round_book, call("postBond(uint256)", BOND)
