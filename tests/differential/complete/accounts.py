"""The exchange in plain Python: accounts, isolated and cross, and what traders do with them.

Every elementary formula is one of `backstop.math`; what is done with them, and in which order, is told here. An action
that is refused raises the contracts' error, and whoever called it throws the state away: see `Exchange.fork`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from backstop.account_id import account_text, is_cross
from backstop.math import fees, funding, margin
from backstop.math.position import PositionState, apply_trade, trade_value
from backstop.math.wad import WAD, mul_floor
from scripts.stage.parameters import NO_BAND, MarketParameters
from tests.support.capital import ISOLATED
from tests.support.enums import Item

from .books import TOKEN, Book, Health, Holding, RefusedError
from .pools import Fund

FLAT = Holding()
Position = tuple[bytes, int]  # account and market


def market_of(account: bytes) -> int:
    """The one market of an isolated account; 0 of a cross account."""
    return int.from_bytes(account, "big") >> 64 & 0xFFFF


@dataclass(frozen=True)
class Order:
    """One side of a fill: who, and whether it may only bring the position nearer to zero."""

    account: bytes
    reduce_only: bool = False


@dataclass
class Accounts:
    """Markets, pools and accounts. `margins` are those of isolated and of cross accounts alike."""

    books: dict[int, Book]
    fund: Fund
    address: str = ""
    tokens: int = 0
    treasury: int = 0
    keepers: int = 0
    warning_rate: int = 8 * WAD // 10
    holdings: dict[Position, Holding] = field(default_factory=dict)
    margins: dict[bytes, int] = field(default_factory=dict)
    cross_listed: frozenset[bytes] = frozenset()

    @property
    def now(self) -> int:
        """The present."""
        return self.fund.now

    # ------------------------------------------------------------------ what an account has

    def held(self, account: bytes, book: Book) -> Holding:
        """Its position in a market."""
        return self.holdings.get((account, book.id), FLAT)

    def legs(self, account: bytes) -> list[Book]:
        """The markets in which it holds something, by id."""
        markets = self.books.values() if is_cross(account) else [self.books[market_of(account)]]
        return [book for book in markets if self.held(account, book).size]

    def health(self, account: bytes, marks: dict[int, int]) -> Health:
        """Where it stands at these prices of the markets it holds, funding taken off but not settled."""
        collateral = self.margins.get(account, 0)
        unrealized, initial, legs = [], 0, []
        for book in self.legs(account):
            held, mark = self.held(account, book), marks[book.id]
            collateral -= funding.payment(held.size, book.index_at(self.now) - held.index)
            legs.append(book.leg(held, mark))
            unrealized.append(legs[-1].unrealized_pnl)
            initial += margin.margin_requirement(held.size, mark, book.initial)
        losses = sum(min(0, one) for one in unrealized)
        own = margin.equity(collateral, legs)
        return Health(collateral, own, losses, margin.maintenance_margin(legs), initial)

    def shown(self, account: bytes) -> Health:
        """At mark, and where a feed is dead at the last accepted price."""
        return self.health(account, {book.id: book.shown for book in self.legs(account)})

    def accepted(self, account: bytes) -> Health:
        """At marks that are accepted now."""
        return self.health(account, {book.id: book.accept() for book in self.legs(account)})

    # ------------------------------------------------------------------ collateral

    def deposit(self, account: bytes, amount: int) -> None:
        """Token units into an account."""
        self._credit(account, amount)
        self.tokens += amount * TOKEN

    def withdraw(self, account: bytes, amount: int) -> None:
        """Token units out of an account."""
        self._debit(account, amount)
        self.pay(amount)

    def pay(self, amount: int) -> int:
        """Token units to anybody, in part while there is an open deficit; the exchange may hold fewer than it owes."""
        paid = self.fund.payable(amount, self.tokens)
        if self.tokens < paid * TOKEN:
            raise RefusedError(f"ERC20InsufficientBalance({self.address}, {self.tokens // TOKEN}, {paid})")
        self.tokens -= paid * TOKEN
        return paid

    def transfer(self, source: bytes, target: bytes, amount: int) -> None:
        """Between accounts of one owner."""
        if source == target:
            raise RefusedError(f"TransferToSelf({account_text(source)})")
        self._debit(source, amount)
        self._credit(target, amount)

    def _credit(self, account: bytes, amount: int) -> None:
        if is_cross(account):
            self.cross_listed |= {account}
        else:
            self._enlist(account, self.books[market_of(account)])
        self.margins[account] = self.margins.get(account, 0) + amount * TOKEN

    def _debit(self, account: bytes, amount: int) -> None:
        sum_of = self.accepted(account)
        left = sum_of.collateral - amount * TOKEN
        if margin.withdrawable(left, [sum_of.losses], sum_of.initial) < 0:
            who, available = account_text(account), left + sum_of.losses
            raise RefusedError(f"MarginInsufficient({who}, {available}, {sum_of.initial})")
        self.margins[account] = self.margins.get(account, 0) - amount * TOKEN

    def _enlist(self, account: bytes, book: Book) -> None:
        book.listed |= {account}
        if is_cross(account):
            self.cross_listed |= {account}

    # ------------------------------------------------------------------ trades

    def trade(self, market: int, maker: Order, taker: Order, contracts: int, price: int) -> None:
        """The taker takes signed `contracts` from the maker."""
        book = self.books[market]
        terms, mark = book.terms, book.accept()
        if book.band != NO_BAND and fees.is_outside_band(price, mark, book.band):
            raise RefusedError(f"PriceOutsideBand({price}, {mark}, {book.band})")
        book.accrue(self.now)
        value = trade_value(contracts, price)
        costs = fees.trading_fee(value, terms.maker_fee), fees.trading_fee(value, terms.taker_fee)
        book.fees += sum(costs)
        if terms.funding_cap:
            book.premium += funding.premium_of(abs(contracts), price, mark, terms.funding_cap)
            book.volume += abs(contracts)
        longs = 0
        for order, sign, cost in ((maker, -1, costs[0]), (taker, 1, costs[1])):
            longs += self.take(order.account, book, sign * contracts, sign * value, cost, reduce_only=order.reduce_only)
        self.move_open_interest(book, longs)

    def take(
        self, account: bytes, book: Book, change: int, value: int, cost: int = 0, *, reduce_only: bool = False
    ) -> int:
        """A trade of an account by the rules for who trades of their own will. Returns the change of its longs."""
        who, marks = account_text(account), self.open(account, book)
        before, held = self.health(account, marks), self.held(account, book)
        if before.maintenance and before.equity <= 0:
            raise RefusedError(f"AccountBankrupt({who}, {before.equity})")
        reduces = held.size * change < 0 and abs(change) <= abs(held.size)
        if reduce_only and not reduces:
            raise RefusedError(f"OrderNotReducing({who}, {held.size}, {change})")
        self._enlist(account, book)
        longs = self.put(account, book, change, value)
        self.margins[account] -= cost
        self._check_limits(account, book, reduces)
        after = self.health(account, marks)
        if reduces:
            if after.equity < 0:
                raise RefusedError(f"EquityNegative({who}, {after.equity})")
            worse = after.equity == 0 or after.maintenance * before.equity > before.maintenance * after.equity
            if after.maintenance and worse:
                raise RefusedError(f"MarginRateWorse({who}, {after.equity}, {after.maintenance})")
        elif after.equity < after.initial:
            raise RefusedError(f"InitialMarginInsufficient({who}, {after.equity}, {after.initial})")
        if is_cross(account) and self.fund.pools[book.pool].kind == ISOLATED and self.held(account, book).size:
            raise RefusedError(f"MarketIsolatedOnly({book.id})")
        return longs

    def open(self, account: bytes, book: Book) -> dict[int, int]:
        """Settles a leg's funding, and accepts the marks of all the others; returns them with the market's own."""
        self.settle(account, book)
        others = {other.id: other.accept() for other in self.legs(account) if other is not book}
        return others | {book.id: book.mark}

    def settle(self, account: bytes, book: Book) -> None:
        """The account pays what a leg owes of funding into the market's pot."""
        held, index = self.held(account, book), book.accrue(self.now)
        paid = book.collect(held.size, index - held.index)
        if paid:
            self.margins[account] -= paid
        self.holdings[account, book.id] = held._replace(index=index)

    def put(self, account: bytes, book: Book, change: int, value: int) -> int:
        """Moves `(change, value)` onto a leg whose funding is settled. Returns the change of its longs."""
        held = self.held(account, book)
        after = apply_trade(PositionState(held.size, held.entry, self.margins.get(account, 0)), change, value)
        self.margins[account] = after.margin
        self.holdings[account, book.id] = Holding(after.size, after.entry_notional, held.index)
        return max(0, after.size) - max(0, held.size)

    def move_open_interest(self, book: Book, longs: int) -> None:
        """Open interest changes by that much, and grows no further than it may."""
        after, most = book.open_interest + longs, book.terms.max_open_interest
        if longs > 0 and after > most:
            raise RefusedError(f"OpenInterestTooLarge({book.id}, {after}, {most})")
        book.open_interest = after

    def _check_limits(self, account: bytes, book: Book, reduces: bool) -> None:
        contracts, terms, who = abs(self.held(account, book).size), book.terms, account_text(account)
        if 0 < contracts < terms.min_size:
            raise RefusedError(f"PositionTooSmall({who}, {contracts}, {terms.min_size})")
        notional = mul_floor(contracts, book.mark)
        if not reduces and notional > terms.max_notional:
            raise RefusedError(f"PositionTooLarge({who}, {notional}, {terms.max_notional})")

    # ------------------------------------------------------------------ funding and fees, and the owner

    def accrue(self, market: int) -> None:
        """Brings a market's index up to date."""
        self.books[market].accrue(self.now)

    def sweep(self, market: int) -> None:
        """Shares out the fees of a market; the dust of its funding goes to its pool."""
        book = self.books[market]
        shares = fees.share_fees(book.fees, book.terms.pool_fee_share, book.terms.treasury_fee_share)
        dust, book.fees, book.pot = book.pot.dust, 0, book.pot.swept()
        self.keepers += shares.keepers
        self.fund.realize(book, Item.FUNDING, dust)
        self.fund.credit_fee(book, Item.TRADING_FEE, shares.pool)
        if shares.treasury:
            self.fund.credit_treasury(shares.treasury)

    def set_parameters(self, market: int, terms: MarketParameters) -> None:
        """New ones, after the old ones have done what they are for."""
        self.accrue(market)
        self.sweep(market)
        book = self.books[market]
        book.terms = terms
        book.apply_stress(book.stress, is_on=bool(book.seen))

    def move_market(self, market: int, pool: int) -> None:
        """To another pool, by the owner."""
        book = self.books[market]
        holders = sum(
            is_cross(account) for (account, place), held in self.holdings.items() if place == market and held.size
        )
        if holders:
            raise RefusedError(f"MarketHeldInCross({market}, {holders})")
        self.accrue(market)
        self.sweep(market)
        self.fund.move_market(book, pool)

    def collect(self, amount: int) -> None:
        """Token units to the treasury."""
        if amount == 0:
            raise RefusedError("AmountZero()")
        if amount * TOKEN > self.treasury:
            raise RefusedError(f"TreasuryExceeded({amount * TOKEN}, {self.treasury})")
        self.treasury -= amount * TOKEN
        self.pay(amount)

    def flag(self, account: bytes) -> None:
        """A margin call."""
        own = self.accepted(account)
        rate = self.warning_rate
        if not own.maintenance or not margin.is_margin_call_due(own.equity, own.maintenance, own.initial, rate):
            values = f"{account_text(account)}, {own.equity}, {own.maintenance}, {own.initial}"
            raise RefusedError(f"MarginCallNotDue({values})")

    # ------------------------------------------------------------------ what must always hold

    def claims(self) -> int:
        """What everybody may claim of the tokens held."""
        accounts = sum(self.margins.values()) - sum(held.entry for held in self.holdings.values())
        pots = sum(book.pot.amount + book.fees for book in self.books.values())
        return accounts + pots + self.treasury + self.keepers + sum(map(self.fund.claim, self.fund.cash))

    def positions(self, book: Book) -> Iterator[tuple[int, int]]:
        """Size and settled index of everybody in a market, the pool's inventories among them."""
        for (_, market), held in self.holdings.items():
            if market == book.id and held.size:
                yield held.size, held.index
        for one in book.inventories:
            if one.size:
                yield one.size, one.index
