"""What the model knows: accounts, orders, feeds, pools and inventories on plain dicts, and what follows from them."""

from __future__ import annotations

from collections.abc import Container
from copy import copy
from typing import TYPE_CHECKING, NamedTuple, Self

from backstop.account_id import is_cross
from backstop.math import staking
from backstop.math.funding import HOUR, index_after
from backstop.math.wad import WAD, div_ceil
from backstop.orders import Order
from scripts.stage.parameters import MarketParameters
from tests.support.capital import RefusedError as Refused
from tests.support.capital import Standing
from tests.support.enums import Item

from .capital import Pools
from .state import Backing, Funding, Holding, Inventory, MarketState, PoolState, Quote, Seen, State
from .world import (
    ADDRESSES,
    BONDS,
    BY_ADDRESS,
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

if TYPE_CHECKING:
    from .rounds import Record

CANCELLED = 2**256 - 1
NO_HOLDING = Holding()


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
        self.fund = Pools(self)
        self.tokens = 0
        self.rounds = 0
        self.treasury = 0
        self.keepers = 0
        self.wallets = list(WALLETS)
        self.bonds = [bond * TOKEN_SCALE for bond in BONDS]
        self.claimable = [0] * len(ADDRESSES)
        self.records: dict[int, Record] = {}
        # The last round that a market's positions must be known of, and that each position is known of.
        self.round_of = [0] * len(MARKETS)
        # Until when the rounds of a market may be challenged, and the most that one of those took for a contract.
        self.harshest = [(0, 0)] * len(MARKETS)
        self.known: dict[tuple[bytes, int], int] = {}
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

    @property
    def now(self) -> int:
        """The present."""
        return self.fund.now

    @now.setter
    def now(self, time: int) -> None:
        self.fund.now = time

    def fork(self) -> Self:
        """A copy that can be changed."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list | dict):
                setattr(other, name, copy(value))
        other.listed = [list(accounts) for accounts in self.listed]
        other.fund = self.fund.fork(other)
        return other

    def pass_time(self, seconds: int) -> None:
        """The next block."""
        self.now += seconds

    def backed(self) -> set[int]:
        """The markets whose backing matters: those of the pools that have inventory."""
        pools = {self.fund.books[market].pool for (market, _), held in self.inventory.items() if held.size}
        if any(self.fund.pools[pool].is_mutual for pool in pools):
            pools |= set(self.fund.group)
        return {market for market, book in self.fund.books.items() if book.pool in pools}

    def state(self, orders: list[Order], backed: Container[int]) -> State:
        """As the reader contract shows it."""
        return State(
            self.tokens,
            self.rounds,
            self.treasury,
            self.keepers,
            sum(self.bonds) + sum(self.claimable),
            tuple(self.wallets),
            tuple(self.epochs),
            tuple(self.bonds),
            tuple(self.claimable),
            tuple(self.filled.get(order, 0) for order in orders),
            tuple(map(self._pool_state, POOLS)),
            tuple(zip(self.fund.overdrawn, self.fund.deficits(), strict=True)),
            tuple(self._market_state(spec, is_backed=spec.id in backed) for spec in MARKETS),
            dict(self.accounts),
        )

    # ------------------------------------------------------------------ views

    def _pool_state(self, pool: int) -> PoolState:
        fund = self.fund
        shares, terms = fund.shares[pool], fund.pools[pool]
        entries = sum(self.inventory[market.id, side].entry for market in fund.markets_of(pool) for side in (0, 1))
        try:
            assets = fund.assets(pool)
        except Refused:
            assets = 0
        return PoolState(
            fund.cash[pool],
            fund.cash[pool] - entries,
            fund.items[pool],
            terms.cap,
            terms.cooldown,
            shares.supply,
            assets,
            {BY_ADDRESS[owner]: held for owner, held in shares.held.items() if held},
            {BY_ADDRESS[owner]: exit_ for owner, exit_ in shares.exits.items()},
        )

    def _market_state(self, spec: Market, *, is_backed: bool) -> MarketState:
        try:
            mark, live = self.mark_or_last(spec.id)
        except Refused:
            mark, live = 0, False
        try:
            backing = self.backing(spec.id) if is_backed else None
        except Refused:
            backing = None
        book = self.fund.books[spec.id]
        holders = sum(is_cross(account) and bool(held.held(spec.id).size) for account, held in self.accounts.items())
        return MarketState(
            self.interest[spec.id - 1],
            book.pool,
            holders,
            self.parameters[spec.id - 1],
            self.initial(spec.id),
            self.band(spec.id),
            self.funding[spec.id - 1],
            self.inventory[spec.id, 0],
            self.inventory[spec.id, 1],
            Seen(book.seen, book.stress, book.last_due),
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
        return index_after(funding.index, funding.premium, funding.volume, self.interest[market - 1])

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
        self.realize(market, Item.FUNDING, -paid)

    # ------------------------------------------------------------------ the fund

    def checkpoint(self, market: int) -> None:
        """Samples a market's result, and keeps or ends the memory of its trigger."""
        self.fund.checkpoint(self.fund.books[market])

    def backing(self, market: int) -> Backing:
        """What the fund says of a market now."""
        return backing_of(self.fund.standing(self.fund.books[market]))

    def realize(self, market: int, item: Item, result: int) -> None:
        """A result of the market, in its pool."""
        self.fund.realize(self.fund.books[market], item, result)

    # ------------------------------------------------------------------ the fractions in force

    def initial(self, market: int) -> int:
        """The initial margin fraction, which rises with the drawdown."""
        parameters, steps = self.parameters[market - 1], self.fund.books[market].applied[0]
        fraction, step = parameters.initial_margin_fraction, parameters.initial_margin_step
        return staking.stressed_margin_fraction(fraction, step, steps)

    def band(self, market: int) -> int:
        """The price band, which narrows while ADL is on."""
        parameters = self.parameters[market - 1]
        is_narrow = self.fund.books[market].applied[1] and parameters.stress_band
        return parameters.stress_band if is_narrow else parameters.price_band

    def set_parameters(self, market: int, parameters: MarketParameters) -> None:
        """Others, with what was last sampled in force."""
        book = self.fund.books[market]
        self.parameters[market - 1] = parameters
        book.applied = book.stress, bool(book.seen)

    def quote(self, market: int) -> Quote:
        """What a position is valued by, at the last accepted price where the feed is dead."""
        parameters = self.parameters[market - 1]
        return Quote(
            self.mark_or_last(market)[0],
            self.index(market),
            self.initial(market),
            parameters.maintenance_margin_fraction,
        )

    def pay_in(self, trader: int, amount: int) -> None:
        """Tokens from a wallet to the exchange."""
        require(amount <= self.wallets[trader], "wallet")
        self.wallets[trader] -= amount
        self.tokens += amount * TOKEN_SCALE

    def pay_out(self, trader: int, amount: int) -> int:
        """Tokens from the exchange to a wallet, in part while there is an open deficit. Returns what was paid."""
        paid = self.fund.payable(amount, self.tokens)
        # Only where bankrupt accounts are short of something: S1.
        require(paid * TOKEN_SCALE <= self.tokens, "more than all the tokens there are")
        self.tokens -= paid * TOKEN_SCALE
        self.wallets[trader] += paid
        return paid

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
        self.keepers += funding.fees - to_pool - to_treasury
        self.funding[market - 1] = funding._replace(pot=funding.pot - funding.dust, fees=0, dust=0)
        self.realize(market, Item.FUNDING, funding.dust)
        self.fund.credit_fee(self.fund.books[market], Item.TRADING_FEE, to_pool)
        if to_treasury:
            self.fund.credit_treasury(to_treasury)


def require(holds: bool, rule: str) -> None:
    """Raises Refused unless it holds."""
    if not holds:
        raise Refused(rule)


def backing_of(standing: Standing) -> Backing:
    """Without the drawdown, which is there to be shown."""
    return Backing(*standing[:5], *standing[6:])
