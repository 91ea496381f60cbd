"""What happens next in a history of the complete exchange, drawn from what is so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from backstop.account_id import is_cross
from backstop.math import margin, staking
from backstop.math.staking import MAX_WAIT
from backstop.math.wad import WAD
from scripts.stage.parameters import NO_BAND, UNLIMITED_NOTIONAL, UNLIMITED_OPEN_INTEREST, MarketParameters
from tests.support.capital import NO_CAP, SHARED

from .accounts import Order, market_of
from .books import LONG, SIGN, TOKEN, Book, RefusedError
from .evm import FIRST_MARK, MARKETS, POOLS, TRADERS, Evm, Trader, account_of
from .history import ALL, Fill, History
from .model import BACKSTOP_RATIO
from .pools import SIDES

HOUR = 3600
DAY = 24 * HOUR
PERCENT = WAD // 100


@dataclass(frozen=True)
class Plot:
    """What kind of history it is.

    Initial margin fractions in thousandths, how far prices jump, what pools are given, how much more often stakers act
    than elsewhere, in which markets most happens, whether margins and bands follow the drawdown, and how often winners
    leave with what they won.
    """

    name: str
    initial: tuple[int, ...] = (20, 50, 100)
    shock: tuple[int, int] = (30, 250)
    contribution: int = 20_000
    staking: int = 1
    markets: tuple[int, ...] = MARKETS
    has_feedback: bool = False
    deserts: float = 0.1


PLOTS = (
    Plot("ordinary"),
    Plot("leveraged", initial=(5, 10, 20), shock=(5, 80), has_feedback=True),
    Plot("poor", shock=(100, 500), contribution=300, staking=2),
    Plot("calm", initial=(20, 50), shock=(10, 60), contribution=100_000),
    Plot("staked", shock=(10, 150), contribution=2_000, staking=8, has_feedback=True),
    Plot("mutual", shock=(50, 400), contribution=600, staking=3, markets=(1, 5, 6)),
    Plot("penniless", initial=(50, 100), shock=(20, 100), contribution=60, staking=2, deserts=4),
    Plot("mutual and penniless", initial=(50,), contribution=60, staking=3, markets=(1, 5, 6), deserts=4),
)


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
            self.history.set_staking(pool, NO_CAP, self.rng.choice((8 * HOUR, DAY, 3 * DAY)))
            self.history.contribute(pool, 0, self._units(self.plot.contribution))
            self.history.stake(self.rng.choice(TRADERS), pool, self._units(self.plot.contribution))
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
        # Each of the two is bounded, however large the maintenance margin is.
        discount, fee = min(discount, 5 * PERCENT), min(whole - discount, 5 * PERCENT)
        pool_share = rng.randint(0, 1000) * WAD // 1000
        band = rng.choice((NO_BAND, 5 * PERCENT, PERCENT))
        has_feedback = self.plot.has_feedback
        return MarketParameters(
            initial,
            maintenance,
            discount,
            fee,
            maker_fee=rng.choice((0, 2, 10)) * PERCENT // 100 + rng.randrange(10**6),
            taker_fee=rng.choice((0, 5, 20)) * PERCENT // 100 + rng.randrange(10**6),
            price_band=band,
            funding_cap=min(rng.choice((0, PERCENT // 10, PERCENT, PERCENT)), maintenance // 2),
            max_notional=rng.choice((UNLIMITED_NOTIONAL, 100_000 * WAD, 30_000 * WAD)),
            min_size=rng.choice((0, WAD // 10, WAD)),
            max_open_interest=rng.choice((UNLIMITED_OPEN_INTEREST, 2_000 * WAD, 300 * WAD)),
            pool_fee_share=pool_share,
            treasury_fee_share=(WAD - pool_share) * rng.randint(0, 1000) // 1000,
            initial_margin_step=rng.choice((0, initial, initial * rng.randint(0, 1000) // 1000)) if has_feedback else 0,
            stress_band=rng.choice((0, min(band, PERCENT) // 2, PERCENT // 10)) if has_feedback else 0,
        )

    def _units(self, most: int) -> int:
        return self.rng.randint(1, most * 10**6)

    def _market(self) -> Book:
        markets = self.plot.markets if self.rng.random() < 0.8 else MARKETS
        return self.history.model.books[self.rng.choice(markets)]

    def _pool(self) -> int:
        """That of a market in which much happens, mostly."""
        return self._market().pool if self.rng.random() < 0.9 else self.rng.choice(list(POOLS))

    def _is_shared(self, book: Book) -> bool:
        return self.history.model.fund.pools[book.pool].kind == SHARED

    def _somebody(self, market: int) -> bytes:
        """An account that may hold a market, more often one that does; sometimes a cross account where none may."""
        model = self.history.model
        there = [account for (account, held_in), held in model.holdings.items() if held_in == market and held.size]
        if there and self.rng.random() < 0.5:
            return self.rng.choice(there)
        is_shared = self._is_shared(model.books[market])
        cross = (is_shared and self.rng.random() < 0.6) or self.rng.random() < 0.02
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
            self._desert: self.plot.deserts,
            self._redistribute_any: 0.3,
            self._repay: 0.3,
            self._renew: 0.2,
            self._move: 0.7,
            self._staking: 0.7 * self.plot.staking,
            self._stake: 1.5 * self.plot.staking,
            self._request: 1.5 * self.plot.staking,
            self._cancel: 0.3 * self.plot.staking,
            self._leave: 1.0 * self.plot.staking,
            self._days: 0.2 * self.plot.staking,
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
                    if model.fund.terms(book, side):
                        due += [partial(self._round, book, side)] * 2
                    elif self.rng.random() < 0.03:
                        due.append(self._buy)
        due += self._due_of_pools()
        return due

    def _due_of_pools(self) -> list[Callable[[], object]]:
        """Ripe exits, redistribution, repayments and new shares, each at times."""
        fund = self.history.model.fund
        due: list[Callable[[], object]] = []
        for pool, shares in fund.shares.items():
            for owner, asked in shares.exits.items():
                if asked.ripe_at <= fund.now and self.rng.random() < 0.1:
                    due.append(partial(self._settle, _trader_of(owner), pool))
            if shares.supply and fund.is_wiped_out(pool) and self.rng.random() < 0.1:
                due.append(partial(self.history.renew, pool))
        if fund.overdrawn and sum(fund.deficits()) and self.rng.random() < 0.5:
            due += [self._repay, self._withdraw, self._withdraw, self._collect, self._sweep, self._leave]
        balances = fund.group_balances()
        if sum(balances) <= 0 < max(balances) and self.rng.random() < 0.4:
            due.append(self.history.redistribute)
        if min(balances) < 0 < sum(balances) and self.rng.random() < 0.8:
            due.append(self._leave_with_a_burden)
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
            may = (0, book.id) if self._is_shared(book) else (book.id,)
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
        pool = self._pool()
        market = self.rng.choice((0, *(book.id for book in self.history.model.fund.books_of(pool))))
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

    # ------------------------------------------------------------------ stakes and deficits

    def _stake(self) -> None:
        """Of any size, now and then so little that it gives no share, or what is just too much for a cap."""
        fund, pool, owner = self.history.model.fund, self._pool(), self.rng.choice(TRADERS)
        most = self.rng.choice((10, 10, max(1, self.plot.contribution)))
        if self.rng.random() < 0.15:
            worth = staking.assets_to_shares(self._units(most), fund.assets(pool), fund.shares[pool].supply)
            self.history.mint(owner, pool, worth)
            return
        amount = self._units(most)
        cap = fund.pools[pool].cap
        if cap != NO_CAP and self.rng.random() < 0.5:
            amount = max(0, cap - fund.balance(pool)[0]) // TOKEN + self.rng.choice((0, 1))
        self.history.stake(owner, pool, amount if self.rng.random() < 0.95 else self.rng.choice((0, 1)))

    def _request(self) -> None:
        """Of somebody who has shares, mostly."""
        pool = self._pool()
        shares = self.history.model.fund.shares[pool]
        holders = [one for one in TRADERS if shares.held.get(one.address)]
        owner = self.rng.choice(holders or TRADERS)
        held = shares.held.get(owner.address, 0)
        self.history.request(owner, pool, self.rng.choice((held, held, held // 2, held // 3, held + 1, 0)))

    def _leaving(self) -> list[tuple[Trader, int]]:
        """Who has asked for an exit, and from which pool."""
        fund = self.history.model.fund
        return [(_trader_of(owner), pool) for pool, shares in fund.shares.items() for owner in shares.exits]

    def _cancel(self) -> None:
        owner, pool = self.rng.choice(self._leaving() or [(self.rng.choice(TRADERS), self._pool())])
        self.history.cancel(owner, pool)

    def _leave(self) -> None:
        """A whole exit or a part of it, in shares or in assets."""
        fund = self.history.model.fund
        ripe = [
            (owner, pool)
            for owner, pool in self._leaving()
            if fund.shares[pool].exits[owner.address].ripe_at <= fund.now
        ]
        somebody = [(self.rng.choice(TRADERS), self._pool())]
        owner, pool = self.rng.choice(ripe if ripe and self.rng.random() < 0.9 else self._leaving() or somebody)
        asked = fund.shares[pool].exits.get(owner.address)
        shares, value = (asked.shares, asked.value) if asked else (1, 1)
        if self.rng.random() < 0.4:
            self._settle(owner, pool)
        elif self.rng.random() < 0.5:
            self.history.redeem(owner, pool, self.rng.choice((shares, shares // 2, shares // 7, shares + 1, 1)))
        else:
            self.history.withdraw_exit(owner, pool, self.rng.choice((value, value // 3, value + 1, 1)))

    def _settle(self, owner: Trader, pool: int) -> None:
        self.history.settle(self.rng.choice((owner, self.rng.choice(TRADERS))), owner, pool)

    def _leave_with_a_burden(self) -> None:
        """Of a pool whose group has a depleted member: who has asked goes once that no longer counts."""
        fund = self.history.model.fund
        leaving = [(owner, pool) for owner, pool in self._leaving() if fund.pools[pool].is_mutual]
        ripe = [
            (owner, pool)
            for owner, pool in leaving
            if fund.shares[pool].exits[owner.address].ripe_at + MAX_WAIT <= fund.now
        ]
        if ripe:
            owner, pool = self.rng.choice(ripe)
            self.history.settle(owner, owner, pool)
        elif leaving:
            self._days()
        else:
            self._request()

    def _desert(self) -> None:
        """A loser is bankrupt, the winner leaves with everything, and only a newcomer without means is left to pay."""
        model, book = self.history.model, self._market()
        owners = self.rng.sample(TRADERS, 3)
        loser, winner, newcomer = accounts = [account_of(owner, book.id) for owner in owners]
        if book.mark == 0 or any(model.held(account, book).size for account in accounts):
            return
        for owner, account in zip(owners, accounts, strict=True):
            self.history.deposit(owner, account, self._units(400) + 200 * 10**6)
        sign, price = self.rng.choice((-1, 1)), book.mark
        initial, most = book.initial, min(self._equity(account) for account in accounts)
        contracts = sign * (most * 7 // 10 * WAD // initial * WAD // price)
        # Kept within a wei of mark, for the band.
        if not self.history.trade((book.id, Order(winner), Order(loser), contracts, price)):
            return
        book = self.history.model.books[book.id]
        self._jump(book, -sign * 3 * max(1, initial * 1000 // WAD))
        price = self.history.model.books[book.id].mark
        self.history.trade((book.id, Order(newcomer), Order(winner), contracts, price))
        self.history.withdraw(owners[1], winner, max(1, self._room(winner) // TOKEN))
        self.history.take_over(loser)

    def _days(self) -> None:
        """So many that exits ripen, or have waited for long enough; all feeds that are alive go on."""
        for _ in range(self.rng.choice((1, 2, 4, 17))):
            self.history.now += 20 * HOUR
            for market, book in self.history.model.books.items():
                if book.mark:
                    self.history.mark(market, book.mark)

    def _staking(self) -> None:
        """A cap near what the pool has, or none; now and then a cooldown that is too short."""
        pool = self._pool()
        balance = max(0, self.history.model.fund.balance(pool)[0])
        cap = self.rng.choice(
            (
                NO_CAP,
                NO_CAP,
                min(NO_CAP, balance + self._units(10) * TOKEN),
                balance * self.rng.randint(0, 1100) // 1000,
            )
        )
        cooldown = self.rng.choice((8 * HOUR, 8 * HOUR, DAY, 14 * DAY, 8 * HOUR - 1))
        self.history.set_staking(pool, cap, cooldown)

    def _redistribute_any(self) -> None:
        self.history.redistribute()

    def _repay(self) -> None:
        """What a pool lacks, a part of it, or a unit too much."""
        fund = self.history.model.fund
        lacking = dict(zip(fund.overdrawn, fund.deficits(), strict=True))
        pool = self.rng.choice([pool for pool, part in lacking.items() if part] or [*lacking, self._pool()])
        whole = -(-lacking.get(pool, 0) // TOKEN)
        self.history.repay(pool, self.rng.choice((whole, whole + 1, whole // 2, whole // 3, 1)))

    def _renew(self) -> None:
        self.history.renew(self._pool())

    def _move(self) -> None:
        """A market to another pool, mostly one that has room."""
        fund, book = self.history.model.fund, self._market()
        free = [pool for pool, terms in fund.pools.items() if terms.kind == SHARED or not fund.markets_of(pool)]
        self.history.move(book.id, self.rng.choice(free if self.rng.random() < 0.9 else list(POOLS)))


def _trader_of(address: str) -> Trader:
    return next(one for one in TRADERS if one.address == address)
