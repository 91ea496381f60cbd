"""Books drawn from a seed: who holds what when an account is bankrupt, is taken over, and a round is due."""

from __future__ import annotations

from random import Random

from backstop.account_id import is_cross
from backstop.adl.planning import Plan
from backstop.adl.scoring import legs_of
from backstop.math.margin import equity, is_to_be_taken_over, maintenance_margin
from backstop.math.wad import WAD
from tests.invariants.world import TRADERS

from .state import View
from .venue import Venue, plans_of
from .world import BY_ID, MARKETS, SHARED

HUB = TRADERS[9]  # on the other side of everything, with margin for it
VICTIM = TRADERS[0]
TRADING = range(1, 8)
KEEPERS = (TRADERS[8].address, TRADERS[6].address)
NOTIONAL = 100_000 * WAD


def part(amount: int, fraction: float) -> int:
    """A fraction of an amount."""
    return amount * int(fraction * 10**9) // 10**9


def hub(market: int) -> bytes:
    """The hub's account in a market."""
    return HUB.account(market)


def take(venue: Venue, account: bytes, market: int, contracts: int, price: int) -> bool:
    """Contracts, signed, from the hub."""
    if contracts > 0:
        return venue.trade(market, account, hub(market), contracts, price)
    return contracts != 0 and venue.trade(market, hub(market), account, -contracts, price)


class Book:
    """A book of a seed; `plans` are due in `view`, none where it came to nothing."""

    def __init__(self, venue: Venue, rng: Random) -> None:
        self.venue, self.rng = venue, rng
        self.market = rng.choices([one.id for one in MARKETS], (30, 25, 20, 25))[0]
        self.sign = rng.choice((1, -1))  # of who goes bankrupt
        self.marks = {one.id: part(one.mark, rng.uniform(0.8, 1.25)) for one in MARKETS}
        for market, mark in self.marks.items():
            venue.mark(market, mark)
            venue.deposit(hub(market), 500 * NOTIONAL)
        self._open()
        self.view = self._fall()
        self.plans = plans_of(self.view)
        for _ in range(3):
            if self.plans:
                break
            self.move(self.market, 1 - self.sign * rng.uniform(0.01, 0.05))
            self.view = venue.view()
            self.plans = plans_of(self.view)

    def move(self, market: int, factor: float) -> None:
        """A mark by a factor."""
        self.marks[market] = max(WAD // 1000, part(self.marks[market], factor))
        self.venue.mark(market, self.marks[market])

    def _kind(self, trader: int) -> bytes:
        """Some account of a trader's that may hold the market."""
        index = int(self.rng.random() < 0.3)
        if self._is_shared and self.rng.random() < 0.6:
            return TRADERS[trader].cross(index)
        return TRADERS[trader].account(self.market, index)

    @property
    def _is_shared(self) -> bool:
        return BY_ID[self.market].pool == SHARED

    def _open(self) -> None:
        rng, venue, mark, market = self.rng, self.venue, self.marks[self.market], self.market
        fraction = BY_ID[market].parameters.initial_margin_fraction
        self.victim = self._kind(0)
        # In a dense book few of many are closed, and ranks are near each other.
        is_dense = rng.random() < 0.6
        size = part(NOTIONAL, rng.choice((0.03, 0.1, 0.2) if is_dense else (0.1, 0.2, 0.4, 1)) * rng.uniform(0.5, 1))
        venue.contribute(BY_ID[market].pool, part(size, rng.choice((0, 0.02, 0.05, 0.2)) * rng.random()))
        venue.deposit(self.victim, size * fraction // WAD * 103 // 100)
        take(venue, self.victim, market, size * WAD // mark * self.sign, mark)
        for trader in rng.choices(TRADING, k=rng.randrange(5, 13) if is_dense else rng.randrange(3, 9)):
            self._hold(self._kind(trader), rng.uniform(0.005, 0.02) if is_dense else 0.08, is_dense)

    def _hold(self, account: bytes, spread: float, is_dense: bool) -> None:
        """Whoever is in the market before the fall; cross accounts have other legs."""
        rng, venue, market, mark = self.rng, self.venue, self.market, self.marks[self.market]
        fraction = BY_ID[market].parameters.initial_margin_fraction
        notional = part(NOTIONAL, (0.1 if is_dense else 0.6) * rng.random() ** 2 + 0.02)
        price = part(mark, 1 + rng.uniform(-spread, spread))
        sign = -self.sign if rng.random() < 0.9 else self.sign
        loss = max(0, sign * (price - mark)) * notional // mark
        times = rng.choice((1.05, 1.2) if is_dense else (1.1, 1.3, 2, 4, 10)) * rng.uniform(1, 1.3)
        margin = part(notional * fraction // WAD, times) + loss
        legs = rng.sample([1, 2, 3], rng.randrange(1, 4)) if is_cross(account) else []
        others = [(one, part(NOTIONAL, 0.4 * rng.random() ** 2 + 0.01)) for one in legs if one != market]
        margin += sum(part(BY_ID[one].parameters.initial_margin_fraction * each // WAD, 1.1) for one, each in others)
        venue.deposit(account, margin)
        take(venue, account, market, sign * (notional * WAD // mark), price)
        for one, each in others:
            there = part(self.marks[one], 1 + rng.uniform(-0.01, 0.01))
            take(venue, account, one, rng.choice((1, -1)) * (each * WAD // there), there)

    def _enter_late(self, account: bytes) -> None:
        """Somebody without profit, who has little more than the initial margin: a round's price may be too much."""
        notional = part(NOTIONAL, 0.3 * self.rng.random() + 0.01)
        mark = self.marks[self.market]
        fraction = BY_ID[self.market].parameters.initial_margin_fraction
        self.venue.deposit(account, part(notional * fraction // WAD, self.rng.choice((1.01, 1.1, 2))))
        take(self.venue, account, self.market, -self.sign * (notional * WAD // mark), mark)

    def _fall(self) -> View:
        """The mark moves until the account is to be taken over, and is; then others that are, mostly."""
        rng, venue = self.rng, self.venue
        venue.now += rng.choice((1, 100, 130, 1000))
        fraction = BY_ID[self.market].parameters.initial_margin_fraction / WAD
        self.move(
            self.market, 1 - self.sign * (fraction * 1.03 + rng.uniform(-0.2, 1) * rng.choice((0.03, 0.08, 0.15)))
        )
        for one in (1, 2, 3):
            if one != self.market:
                self.move(one, 1 + rng.uniform(-0.04, 0.04))
        venue.now += rng.choice((1, 30))
        venue.take_over(self.victim)
        if rng.random() < 0.5:
            for trader in rng.choices(TRADING, k=rng.randrange(1, 6)):
                self._enter_late(self._kind(trader))
            venue.now += rng.choice((1, 60, 119, 130, 130, 400))
        if rng.random() < 0.4:
            self.move(self.market, 1 - self.sign * rng.uniform(0, 0.04))
        view = venue.view()
        if rng.random() < 0.7:
            due = to_be_taken_over(view)
            for account in due:
                venue.take_over(account)
            view = venue.view() if due else view
        return view


def to_be_taken_over(view: View) -> list[bytes]:
    """Accounts near or beyond bankruptcy."""
    found = []
    for account in view.snapshot.accounts:
        legs = legs_of(view.snapshot, account)
        if legs and is_to_be_taken_over(equity(account.margin, legs), maintenance_margin(legs), WAD // 2):
            found.append(bytes.fromhex(account.id[2:]))
    return found


def largest(one: Plan) -> str:
    """Of whom most would be closed."""
    return max(one.fills, key=lambda fill: fill.contracts).account
