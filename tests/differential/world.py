"""The venue that the histories are played on: one market in a pool of its own, two that share one, eight traders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ape import project
from eth_account.signers.local import LocalAccount

from backstop.adl.snapshot import PoolKind
from backstop.chain.bindings import APPROVE, MINT, POST_BOND
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.orders import Domain
from scripts.stage.parameters import plain_market
from scripts.stage.system import name_bytes
from scripts.stage.venue import FEED_DECIMALS, UNLIMITED, Venue

from .clock import Clock

TRADERS = 8
FORTUNE = 10**18  # token units: 10^12 tokens
BOND = 10**9 * 10**6  # token units, for more rounds than there are
TWO_DAYS = 2 * 86400

POOLS = {"eth": PoolKind.ISOLATED, "majors": PoolKind.SHARED}
_LISTINGS = {"ETH-USD": "eth", "BTC-USD": "majors", "DOGE-USD": "majors"}


@dataclass(frozen=True)
class Listing:
    """A market: its id, its pool, the address of its feed and when it was listed: its first sample, of 0."""

    id: int
    name: str
    pool: str
    pool_id: int
    feed: str
    listed_at: int


@dataclass
class World:
    """The deployed system with its markets, and who trades there: each may send, and has tokens and allowances."""

    endpoint: Endpoint
    clock: Clock
    deployment: Deployment
    domain: Domain
    owner: str
    listings: dict[str, Listing]
    traders: list[LocalAccount]


def build(owner: Any) -> World:
    """A new system. Feeds are good for two days, so that a warp over the window of eight hours leaves them alive."""
    venue = Venue.open(owner)
    system = venue.system
    for number, (pool, kind) in enumerate(POOLS.items(), start=1):
        system.fund.createPool(name_bytes(pool), int(kind is PoolKind.SHARED), 0, sender=owner)
        assert system.fund.poolCount() == number
    listings = {}
    for market_id, (name, pool) in enumerate(_LISTINGS.items(), start=1):
        feed = owner.deploy(project.MockAggregator, FEED_DECIMALS, 100 * 10**FEED_DECIMALS)
        pool_id = list(POOLS).index(pool) + 1
        parameters = plain_market(Decimal("0.1"), Decimal("0.05"))
        receipt = system.exchange.listMarket(name_bytes(name), pool_id, parameters, sender=owner)
        system.price_feed.setFeed(market_id, feed, TWO_DAYS, 1, 2**96 - 1, sender=owner)
        listings[name] = Listing(market_id, name, pool, pool_id, feed.address, receipt.timestamp)

    clock = Clock(venue.endpoint)
    traders = [venue.trader(f"history {number}") for number in range(TRADERS)]
    for trader in traders:
        clock.impersonate(trader.address)
        venue.send(trader, system.token, MINT.encode(trader.address, FORTUNE))
        for spender in (system.exchange, system.fund, system.round_book):
            venue.send(trader, system.token, APPROVE.encode(spender.address, UNLIMITED))
        venue.send(trader, system.round_book, POST_BOND.encode(BOND))
    return World(venue.endpoint, clock, venue.deployment, venue.domain, owner.address, listings, traders)
