"""Where random books are laid out: in the storage of the deployed contracts, imagined for the length of a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any

from ape import project

from backstop.adl.snapshot import Side
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.keeper.duties import SIDE_CODES
from backstop.math.wad import WAD
from scripts.stage.venue import TestMarket, Venue, rpc_url

from . import extremes
from .random_books import Book
from .storage import ImaginedChain, Layout, Words, layouts
from .views import ENGINE_RANKING, EXCHANGE_EXPOSURES, EXCHANGE_POSITION

TWO_DAYS = 2 * 86400


@dataclass(frozen=True)
class State:
    """An account as the exchange values it. All WAD, `size` and `entry` signed."""

    account: bytes
    size: int
    entry: int
    margin: int
    equity: int
    requirement: int


@dataclass(frozen=True)
class Reading:
    """What the contracts say of a book: every account, and who stands in the queue of a side, with the score."""

    states: tuple[State, ...]
    queues: dict[Side, list[tuple[State, int]]]


@dataclass
class Table:
    """A market that has neither accounts nor inventory, with a feed that takes any price."""

    chain: ImaginedChain
    deployment: Deployment
    market: TestMarket
    layouts: dict[str, Layout]

    def imagine(self, book: Book) -> Reading:
        """Lays a book out on the imagined chain, in place of the one before.

        Of one position every field is read back; what the others hold, whoever reads the exposures and the lens sees.
        """
        self.chain.imagine(self.storage(book))
        for one in book.holdings[:1]:
            position = self.chain.call(self.deployment.exchange, EXCHANGE_POSITION, one.account, self.market.id)
            assert position == (one.size, one.entry, 0, one.margin, 0, 1)
        return self.read(self.chain, book)

    def storage(self, book: Book) -> dict[str, Words]:
        """The words of a book, by contract."""
        exchange, feed, market = self.layouts["Exchange"], self.layouts["MockAggregator"], self.market.id
        accounts = [int.from_bytes(one.account, "big") for one in book.holdings]
        # The other field of the slot that is not zero is the pool.
        fractions = {"initialMarginFraction": WAD, "maintenanceMarginFraction": book.maintenance_fraction}
        words = exchange.words("_markets", [market], fractions | {"pool": self.market.pool}) | exchange.words(
            "_accounts", [market], accounts
        )
        for account, one in zip(accounts, book.holdings, strict=True):
            held = {"size": one.size, "entryNotional": one.entry, "margin": one.margin, "riskTime": 1}
            words |= exchange.words("_positions", [account, market], held)
        return {self.deployment.exchange: words, self.market.feed.address: feed.words("_answer", [], book.mark)}

    def read(self, chain: Endpoint, book: Book) -> Reading:
        """What the contracts say of a book that is laid out. The engine is asked in any order, for some twice.

        Whoever is of a side and has `E > 0`, and nobody else, is in its queue once.
        """
        exchange, engine, market = self.deployment.exchange, self.deployment.engine, self.market.id
        accounts = [one.account for one in book.holdings]
        exposures = chain.call(exchange, EXCHANGE_EXPOSURES, market, accounts, book.mark)
        states = {}
        for one, (size, entry, equity, requirement) in zip(book.holdings, exposures, strict=True):
            assert (size, entry) == (one.size, one.entry)
            states[one.account] = State(one.account, size, entry, one.margin, equity, requirement)
        rng = Random(book.seed)
        candidates = [*accounts, *rng.sample(accounts, len(accounts) // 4), bytes(32)]
        queues: dict[Side, list[tuple[State, int]]] = {}
        for side in Side:
            rng.shuffle(candidates)
            ranked = chain.call(engine, ENGINE_RANKING, market, SIDE_CODES[side.opposite], candidates)
            queues[side] = []
            for account, size, entry, equity, score in ranked:
                state = states[account]
                assert (size, entry, equity) == (state.size, state.entry, state.equity)
                queues[side].append((state, score))
            meant = {one.account for one in states.values() if one.size * side.sign > 0 and one.equity > 0}
            assert sorted(row[0] for row in ranked) == sorted(meant)
        return Reading(tuple(states.values()), queues)


def build(owner: Any) -> Table:
    """A new system."""
    venue = Venue.open(owner)
    market = venue.list_market("ETH-USD", "eth", Decimal(100))
    feed = owner.deploy(project.MockAggregator, 18, WAD)
    venue.system.price_feed.setFeed(market.id, feed, TWO_DAYS, 1, extremes.PRICE_MAX, sender=owner)
    return Table(
        chain=ImaginedChain(rpc_url()),
        deployment=venue.deployment,
        market=replace(market, feed=feed),
        layouts=layouts("Exchange.sol", "mocks/MockAggregator.sol"),
    )
