"""What the view shows, all of it read at one block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backstop.adl.ranking import Ranked, rank
from backstop.adl.snapshot import Block, Side
from backstop.adl.trigger_price import TriggerPrices, trigger_prices
from backstop.chain.bindings import FEED_OF, LATEST_ANSWER
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.fund_view import Backing, PoolMarket, read_pool_market
from backstop.chain.market_view import MarketView
from backstop.chain.snapshot import ChainState, at_block, read_chain_and_markets
from backstop.errors import NodeError, UnknownMarketError
from backstop.watch.rounds import RecentRounds, RoundLine

_NO_FEED = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class MarketNow:
    """A market: `published_at` is when its feed published the mark, seconds, None where that is not known.

    `triggers` is None, and the queues are empty, where the market has no mark at all.
    """

    name: str
    pool: str
    market: PoolMarket
    published_at: int | None
    triggers: TriggerPrices | None
    queues: Mapping[Side, Sequence[Ranked]]


@dataclass(frozen=True, slots=True)
class View:
    """A deployment at one block. `rounds` are the last ones, newest first; `rounds_fault` is why they are not known."""

    state: ChainState
    markets: tuple[MarketNow, ...]
    rounds: tuple[RoundLine, ...]
    rounds_fault: str

    @property
    def block(self) -> Block:
        """What all of it was read at."""
        return self.state.block


class Reader:
    """Reads views of some markets of a deployment, or of all. Keeps the rounds that it has seen."""

    def __init__(self, endpoint: Endpoint, deployment: Deployment, markets: Sequence[str] = ()) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._wanted = markets
        self._rounds = RecentRounds(endpoint, deployment)

    def read(self) -> View:
        """The view of the latest block. Raises RpcError, and UnknownMarketError for a market that is not listed."""
        state, views = read_chain_and_markets(self._endpoint, self._deployment)
        names = {view.name: view for view in views}
        for name in self._wanted:
            if name not in names:
                raise UnknownMarketError(name, list(names))
        at = at_block(state.block.hash)
        markets = tuple(
            self._market(state, view, at) for name, view in names.items() if not self._wanted or name in self._wanted
        )
        try:
            rounds, fault = self._rounds.at(state.block, {one.market.view.id for one in markets}), ""
        except NodeError as refusal:
            rounds, fault = (), str(refusal)
        return View(state, markets, rounds, fault)

    def _market(self, state: ChainState, view: MarketView, at: Any) -> MarketNow:
        name, snapshot = view.name, state.snapshot
        here = snapshot.markets.get(name)
        return MarketNow(
            name=name,
            pool="" if here is None else here.pool,
            market=read_pool_market(self._endpoint, self._deployment, view, Backing(*view.backing), at),
            published_at=self._published_at(view, at),
            triggers=None if here is None else trigger_prices(snapshot, name),
            queues={side: [] if here is None else rank(snapshot, name, side) for side in Side},
        )

    def _published_at(self, view: MarketView, at: Any) -> int | None:
        """Of a live feed when its answer was published; of a dead one when the last accepted answer was."""
        feed = self._endpoint.call(self._deployment.price_feed, FEED_OF, view.id, block=at)
        aggregator, *_, accepted_at, _ = feed
        if view.price_error or aggregator == _NO_FEED:
            return accepted_at or None
        return int(self._endpoint.call(aggregator, LATEST_ANSWER, block=at)[3])


Held = tuple[str, Side, Ranked | None]  # a position: its market, its side, and its place in the queue of that


def places_of(view: View, accounts: Sequence[str]) -> Mapping[str, Sequence[Held]]:
    """By account that is asked for, or is of an owner who is, its positions and their places, in market order."""
    queues = {(now.name, side): {one.account: one for one in now.queues[side]} for now in view.markets for side in Side}
    found: dict[str, list[Held]] = {}
    for account in view.state.snapshot.accounts:
        if not any(account.id.startswith(wanted) for wanted in accounts):
            continue
        held = {leg.market: Side.of(leg.size) for leg in account.positions}
        found[account.id] = [
            (now.name, held[now.name], queues[now.name, held[now.name]].get(account.id))
            for now in view.markets
            if now.name in held
        ]
    return found
