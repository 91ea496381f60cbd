"""What the model knows: accounts, orders, feeds, pools and inventories on plain dicts, and what follows from them."""

from __future__ import annotations

from collections.abc import Container
from copy import copy
from typing import NamedTuple, Self

from backstop.math import fund
from backstop.math.funding import HOUR, index_after, payment
from backstop.math.rolling_max import RollingMax
from backstop.math.wad import WAD, div_ceil
from backstop.orders import Order

from .snapshots import loss_of
from .state import Backing, Funding, Holding, Inventory, MarketState, PoolState, Quote, State
from .world import (
    ADDRESSES,
    FIRST_ANSWER,
    GRACE,
    HEARTBEAT,
    MARKETS,
    MAX_PRICE,
    MIN_PRICE,
    MOST_DUST,
    POOLS,
    SEQUENCER_START,
    START,
    TOKEN_SCALE,
    WALLETS,
    Market,
)

CANCELLED = 2**256 - 1
MEMORY = 8 * HOUR
NO_HOLDING = Holding()


class Refused(Exception):  # noqa: N818 - not an error: the answer
    """The rules refuse an action; the text says which rule."""


class Answered(NamedTuple):
    """The last round of a feed."""

    answer: int
    updated_at: int
    complete: bool


class Accepted(NamedTuple):
    """The last accepted price of a market, WAD, and when its feed had published it."""

    price: int = 0
    updated_at: int = 0


class Ledger:
    """All state. What raises Refused may have changed it: work on a `fork`, and throw that away."""

    def __init__(self) -> None:
        self.now = START
        self.block = 0
        self.tokens = 0
        self.rounds = 0
        self.treasury = 0
        self.keepers = 0
        self.wallets = list(WALLETS)
        self.epochs = [0] * len(ADDRESSES)
        self.filled: dict[Order, int] = {}
        self.accounts: dict[bytes, Holding] = {}
        self.listed: list[list[bytes]] = [[] for _ in MARKETS]
        self.cross: list[bytes] = []
        self.feeds = [Answered(spec.answer, FIRST_ANSWER + spec.id, True) for spec in MARKETS]
        self.accepted = [Accepted() for _ in MARKETS]
        self.sequencer = (0, SEQUENCER_START)  # 0 is up, and since when
        self.parameters = [spec.parameters for spec in MARKETS]
        self.funding = [Funding(hour=START // HOUR) for _ in MARKETS]
        self.interest = [0] * len(MARKETS)
        self.inventory = {(spec.id, side): Inventory() for spec in MARKETS for side in (0, 1)}
        self.realized = [0] * len(MARKETS)
        self.last_due = [0] * len(MARKETS)
        self.peaks = [_touched(RollingMax(), START, 0) for _ in MARKETS]
        self.cash = [0] * len(POOLS)

    def fork(self) -> Self:
        """A copy that can be changed."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list | dict):
                setattr(other, name, copy(value))
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
            self.treasury,
            self.keepers,
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
            mark, live = self.mark_or_last(spec.id)
        except Refused:
            mark, live = 0, False
        try:
            backing = self.backing(spec.id) if is_backed else None
        except Refused:
            backing = None
        return MarketState(
            self.interest[spec.id - 1],
            self.parameters[spec.id - 1],
            self.funding[spec.id - 1],
            self.inventory[spec.id, 0],
            self.inventory[spec.id, 1],
            len(self.listed[spec.id - 1]),
            self.index(spec.id),
            mark,
            live,
            backing,
        )

    # ------------------------------------------------------------------ prices

    def mark(self, market: int) -> int:
        """The mark price now."""
        answer, since = self.sequencer
        require(answer == 0, "sequencer down")
        require(self.now - since > GRACE, "sequencer just back")
        last = self.feeds[market - 1]
        require(last.answer > 0, "price not positive")
        require(last.complete and last.updated_at != 0, "price incomplete")
        require(last.updated_at <= self.now, "price from the future")
        require(self.now - last.updated_at <= HEARTBEAT, "price stale")
        require(last.updated_at >= self.accepted[market - 1].updated_at, "price went back")
        mark = last.answer * MARKETS[market - 1].scale
        require(MIN_PRICE <= mark <= MAX_PRICE, "price out of bounds")
        return mark

    def accept(self, market: int) -> int:
        """The same, remembered."""
        mark = self.mark(market)
        self.accepted[market - 1] = Accepted(mark, self.feeds[market - 1].updated_at)
        return mark

    def mark_or_last(self, market: int) -> tuple[int, bool]:
        """The mark where the feed is good, else the last accepted one; and whether the feed is."""
        try:
            return self.mark(market), True
        except Refused:
            last = self.accepted[market - 1].price
            require(last != 0, "there never was a price")
            return last, False

    def is_live(self, market: int) -> bool:
        """Whether the feed of a market is good."""
        try:
            self.mark(market)
        except Refused:
            return False
        return True

    # ------------------------------------------------------------------ funding

    def index(self, market: int) -> int:
        """The funding index as an accrual would leave it."""
        funding = self.funding[market - 1]
        if self.now // HOUR == funding.hour:
            return funding.index
        return index_after(funding.index, funding.premium, funding.volume)

    def accrue(self, market: int) -> int:
        """Brings the index up to date."""
        funding, index = self.funding[market - 1], self.index(market)
        if self.now // HOUR != funding.hour:
            funding = funding._replace(index=index, hour=self.now // HOUR)
            if funding.volume:
                funding = funding._replace(premium=0, volume=0)
            self.funding[market - 1] = funding
        return index

    def pay_funding(self, market: int, exact: int) -> int:
        """Books what somebody pays into the pot; `exact` is in WAD squared. What is paid, rounded up."""
        paid = div_ceil(exact, WAD)
        funding = self.funding[market - 1]
        carried, rest = divmod(funding.rest + paid * WAD - exact, WAD)
        dust = min(funding.dust + carried, MOST_DUST)
        self.funding[market - 1] = funding._replace(rest=rest, pot=funding.pot + paid, dust=dust)
        return paid

    def settle_inventory(self, market: int, side: int) -> None:
        """An inventory pays the funding that it owes; its market's index is up to date."""
        mine, index = self.inventory[market, side], self.index(market)
        paid = self.pay_funding(market, mine.due(index))
        self.inventory[market, side] = mine._replace(index=index if mine.size else 0)
        self.realize(market, -paid)

    # ------------------------------------------------------------------ the fund

    def checkpoint(self, market: int) -> None:
        """Samples a market's result, and keeps or ends the memory of its trigger."""
        backing = self.backing(market)
        i = market - 1
        self.peaks[i] = _touched(self.peaks[i], self.now, backing.pnl)
        if backing.due:
            if backing.started or self.is_live(market) or not any(self.inventory[market, side].size for side in (0, 1)):
                self.last_due[i] = self.now
        elif backing.base != 0 or self.now >= self.last_due[i] + MEMORY:
            self.last_due[i] = 0

    def backing(self, market: int) -> Backing:
        """What the fund says of a market now."""
        spec = MARKETS[market - 1]
        balance = self.cash[spec.pool - 1]
        losses: list[int] = []
        own = (0, 0, 0, 0, 0)
        for other in MARKETS:
            if other.pool != spec.pool:
                continue
            sides, funding = self._standing(other.id)
            pnl = self.realized[other.id - 1] - sum(sides) - funding
            highest = self.peaks[other.id - 1].maximum(self.now, pnl)
            balance -= sum(sides) + funding
            losses.append(fund.window_loss(highest, pnl))
            if other.id == market:
                own = (pnl, highest, losses[-1], *sides)
        base = fund.drawdown_base(balance, losses)
        started = base > 0 and self.last_due[market - 1] != 0 and self.now < self.last_due[market - 1] + MEMORY
        due = fund.is_drawdown_due(own[2], base, spec.trigger, spec.stop, started=started)
        return Backing(balance, base, *own, started, due)

    def _standing(self, market: int) -> tuple[tuple[int, int], int]:
        """The losses of both inventories and the funding they owe; no price is asked for where there is none."""
        long, short = self.inventory[market, 0], self.inventory[market, 1]
        if long.size == short.size == 0:
            return (0, 0), 0
        mark, live = self.mark_or_last(market)
        maintenance, index = self.parameters[market - 1].maintenance_margin_fraction, self.index(market)
        losses = loss_of(long, mark, live, maintenance), loss_of(short, mark, live, maintenance)
        return losses, sum(payment(held.size, index - held.index) for held in (long, short))

    def realize(self, market: int, result: int) -> None:
        """A result of the pool."""
        self.cash[MARKETS[market - 1].pool - 1] += result
        self.realized[market - 1] += result

    def quote(self, market: int) -> Quote:
        """What a position is valued by, at the last accepted price where the feed is dead."""
        parameters = self.parameters[market - 1]
        return Quote(
            self.mark_or_last(market)[0],
            self.index(market),
            parameters.initial_margin_fraction,
            parameters.maintenance_margin_fraction,
        )

    def pay_in(self, trader: int, amount: int) -> None:
        """Tokens from a wallet to the exchange."""
        require(amount <= self.wallets[trader], "wallet")
        self.wallets[trader] -= amount
        self.tokens += amount * TOKEN_SCALE

    def move_interest(self, market: int, long_change: int) -> None:
        """Moves open interest, which may not grow beyond what is allowed."""
        self.interest[market - 1] += long_change
        most = self.parameters[market - 1].max_open_interest
        require(long_change <= 0 or self.interest[market - 1] <= most, "open interest too large")

    def sweep(self, market: int) -> None:
        """Shares out the fees; the dust of the pot goes to the pool."""
        funding, parameters = self.funding[market - 1], self.parameters[market - 1]
        to_pool = funding.fees * parameters.pool_fee_share // WAD
        to_treasury = funding.fees * parameters.treasury_fee_share // WAD
        self.treasury += to_treasury
        self.keepers += funding.fees - to_pool - to_treasury
        self.funding[market - 1] = funding._replace(pot=funding.pot - funding.dust, fees=0, dust=0)
        self.realize(market, to_pool + funding.dust)


def require(holds: bool, rule: str) -> None:
    """Raises Refused unless it holds."""
    if not holds:
        raise Refused(rule)


def _touched(peak: RollingMax, now: int, value: int) -> RollingMax:
    other = copy(peak)
    other._ring = list(peak._ring)
    other.touch(now, value)
    return other
