"""What happens next in a history of the complete exchange, drawn from what is so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from backstop.account_id import is_cross, isolated_account
from backstop.math import margin
from backstop.math.wad import WAD
from scripts.stage.parameters import NO_BAND, UNLIMITED_NOTIONAL, UNLIMITED_OPEN_INTEREST, MarketParameters

from .accounts import TOKEN, Order, market_of
from .books import LONG, SIGN, Book, RefusedError
from .evm import FIRST_MARK, MARKETS, POOL_OF, POOLS, TRADERS, Evm, Trader
from .history import ALL, Fill, History
from .model import BACKSTOP_RATIO
from .pools import SIDES

CROSS = 1 << 95
HOUR = 3600
DAY = 24 * HOUR
PERCENT = WAD // 100


@dataclass(frozen=True)
class Plot:
    """What kind of history it is: initial margin fractions in thousandths, how far prices jump, what pools have."""

    name: str
    initial: tuple[int, ...] = (20, 50, 100)
    shock: tuple[int, int] = (30, 250)
    contribution: int = 20_000


PLOTS = (
    Plot("ordinary"),
    Plot("leveraged", initial=(5, 10, 20), shock=(5, 80)),
    Plot("poor", shock=(100, 500), contribution=300),
    Plot("calm", initial=(20, 50), shock=(10, 60), contribution=100_000),
)


def account_of(trader: Trader, market: int) -> bytes:
    """The isolated account in a market, or the cross account for 0."""
    if market:
        return isolated_account(trader.address, market)
    return (int(trader.address, 16) << 96 | CROSS).to_bytes(32, "big")


class Play:
    """One history."""

    def __init__(self, evm: Evm, plot: Plot, seed: int, reached: Counter[str]) -> None:
        self.plot, self.rng = plot, Random(f"complete {plot.name} {seed}")
        self.terms = {market: self._terms() for market in MARKETS}
        self.history = History(evm, self.rng, self.terms, reached)
        self.owners = {account_of(one, market): one for one in TRADERS for market in (0, *MARKETS)}

    def play(self, actions: int) -> None:
        """Sets it up, and acts until so many more actions are done."""
        for market in MARKETS:
            self.history.mark(market, FIRST_MARK * self.rng.randint(500, 1500) // 1000 + self.rng.randrange(10**9))
        for pool in POOLS:
            self.history.contribute(pool, 0, self._units(self.plot.contribution))
        for account in self.owners:
            if self.rng.random() < 0.8:
                self.history.deposit(self.owners[account], account, self._units(2_000))
        prepared = self.history.done
        while self.history.done < prepared + actions:
            self._keep_feeds_alive()
            self._act()
        self.history.check_paid()

    # ------------------------------------------------------------------ draws

    def _terms(self) -> MarketParameters:
        """Fractions, fees, funding and limits, none of them round; each kind of limit is there in some markets."""
        rng = self.rng
        initial = rng.choice(self.plot.initial) * WAD // 1000 + rng.randrange(10**9)
        maintenance = max(10**15, initial * rng.randint(300, 700) // 1000)
        whole = maintenance * rng.choice((0, 500, 1000, rng.randint(0, 1000))) // 1000
        discount = whole * rng.randint(0, 1000) // 1000
        pool_share = rng.randint(0, 1000) * WAD // 1000
        return MarketParameters(
            initial,
            maintenance,
            discount,
            whole - discount,
            maker_fee=rng.choice((0, 2, 10)) * PERCENT // 100 + rng.randrange(10**6),
            taker_fee=rng.choice((0, 5, 20)) * PERCENT // 100 + rng.randrange(10**6),
            price_band=rng.choice((NO_BAND, 5 * PERCENT, PERCENT)),
            funding_cap=rng.choice((0, PERCENT // 10, PERCENT, PERCENT)),
            max_notional=rng.choice((UNLIMITED_NOTIONAL, 100_000 * WAD, 30_000 * WAD)),
            min_size=rng.choice((0, WAD // 10, WAD)),
            max_open_interest=rng.choice((UNLIMITED_OPEN_INTEREST, 2_000 * WAD, 300 * WAD)),
            pool_fee_share=pool_share,
            treasury_fee_share=(WAD - pool_share) * rng.randint(0, 1000) // 1000,
        )

    def _units(self, most: int) -> int:
        return self.rng.randint(1, most * 10**6)

    def _market(self) -> Book:
        return self.history.model.books[self.rng.choice(MARKETS)]

    def _somebody(self, market: int) -> bytes:
        """An account that may hold a market, more often one that does; sometimes a cross account where none may."""
        model = self.history.model
        there = [account for (account, held_in), held in model.holdings.items() if held_in == market and held.size]
        if there and self.rng.random() < 0.5:
            return self.rng.choice(there)
        cross = (POOLS[POOL_OF[market]] and self.rng.random() < 0.6) or self.rng.random() < 0.02
        return account_of(self.rng.choice(TRADERS), 0 if cross else market)

    # ------------------------------------------------------------------ what happens

    def _act(self) -> None:
        due = self._due()
        if due and self.rng.random() < 0.6:
            self.rng.choice(due)()
            return
        weights: dict[Callable[[], object], float] = {
            self._trade: 60,
            self._batch: 4,
            self._drift: 3,
            self._shock: 4,
            self._hunt: 7,
            self._hours: 7,
            self._liquidate_any: 1,
            self._take_over_any: 1,
            self._buy: 2,
            self._round_any: 1,
            self._deposit: 5,
            self._withdraw: 4,
            self._transfer: 3,
            self._contribute: 1,
            self._sweep: 2,
            self._collect: 1,
            self._parameters: 1,
            self._silence: 2,
            self._flag: 2,
            lambda: self.history.checkpoint(self._market().id): 2,
            lambda: self.history.accrue(self._market().id): 2,
        }
        (act,) = self.rng.choices(list(weights), list(weights.values()))
        act()

    def _due(self) -> list[Callable[[], object]]:
        """Liquidations, takeovers, rounds and purchases that are called for."""
        model = self.history.model
        due: list[Callable[[], object]] = []
        for account in model.margins:
            legs = model.legs(account)
            if not legs or any(book.mark == book.accepted == 0 for book in legs):
                continue
            own = model.shown(account)
            if margin.is_to_be_taken_over(own.equity, own.maintenance, BACKSTOP_RATIO):
                due.append(partial(self.history.take_over, account))
            elif margin.is_liquidatable(own.equity, own.maintenance):
                due.append(partial(self._liquidate, account))
        for book in model.books.values():
            for side in SIDES:
                if book.inventories[side].size and book.mark:
                    if model.fund.terms(book, side, model.now):
                        due += [partial(self._round, book, side)] * 2
                    elif self.rng.random() < 0.03:
                        due.append(self._buy)
        return due

    def _fill(self) -> Fill | None:
        """Two accounts near mark: opening, growing, reducing, closing, flipping; at times more than margins allow."""
        model, rng, book = self.history.model, self.rng, self._market()
        maker, taker = self._somebody(book.id), self._somebody(book.id)
        price = book.mark or book.accepted or FIRST_MARK
        if maker == taker:
            return None
        held = model.held(taker, book).size
        if held and rng.random() < 0.5:
            part = rng.choice((1000, 1000, rng.randint(1, 999), rng.randint(1001, 1999)))
            contracts = -held * part // 1000
        else:
            room = (
                min(max(0, self._equity(account)) for account in (maker, taker))
                * WAD
                // book.terms.initial_margin_fraction
            )
            contracts = room * rng.randint(10, 700) // 1000 * WAD // price * rng.choice((-1, 1))
        off = rng.choice((0, rng.randint(-5, 5), rng.randint(-12, 12), rng.randint(-60, 60)))
        price = max(1, price + price * off // 1000 + rng.randrange(10**6))
        reduce_only = rng.random() < 0.05
        return (book.id, Order(maker), Order(taker, reduce_only), contracts, price) if contracts else None

    def _equity(self, account: bytes) -> int:
        try:
            return self.history.model.shown(account).equity
        except RefusedError:
            return 0

    def _trade(self) -> None:
        fill = self._fill()
        if fill:
            self.history.trade(fill)

    def _batch(self) -> None:
        fills = [fill for fill in (self._fill() for _ in range(self.rng.randint(2, 4))) if fill]
        if fills:
            self.history.batch(fills)

    def _jump(self, book: Book, thousandths: int) -> None:
        before = book.mark or book.accepted or FIRST_MARK
        after = before * (1000 + thousandths) // 1000 + self.rng.randrange(10**9)
        self.history.mark(book.id, min(max(FIRST_MARK // 50, after), 50 * FIRST_MARK))

    def _drift(self) -> None:
        self._jump(self._market(), self.rng.randint(-15, 15))

    def _shock(self) -> None:
        """In one market, or in all of them."""
        thousandths = self.rng.choice((-1, 1)) * self.rng.randint(*self.plot.shock)
        for market in self.rng.choice(([self._market().id], list(MARKETS))):
            self._jump(self.history.model.books[market], thousandths)

    def _hunt(self) -> None:
        """A price at which one account has about its maintenance margin, or somewhat less."""
        model = self.history.model
        holders = [(account, market) for (account, market), held in model.holdings.items() if held.size]
        if not holders:
            return
        account, market = self.rng.choice(holders)
        book, held = model.books[market], model.held(account, model.books[market])
        others = [other for other in model.legs(account) if other is not book]
        if any(other.mark == other.accepted == 0 for other in (book, *others)):
            return
        legs = [other.leg(model.held(account, other), other.shown) for other in others]
        cash = model.shown(account).collateral - held.entry - sum(leg.entry_notional for leg in legs)
        fraction, required = book.terms.maintenance_margin_fraction, margin.maintenance_margin(legs)
        price = margin.liquidation_price(held.size, fraction, cash, required, sum(leg.value for leg in legs))
        if price is not None and FIRST_MARK // 50 < price < 50 * FIRST_MARK:
            beyond = price * fraction // WAD * self.rng.randint(-20, 550) // 1000
            self.history.mark(market, price - beyond if held.size > 0 else price + beyond)

    def _hours(self) -> None:
        """Time goes by, to just before or just after the end of an hour, or through several."""
        hours, self.history.now = self.rng.choice((0, 1, 1, 2, 9)), self.history.now
        edge = (self.history.now // HOUR + 1 + hours) * HOUR
        self.history.now = max(self.history.now, edge + self.rng.choice((-1, 0, 1, self.rng.randint(0, HOUR))))
        self.history.accrue(self._market().id)

    def _keep_feeds_alive(self) -> None:
        for market, at in self.history.published.items():
            book = self.history.model.books[market]
            if self.history.now - at > DAY and book.mark:
                self.history.mark(market, book.mark)

    def _silence(self) -> None:
        """A feed dies, at times right after a shock that was accepted; or the dead come back."""
        dead = [book for book in self.history.model.books.values() if book.mark == 0]
        if dead:
            for book in dead:
                self._jump(book, self.rng.randint(-50, 50))
            return
        book = self._market()
        if self.rng.random() < 0.7:
            self._jump(book, self.rng.choice((-1, 1)) * self.rng.randint(*self.plot.shock))
            # Whoever withdraws has the price accepted.
            holders = [account for account in self.owners if self.history.model.held(account, book).size]
            richest = max(holders, key=self._room, default=None)
            if richest is not None:
                self.history.withdraw(self.owners[richest], richest, 1)
        if book.id in self._accepted():
            self.history.mark(book.id, 0)

    def _accepted(self) -> set[int]:
        return {market for market, book in self.history.model.books.items() if book.accepted}

    def _liquidate(self, account: bytes) -> None:
        """By somebody's account of either kind, all that is needed or less."""
        legs = self.history.model.legs(account)
        book = self.rng.choice(legs or [self._market()])
        onto = self._somebody(book.id)
        if self.rng.random() < 0.8:
            may = (0, book.id) if POOLS[POOL_OF[book.id]] else (book.id,)
            onto = max((one for one in self.owners if one != account and market_of(one) in may), key=self._equity)
        if not is_cross(account) and market_of(account) != book.id:
            return
        contracts = abs(self.history.model.held(account, book).size)
        most = self.rng.choice((ALL, ALL, ALL, self.rng.randint(0, contracts)))
        self.history.liquidate(account, book.id, self.owners[onto], onto, most)

    def _liquidate_any(self) -> None:
        self._liquidate(self.rng.choice(list(self.owners)))

    def _take_over_any(self) -> None:
        self.history.take_over(self.rng.choice(list(self.owners)))

    def _buy(self) -> None:
        book = self._market()
        held = [each for each in self.history.model.books.values() if any(one.size for one in each.inventories)]
        if held and self.rng.random() < 0.9:
            book = self.rng.choice(held)
        side = self.rng.choice([side for side in SIDES if book.inventories[side].size] or SIDES)
        buyer, size = self._somebody(book.id), abs(book.inventories[side].size)
        most = self.rng.choice((ALL, self.rng.randint(0, size), size // 10))
        worst = ALL if side == LONG else 0
        limit = self.rng.choice((worst, worst, max(1, book.mark)))
        self.history.buy(self.owners[buyer], buyer, book.id, side, most, limit)

    def _round(self, book: Book, side: int) -> None:
        """Against all, or some of the accounts, in any order and some of them twice."""
        holders = [
            account
            for (account, market), held in self.history.model.holdings.items()
            if market == book.id and held.size * SIGN[side] < 0
        ]
        candidates = self.rng.sample(holders, self.rng.choice((len(holders), self.rng.randint(0, len(holders)))))
        candidates += self.rng.sample(list(self.owners), self.rng.choice((0, 0, 3)))
        self.rng.shuffle(candidates)
        self.history.deleverage(book.id, side, candidates)

    def _round_any(self) -> None:
        self._round(self._market(), self.rng.choice(SIDES))

    def _deposit(self) -> None:
        account = self.rng.choice(list(self.owners))
        self.history.deposit(self.owners[account], account, self._units(2_000))

    def _withdraw(self) -> None:
        """About what may leave, or anything."""
        account = self.rng.choice(list(self.owners))
        room = self._room(account) // TOKEN
        amount = self.rng.choice((room, room + 1, max(1, room // 2), self._units(500)))
        self.history.withdraw(self.owners[account], account, max(1, amount))

    def _room(self, account: bytes) -> int:
        try:
            own = self.history.model.shown(account)
        except RefusedError:
            return 0
        return max(0, margin.withdrawable(own.collateral, [own.losses], own.initial))

    def _transfer(self) -> None:
        owner = self.rng.choice(TRADERS)
        source, target = (account_of(owner, self.rng.choice((0, *MARKETS))) for _ in range(2))
        room = self._room(source) // TOKEN
        amount = self.rng.choice((room, room + 1, max(1, room // 2)))
        self.history.transfer(owner, source, target, max(1, amount))

    def _contribute(self) -> None:
        pool = self.rng.choice(list(POOLS))
        named = [market for market, of in POOL_OF.items() if of == pool]
        market = self.rng.choice((0, self.rng.choice(named)))
        self.history.contribute(pool, market, self._units(self.plot.contribution // 10))

    def _sweep(self) -> None:
        self.history.sweep(self._market().id)

    def _collect(self) -> None:
        held = self.history.model.treasury // TOKEN
        self.history.collect(self.rng.choice((held, held + 1, held // 2)))

    def _parameters(self) -> None:
        self.history.set_parameters(self._market().id, self._terms())

    def _flag(self) -> None:
        """The poorest of those with positions, or anybody."""
        model = self.history.model
        rates = {}
        for account in self.owners:
            legs = model.legs(account)
            if legs and all(book.mark for book in legs):
                own = model.shown(account)
                rates[account] = own.equity - own.initial
        poorest = min(rates, key=lambda account: rates[account], default=None)
        self.history.flag(poorest if poorest and self.rng.random() < 0.7 else self.rng.choice(list(self.owners)))
