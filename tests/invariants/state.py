"""The whole observable state: as the reader contract gives it, as the model has it, and as a snapshot to plan from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from backstop.account_id import account_text
from backstop.adl import snapshot as adl
from backstop.math import margin as margins
from backstop.math.wad import WAD

from .world import BACKSTOP_RATIO, MARKETS, POOLS, market_of


class Holding(NamedTuple):
    """A position and the margin of its account; `risk_block` counts from the first block of the sequence. WAD."""

    market: int
    size: int = 0
    entry: int = 0
    margin: int = 0
    risk_block: int = 0

    @property
    def cash(self) -> int:
        """What it claims of the tokens held."""
        return self.margin - self.entry

    def equity(self, mark: int) -> int:
        """`E` at a mark."""
        return self.cash + self.size * mark // WAD

    def requirement(self, mark: int, fraction: int) -> int:
        """Margin that it needs at a mark."""
        return margins.margin_requirement(self.size, mark, fraction)

    def maintenance(self, mark: int) -> int:
        """`MM` at a mark."""
        return self.requirement(mark, MARKETS[self.market - 1].maintenance)

    def is_liquidatable(self, mark: int) -> bool:
        """`0 < E < MM`."""
        return margins.is_liquidatable(self.equity(mark), self.maintenance(mark))

    def is_to_be_taken_over(self, mark: int) -> bool:
        """`E <= backstopRatio * MM`, with a position."""
        if self.size == 0:
            return False
        return margins.is_to_be_taken_over(self.equity(mark), self.maintenance(mark), BACKSTOP_RATIO)

    def withdrawable(self, mark: int) -> int:
        """What its owner could take out now, WAD."""
        if self.size == 0:
            return max(0, self.margin)
        unrealized = self.equity(mark) - self.margin
        return max(0, self.margin + min(unrealized, 0) - self.requirement(mark, MARKETS[self.market - 1].initial))


class Inventory(NamedTuple):
    """What a pool has of one side of a market. WAD and seconds."""

    size: int = 0
    entry: int = 0
    start: int = 0


class Backing(NamedTuple):
    """What the fund says of a market."""

    balance: int
    base: int
    pnl: int
    max_pnl: int
    loss: int
    started: bool
    due: bool


class MarketState(NamedTuple):
    """A market and its part of the pool. `accounts` is their number.

    `mark` is 0 where the feed refuses, `backing` None where the fund does or nobody asked.
    """

    open_interest: int
    long: Inventory
    short: Inventory
    accounts: int
    mark: int
    backing: Backing | None

    def inventory(self, side: int) -> Inventory:
        """Side 0 is long."""
        return self.short if side else self.long


class PoolState(NamedTuple):
    """Cash, and what the pool claims of the tokens held."""

    cash: int
    claim: int


class State(NamedTuple):
    """Everything. `wallets` and `epochs` are by trader, `filled` by the orders that were asked for."""

    tokens: int
    rounds: int
    wallets: tuple[int, ...]
    epochs: tuple[int, ...]
    filled: tuple[int, ...]
    pools: tuple[PoolState, ...]
    markets: tuple[MarketState, ...]
    accounts: dict[bytes, Holding]

    def frozen(self) -> tuple[object, ...]:
        """Without what time alone changes, and without the fills, which are of different orders each time."""
        books = [market[:4] for market in self.markets]
        return (*self[:4], self.pools, books, self.accounts)

    def of_market(self, market: int) -> list[Holding]:
        """The accounts of a market."""
        return [held for held in self.accounts.values() if held.market == market]


def decode(data: bytes, owners: int, orders: int, accounts: Sequence[bytes], base_block: int) -> State:
    """What `StateReader.read` answered. Accounts that were never touched are left out."""
    integer = int.from_bytes
    at = [integer(data[i : i + 32], "big", signed=True) for i in range(64, len(data), 32)]
    i = 2 + 2 * owners
    wallets, epochs = tuple(at[2:i:2]), tuple(at[3:i:2])
    filled = tuple(word % (1 << 256) for word in at[i : i + orders])
    i += orders
    pools = tuple(PoolState(*at[i + 1 + 2 * k : i + 3 + 2 * k]) for k in range(at[i]))
    i += 1 + 2 * len(pools)
    markets = []
    for start in range(i + 1, i + 1 + 17 * at[i], 17):
        interest, *inventories, mark, count = at[start : start + 9]
        is_backed, *amounts, started, due = at[start + 9 : start + 17]
        backing = Backing(*amounts, bool(started), bool(due)) if is_backed else None
        long, short = Inventory(*inventories[:3]), Inventory(*inventories[3:])
        markets.append(MarketState(interest, long, short, count, mark, backing))
    i += 1 + 17 * len(markets)
    holdings = {}
    for account in accounts:
        size, entry, margin, risk_block = at[i : i + 4]
        i += 4
        if risk_block:
            holdings[account] = Holding(market_of(account), size, entry, margin, risk_block - base_block)
    if i != len(at):
        raise ValueError(f"the reader gave {len(at)} words, {i} were expected")
    return State(at[0], at[1], wallets, epochs, filled, pools, tuple(markets), holdings)


def name_of(market: int) -> str:
    """A market's name in snapshots."""
    return f"M{market}"


def snapshot_of(state: State) -> adl.Snapshot:
    """What the planner is given: as in `backstop.chain.snapshot`, only the markets whose pool can be valued."""
    blind = {spec.pool for spec in MARKETS if state.markets[spec.id - 1].backing is None}
    priced = [spec for spec in MARKETS if spec.pool not in blind and state.markets[spec.id - 1].mark]
    markets = {}
    for spec in priced:
        market = state.markets[spec.id - 1]
        assert market.backing is not None
        markets[name_of(spec.id)] = adl.Market(
            name=name_of(spec.id),
            mark_price=market.mark,
            maintenance_margin_fraction=spec.maintenance,
            pool=f"P{spec.pool}",
            trigger=spec.trigger,
            stop=spec.stop,
            target=spec.target,
            adl_active=market.backing.started,
            pnl=market.backing.pnl,
            max_pnl_8h=market.backing.max_pnl,
        )
    accounts = [
        _account(account, held)
        for account, held in state.accounts.items()
        if (held.size or held.margin) and name_of(held.market) in markets
    ]
    pools = {
        f"P{pool}": _pool(state, pool, [spec.id for spec in priced if spec.pool == pool])
        for pool in range(1, len(POOLS) + 1)
        if pool not in blind
    }
    return adl.Snapshot(None, markets, pools, tuple(accounts))


def _pool(state: State, pool: int, markets: Sequence[int]) -> adl.Pool:
    views = [(market, state.markets[market - 1]) for market in markets]
    backing = views[0][1].backing if views else None
    inventory = tuple(
        adl.Inventory(name_of(market), held.size, held.entry)
        for market, view in views
        for held in (view.long, view.short)
        if held.size
    )
    balance = backing.balance if backing else state.pools[pool - 1].cash
    kind = (adl.PoolKind.ISOLATED, adl.PoolKind.SHARED)[POOLS[pool - 1]]
    return adl.Pool(f"P{pool}", kind, adl.Backing.OWN, balance, inventory)


def _account(account: bytes, held: Holding) -> adl.Account:
    positions = (adl.Position(name_of(held.market), held.size, held.entry),) if held.size else ()
    return adl.Account(account_text(account), adl.MarginMode.ISOLATED, held.margin, positions)
