"""What the model knows: accounts, orders, feeds, pools and inventories on plain dicts, and what follows from them."""

from __future__ import annotations

from collections.abc import Container
from copy import copy
from typing import NamedTuple, Self

from backstop.math import fund
from backstop.math.margin import margin_requirement
from backstop.math.position import PositionState, apply_trade
from backstop.math.rolling_max import RollingMax
from backstop.orders import Order

from .state import Backing, Holding, Inventory, MarketState, PoolState, State
from .world import (
    ADDRESSES,
    FIRST_ANSWER,
    HEARTBEAT,
    MARKETS,
    MAX_PRICE,
    MIN_PRICE,
    POOLS,
    START,
    TOKEN_SCALE,
    WALLETS,
    Market,
    is_isolated,
    market_of,
)

CANCELLED = 2**256 - 1
MEMORY = 8 * 3600
NO_HOLDING = Holding(0)


class Refused(Exception):  # noqa: N818 - not an error: the answer
    """The rules refuse an action; the text says which rule."""


class Answered(NamedTuple):
    """The last round of a feed."""

    answer: int
    updated_at: int
    complete: bool


class Ledger:
    """All state. What raises Refused may have changed it: work on a `fork`, and throw that away."""

    def __init__(self) -> None:
        self.now = START
        self.block = 0
        self.tokens = 0
        self.rounds = 0
        self.wallets = list(WALLETS)
        self.epochs = [0] * len(ADDRESSES)
        self.filled: dict[Order, int] = {}
        self.accounts: dict[bytes, Holding] = {}
        self.listed: list[list[bytes]] = [[] for _ in MARKETS]
        self.feeds = [Answered(spec.answer, FIRST_ANSWER + spec.id, True) for spec in MARKETS]
        self.interest = [0] * len(MARKETS)
        self.inventory = {(spec.id, side): Inventory() for spec in MARKETS for side in (0, 1)}
        self.realized = [0] * len(MARKETS)
        self.last_due = [0] * len(MARKETS)
        self.peaks = [_touched(RollingMax(), START, 0) for _ in MARKETS]
        self.cash = [0] * len(POOLS)

    def fork(self) -> Self:
        """A copy that can be changed."""
        other = copy(self)
        for name in ("wallets", "epochs", "feeds", "interest", "realized", "last_due", "peaks", "cash"):
            setattr(other, name, list(getattr(self, name)))
        for name in ("filled", "accounts", "inventory"):
            setattr(other, name, dict(getattr(self, name)))
        other.listed = [list(accounts) for accounts in self.listed]
        return other

    def pass_time(self, seconds: int) -> None:
        """The next block."""
        self.now += seconds
        self.block += 1

    def backed(self) -> set[int]:
        """The markets whose backing matters: those of the pools that have inventory."""
        pools = {MARKETS[market - 1].pool for (market, _), held in self.inventory.items() if held.size}
        return {spec.id for spec in MARKETS if spec.pool in pools}

    def state(self, orders: list[Order], backed: Container[int]) -> State:
        """As the reader contract shows it."""
        return State(
            self.tokens,
            self.rounds,
            tuple(self.wallets),
            tuple(self.epochs),
            tuple(self.filled.get(order, 0) for order in orders),
            tuple(self._pool_state(pool) for pool in range(1, len(POOLS) + 1)),
            tuple(self._market_state(spec, is_backed=spec.id in backed) for spec in MARKETS),
            dict(self.accounts),
        )

    # ------------------------------------------------------------------ views

    def _pool_state(self, pool: int) -> PoolState:
        cash = self.cash[pool - 1]
        entries = sum(held.entry for (market, _), held in self.inventory.items() if MARKETS[market - 1].pool == pool)
        return PoolState(cash, cash - entries)

    def _market_state(self, spec: Market, *, is_backed: bool) -> MarketState:
        try:
            mark = self.mark(spec.id)
        except Refused:
            mark = 0
        try:
            backing = self.backing(spec.id) if is_backed else None
        except Refused:
            backing = None
        sides = self.inventory[spec.id, 0], self.inventory[spec.id, 1]
        return MarketState(self.interest[spec.id - 1], *sides, len(self.listed[spec.id - 1]), mark, backing)

    # ------------------------------------------------------------------ prices and the fund

    def mark(self, market: int) -> int:
        """The mark price now."""
        last = self.feeds[market - 1]
        require(last.answer > 0, "price not positive")
        require(last.complete and last.updated_at != 0, "price incomplete")
        require(last.updated_at <= self.now, "price from the future")
        require(self.now - last.updated_at <= HEARTBEAT, "price stale")
        mark = last.answer * MARKETS[market - 1].scale
        require(MIN_PRICE <= mark <= MAX_PRICE, "price out of bounds")
        return mark

    def checkpoint(self, market: int) -> None:
        """Samples a market's result, and keeps or ends the memory of its trigger."""
        backing = self.backing(market)
        i = market - 1
        self.peaks[i] = _touched(self.peaks[i], self.now, backing.pnl)
        if backing.due:
            self.last_due[i] = self.now
        elif backing.base != 0 or self.now >= self.last_due[i] + MEMORY:
            self.last_due[i] = 0

    def backing(self, market: int) -> Backing:
        """What the fund says of a market now."""
        spec = MARKETS[market - 1]
        balance = self.cash[spec.pool - 1]
        losses: list[int] = []
        own = (0, 0, 0)
        for other in MARKETS:
            if other.pool != spec.pool:
                continue
            unrealized = self.inventory_loss(other.id)
            pnl = self.realized[other.id - 1] - unrealized
            highest = self.peaks[other.id - 1].maximum(self.now, pnl)
            balance -= unrealized
            losses.append(fund.window_loss(highest, pnl))
            if other.id == market:
                own = (pnl, highest, losses[-1])
        base = fund.drawdown_base(balance, losses)
        started = base > 0 and self.last_due[market - 1] != 0 and self.now < self.last_due[market - 1] + MEMORY
        due = fund.is_drawdown_due(own[2], base, spec.trigger, spec.stop, started=started)
        return Backing(balance, base, *own, started, due)

    def inventory_loss(self, market: int) -> int:
        """Of both inventories; no price is asked for where there is none."""
        long, short = self.inventory[market, 0], self.inventory[market, 1]
        if long.size == short.size == 0:
            return 0
        mark = self.mark(market)
        return fund.inventory_loss(*long[:2], mark) + fund.inventory_loss(*short[:2], mark)

    def realize(self, market: int, result: int) -> None:
        """A result of the pool."""
        self.cash[MARKETS[market - 1].pool - 1] += result
        self.realized[market - 1] += result

    # ------------------------------------------------------------------ accounts

    def market(self, account: bytes) -> int:
        """That of an isolated account."""
        require(is_isolated(account), "no account in a listed market")
        return market_of(account)

    def pay_in(self, trader: int, amount: int) -> None:
        """Tokens from a wallet to the exchange."""
        require(amount <= self.wallets[trader], "wallet")
        self.wallets[trader] -= amount
        self.tokens += amount * TOKEN_SCALE

    def enlist(self, account: bytes) -> None:
        """Enters an account into the list of its market, once."""
        if account not in self.accounts:
            self.accounts[account] = Holding(market_of(account), risk_block=self.block)
            self.listed[market_of(account) - 1].append(account)

    def change(self, account: bytes, **fields: int) -> None:
        """Sets what is named."""
        self.accounts[account] = self.accounts[account]._replace(**fields)

    def take(self, account: bytes, change: int, value: int) -> None:
        """A trade, and the long contracts that it adds to the open interest."""
        held = self.accounts[account]
        after = apply_trade(PositionState(held.size, held.entry, held.margin), change, value)
        size = after.size
        raises_risk = size != 0 and (held.size == 0 or (held.size > 0) == (change > 0) or (held.size > 0) != (size > 0))
        risk_block = self.block if raises_risk else held.risk_block
        self.accounts[account] = Holding(held.market, size, after.entry_notional, after.margin, risk_block)
        self.interest[held.market - 1] += max(size, 0) - max(held.size, 0)

    def trade(self, account: bytes, mark: int, change: int, value: int, *, reduce_only: bool = False) -> None:
        """`take`, under the rules for whoever trades of their own will."""
        before = self.accounts.get(account, Holding(market_of(account)))
        equity = before.equity(mark)
        require(before.size == 0 or equity > 0, "bankrupt")
        reduces = before.size * change < 0 and abs(change) <= abs(before.size)
        require(reduces or not reduce_only, "not reducing")
        self.enlist(account)
        self.take(account, change, value)
        after = self.accounts[account]
        equity_after = after.equity(mark)
        if not reduces:
            spec = MARKETS[after.market - 1]
            require(equity_after >= margin_requirement(after.size, mark, spec.initial), "initial margin")
            return
        require(equity_after >= 0, "equity negative")
        if after.size:
            worse = after.maintenance(mark) * equity > before.maintenance(mark) * equity_after
            require(equity_after > 0 and not worse, "margin rate worse")


def require(holds: bool, rule: str) -> None:
    """Raises Refused unless it holds."""
    if not holds:
        raise Refused(rule)


def _touched(peak: RollingMax, now: int, value: int) -> RollingMax:
    other = copy(peak)
    other._ring = list(peak._ring)
    other.touch(now, value)
    return other
