"""The whole observable state: as the reader contract gives it, and as the model has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from backstop.math import margin as margins
from backstop.math.funding import payment
from backstop.math.margin import margin_requirement
from backstop.math.wad import WAD
from scripts.stage.parameters import MarketParameters
from tests.support.capital import Exit

from .world import BACKSTOP_RATIO


class Quote(NamedTuple):
    """What a position is valued by: mark, funding index, and the initial and maintenance margin fractions. WAD."""

    mark: int
    index: int
    initial: int
    maintenance: int


Quotes = Mapping[int, Quote]  # by market


class Position(NamedTuple):
    """A position; `index` is where its funding was last settled, 0 where it is flat. WAD and seconds."""

    size: int = 0
    entry: int = 0
    index: int = 0
    risk_time: int = 0

    def due(self, index: int) -> int:
        """The funding that it owes, WAD squared."""
        return self.size * (index - self.index)

    def unrealized(self, mark: int) -> int:
        """`uPnL` at a mark."""
        return self.size * mark // WAD - self.entry

    def maintenance(self, quote: Quote) -> int:
        """`MM` of the position."""
        return margin_requirement(self.size, quote.mark, quote.maintenance)


FLAT = Position()


class Health(NamedTuple):
    """`Health` of the contracts: what an account's margin is measured by. WAD."""

    collateral: int
    equity: int
    losses: int
    maintenance: int
    initial: int

    @property
    def is_liquidatable(self) -> bool:
        """`0 < E < MM`."""
        return margins.is_liquidatable(self.equity, self.maintenance)

    @property
    def is_to_be_taken_over(self) -> bool:
        """`E <= backstopRatio * MM`, with a position."""
        if self.maintenance == 0:
            return False
        return margins.is_to_be_taken_over(self.equity, self.maintenance, BACKSTOP_RATIO)

    @property
    def withdrawable(self) -> int:
        """What its owner could take out now."""
        return max(0, self.collateral + self.losses - self.initial)


class Holding(NamedTuple):
    """An account: its margin, and its positions by market (all that were ever touched).

    Of a cross account also its legs, and when its risk was last raised.
    """

    margin: int = 0
    positions: dict[int, Position] = {}  # noqa: RUF012 - replaced as a whole, never changed
    legs: tuple[int, ...] = ()
    risk_time: int = 0

    @property
    def cash(self) -> int:
        """What it claims of the tokens held, funding aside."""
        return self.margin - sum(position.entry for position in self.positions.values())

    @property
    def is_flat(self) -> bool:
        """Whether it holds nothing."""
        return not any(position.size for position in self.positions.values())

    def held(self, market: int) -> Position:
        """Its position in a market."""
        return self.positions.get(market, FLAT)

    def open(self) -> list[int]:
        """The markets that it holds, ascending."""
        return sorted(market for market, position in self.positions.items() if position.size)

    def placed(self, market: int, position: Position) -> Holding:
        """With another position in a market."""
        return self._replace(positions={**self.positions, market: position})

    def health(self, quotes: Quotes) -> Health:
        """Where it stands, with funding settled."""
        collateral, losses, unrealized, maintenance, initial = self.margin, 0, 0, 0, 0
        for market, position in self.positions.items():
            if position.size == 0:
                continue
            quote = quotes[market]
            collateral -= payment(position.size, quote.index - position.index)
            result = position.unrealized(quote.mark)
            unrealized += result
            losses += min(result, 0)
            maintenance += position.maintenance(quote)
            initial += margin_requirement(position.size, quote.mark, quote.initial)
        return Health(collateral, collateral + unrealized, losses, maintenance, initial)


class Inventory(NamedTuple):
    """What a pool has of one side of a market, and the index at which its funding was last settled. WAD and seconds."""

    size: int = 0
    entry: int = 0
    start: int = 0
    index: int = 0

    def due(self, index: int) -> int:
        """The funding that it owes, WAD squared."""
        return self.size * (index - self.index)


class Funding(NamedTuple):
    """Funding of a market and its fees, as stored; see `Funding` of the contracts."""

    index: int = 0
    hour: int = 0
    rest: int = 0
    premium: int = 0
    volume: int = 0
    pot: int = 0
    fees: int = 0
    dust: int = 0


class Backing(NamedTuple):
    """What the fund says of a market."""

    balance: int
    base: int
    pnl: int
    max_pnl: int
    loss: int
    long_loss: int
    short_loss: int
    started: bool
    due: bool


class Seen(NamedTuple):
    """Why ADL was due when a market was last sampled, the steps of stress, and when its drawdown was last due."""

    reason: int = 0
    stress: int = 0
    last_due: int = 0


class MarketState(NamedTuple):
    """A market and its part of the pool. `accounts` is their number.

    `parameters` are those that were set, `initial` and `band` what of them is in force. `mark` is the last accepted one
    where the feed is not `live`, 0 where there never was one; `index` is the one that an accrual would leave; `backing`
    is None where the fund refuses or nobody asked.
    """

    open_interest: int
    pool: int
    holders: int
    parameters: MarketParameters
    initial: int
    band: int
    funding: Funding
    long: Inventory
    short: Inventory
    seen: Seen
    accounts: int
    index: int
    mark: int
    live: bool
    backing: Backing | None

    def inventory(self, side: int) -> Inventory:
        """Side 0 is long."""
        return self.short if side else self.long


class PoolState(NamedTuple):
    """A pool's account and its shares; `assets` is what all of them stand for, in token units.

    `held` and `exits` are by trader, those left out that have nothing.
    """

    cash: int
    claim: int
    items: tuple[int, ...]
    cap: int
    cooldown: int
    supply: int
    assets: int
    held: dict[int, int]
    exits: dict[int, Exit]

    def frozen(self) -> PoolState:
        """Without what the prices alone change."""
        return self._replace(assets=0)


class State(NamedTuple):
    """Everything.

    `tokens` are those of the exchange, `bonded` those of the book of rounds. `wallets`, `epochs`, `bonds` and
    `claimable` are by trader, `filled` by the orders that were asked for; `overdrawn` are pools and what each of them
    lacks, as the fund lists them.
    """

    tokens: int
    rounds: int
    treasury: int
    keepers: int
    bonded: int
    wallets: tuple[int, ...]
    epochs: tuple[int, ...]
    bonds: tuple[int, ...]
    claimable: tuple[int, ...]
    filled: tuple[int, ...]
    pools: tuple[PoolState, ...]
    overdrawn: tuple[tuple[int, int], ...]
    markets: tuple[MarketState, ...]
    accounts: dict[bytes, Holding]

    def frozen(self) -> tuple[object, ...]:
        """Without what time alone changes, and without the fills, which are of different orders each time."""
        books = [market[:11] for market in self.markets]
        pools = [pool.frozen() for pool in self.pools]
        return (*self[:9], pools, [pool for pool, _ in self.overdrawn], books, self.accounts)

    @property
    def deficit(self) -> int:
        """All open deficits."""
        return sum(part for _, part in self.overdrawn)

    def pool_of(self, market: int) -> int:
        """The pool of a market."""
        return self.markets[market - 1].pool

    def markets_of(self, pool: int) -> list[int]:
        """The markets of a pool."""
        return [market for market, view in enumerate(self.markets, start=1) if view.pool == pool]

    def quotes(self, marks: list[int] | None = None) -> dict[int, Quote]:
        """What positions are valued by, at marks of one's own or those that the feeds give."""
        return {
            market: Quote(
                marks[market - 1] if marks else view.mark,
                view.index,
                view.initial,
                view.parameters.maintenance_margin_fraction,
            )
            for market, view in enumerate(self.markets, start=1)
        }

    def of_market(self, market: int) -> dict[bytes, Position]:
        """The accounts that were ever touched in a market, and what they hold there."""
        return {account: held.positions[market] for account, held in self.accounts.items() if market in held.positions}
