"""What others do between a plan and its round, and after it, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

from backstop.account_id import account_text, index_of, is_cross
from backstop.adl.scoring import legs_of
from backstop.keeper.duties import SIDE_CODES
from backstop.math.margin import equity
from backstop.math.wad import WAD
from tests.invariants.world import BY_ADDRESS, TRADERS, owner_of

from .books import HUB, KEEPERS, Book, hub, part, take, to_be_taken_over
from .judge import Parameters
from .state import View
from .venue import plans_of
from .world import BY_ID, HOUR, IDS, MARKETS, SCALE, SHARED, SPARE

Deed = Callable[["Deeds"], bool]


class Deeds:
    """Those of one sequence; each tells whether it came about."""

    def __init__(self, book: Book) -> None:
        self.book, self.venue, self.rng = book, book.venue, book.rng
        self.view: View = book.view

    def before(self) -> None:
        """One while the plan waits."""
        self._do(*self.rng.choices(_BEFORE, _BEFORE_WEIGHTS)[0])

    def after(self) -> None:
        """One after the round."""
        self._do(*self.rng.choices(_AFTER, _AFTER_WEIGHTS)[0])

    def _do(self, name: str, deed: Deed) -> None:
        self.venue.now += self.rng.choice((0, 1, 5, 15))
        done = deed(self)
        self.venue.counts[f"{name}{'' if done else ' (refused)'}"] += 1

    # ------------------------------------------------------------------ draws

    def _look(self) -> View:
        self.view = self.venue.view()
        return self.view

    def _holder(self, wants: Callable[[bytes], bool] = lambda _: True) -> bytes | None:
        """Somebody with a position, the hub aside; of the book's market mostly."""
        holders = [one for one, held in self.view.accounts.items() if held.positions and owner_of(one) != HUB.address]
        here = [one for one in holders if self.view.accounts[one].size(self.book.market) and wants(one)]
        found = here if self.rng.random() < 0.85 else [one for one in holders if wants(one)]
        return self.rng.choice(found) if found else None

    def _leg(self, account: bytes) -> int:
        legs = list(self.view.accounts[account].positions)
        return self.book.market if self.book.market in legs and self.rng.random() < 0.6 else self.rng.choice(legs)

    def _size(self, account: bytes, market: int) -> int:
        return self.view.accounts[account].size(market)

    def _price(self, market: int, spread: float = 0.01) -> int:
        return part(self.book.marks[market], 1 + self.rng.uniform(-spread, spread))

    # ------------------------------------------------------------------ trades

    def grow(self) -> bool:
        """More of a leg."""
        account = self._holder()
        if account is None:
            return False
        market = self._leg(account)
        contracts = part(self._size(account, market), self.rng.choice((1e-6, 0.01, 0.3, 2)))
        return take(self.venue, account, market, contracts, self._price(market))

    def reduce(self) -> bool:
        """Less of a leg, at a price near mark; or all of it."""
        account = self._holder()
        if account is None:
            return False
        market = self._leg(account)
        contracts = -part(self._size(account, market), self.rng.choice((1e-6, 0.01, 0.3, 0.9, 1)))
        return take(self.venue, account, market, contracts, self._price(market))

    def flip(self) -> bool:
        """From one side to the other."""
        account = self._holder()
        if account is None:
            return False
        market = self._leg(account)
        return take(self.venue, account, market, -part(self._size(account, market), 1.5), self._price(market))

    def enter(self) -> bool:
        """Somebody opens, or turns up on the side that is closed against."""
        market = self.book.market
        trader = TRADERS[self.rng.randrange(1, 8)]
        crossed = BY_ID[market].pool == SHARED and self.rng.random() < 0.5
        account = trader.cross(self.rng.randrange(2)) if crossed else trader.account(market, self.rng.randrange(2))
        notional = part(10_000 * WAD, self.rng.random())
        self.venue.deposit(account, notional // 5)
        contracts = -self.book.sign * notional * WAD // self.book.marks[market]
        return take(self.venue, account, market, contracts, self._price(market, 0.03))

    def dip(self) -> bool:
        """A cross account opens a leg and closes it again for a worse price."""
        account = self._holder(is_cross)
        if account is None:
            return False
        market = self.rng.choice((1, 2, 3))
        notional = part(5_000 * WAD, self.rng.random())
        contracts, price = notional * WAD // self.book.marks[market], self.book.marks[market]
        opened = take(self.venue, account, market, contracts, price)
        return opened and take(self.venue, account, market, -contracts, part(price, 1 - 0.2 * self.rng.random()))

    def lose(self) -> bool:
        """A leg is reduced at a bad price: as much is lost as the margin rate allows."""
        account = self._holder()
        if account is None:
            return False
        market = self._leg(account)
        size = self._size(account, market)
        contracts = -part(size, self.rng.choice((0.1, 0.5, 0.9, 1)))
        worse = (1 if contracts > 0 else -1) * self.rng.choice((0.005, 0.02, 0.05))
        return take(self.venue, account, market, contracts, part(self.book.marks[market], 1 + worse))

    def split(self) -> bool:
        """A part of a position passes to another account of its owner."""
        account = self._holder()
        if account is None:
            return False
        market, owner = self._leg(account), TRADERS[BY_ADDRESS[owner_of(account)]]
        other = 1 - index_of(account)
        to = owner.cross(other) if is_cross(account) else owner.account(market, other)
        size = self._size(account, market)
        moved, price = part(abs(size), self.rng.choice((0.1, 0.5, 1))), self.book.marks[market]
        notional = moved * price // WAD
        self.venue.deposit(to, notional // 4 + WAD)
        buyer, seller = (to, account) if size > 0 else (account, to)
        return self.venue.trade(market, buyer, seller, moved, price)

    # ------------------------------------------------------------------ margin

    def deposit(self) -> bool:
        """A little margin, or much."""
        account = self._holder()
        return account is not None and self.venue.deposit(
            account, self.rng.choice((10**12, WAD, 500 * WAD, 20_000 * WAD))
        )

    def withdraw(self) -> bool:
        """A little margin, or much."""
        account = self._holder()
        return account is not None and self.venue.withdraw(account, self.rng.choice((10**12, WAD, 500 * WAD)))

    def transfer(self) -> bool:
        """From one account of an owner to another."""
        account = self._holder()
        if account is None:
            return False
        owners = [one for one in self.view.accounts if owner_of(one) == owner_of(account) and one != account]
        amount = self.rng.choice((10**12, WAD, 500 * WAD))
        return bool(owners) and self.venue.transfer(account, self.rng.choice(owners), amount)

    def drain(self) -> bool:
        """All margin that may be taken out."""
        account = self._holder()
        return account is not None and self._drain(account)

    def _drain(self, account: bytes) -> bool:
        collateral, _, losses, _, initial = self.venue.ask(self.venue.system.exchange, "health(bytes32)", account)
        most = (collateral + losses - initial) // SCALE * SCALE
        return most > 0 and self.venue.withdraw(account, most)

    def rise(self) -> bool:
        """Those off the list take out all they can, and the round may be late."""
        listed = {account for one in self.book.plans for account in one.listing.accounts}
        holders = [one for one, held in self.view.accounts.items() if held.size(self.book.market)]
        risen = [one for one in holders if account_text(one) not in listed and self._drain(one)]
        self.venue.now += self.rng.choice((0, 60, 100, 130))
        return bool(risen)

    def dodge(self) -> bool:
        """Those who are to be closed add so much margin that they rank last, all of them or some."""
        closed = {fill.account for one in self.book.plans for fill in one.fills}
        some = [bytes.fromhex(account[2:]) for account in sorted(closed) if self.rng.random() < 0.8]
        amount = self.rng.choice((1_000, 20_000, 500_000)) * WAD
        return bool([account for account in some if self.venue.deposit(account, amount)])

    # ------------------------------------------------------------------ solvency

    def liquidate(self) -> bool:
        """Whoever can be, by the hub."""
        view = self._look()
        for account in self.rng.sample(list(view.accounts), len(view.accounts)):
            for market in view.accounts[account].positions:
                if self.venue.liquidate(account, market, hub(market), 2**255):
                    return True
        return False

    def take_over(self) -> bool:
        """Whoever is due, not only the first."""
        due = to_be_taken_over(self._look())
        return bool(due) and self.venue.take_over(self.rng.choice(due))

    def round_of_another(self) -> bool:
        """By the other keeper: as planned, or by a list of its own."""
        view = self._look()
        plans = plans_of(view)
        if not plans:
            return False
        one = self.rng.choice(plans)
        if self.rng.random() < 0.5:
            return self.venue.submit(KEEPERS[1], one, view) is not None
        holders = [account for account in view.accounts if view.accounts[account].size(IDS[one.market])]
        listed = self.rng.sample(holders, self.rng.randrange(1, len(holders) + 1))
        return self.venue.round(KEEPERS[1], IDS[one.market], SIDE_CODES[one.side], listed) is not None

    def ruin(self) -> bool:
        """A mark moves until somebody else is bankrupt and is taken over; mostly a round follows."""
        view = self._look()
        holders = [one for one, held in view.accounts.items() if held.positions and owner_of(one) != HUB.address]
        if not holders:
            return False
        account = self.rng.choice(holders)
        market = self._leg(account)
        size, mark = view.accounts[account].size(market), view.quotes[market].mark
        found = next(one for one in view.snapshot.accounts if one.id == account_text(account))
        own = equity(found.margin, legs_of(view.snapshot, found))
        lost = part(own, self.rng.choice((0.98, 1.01, 1.2, 1.5)))
        factor = 1 - lost * WAD / size / mark
        if not 0.3 < factor < 3:
            return False
        self.book.move(market, factor)
        done = self.venue.take_over(account)
        if done and self.rng.random() < 0.3:
            self._look()
            self.enter()
        if done and self.rng.random() < 0.7:
            self.venue.counts["round after ruin"] += self.round_of_another()
        return done

    # ------------------------------------------------------------------ marks, time, parameters

    def drift(self) -> bool:
        """Every mark by up to 1 %, each its own way."""
        for one in MARKETS:
            if self.rng.random() < 0.7:
                planned = self.view_of_plan.quotes[one.id].mark
                self.book.move(one.id, planned * (1 + self.rng.uniform(-0.0099, 0.0099)) / self.book.marks[one.id])
        return True

    def drift_far(self) -> bool:
        """A mark by more than a round stands."""
        for market in self.rng.sample([one.id for one in MARKETS], self.rng.randrange(1, 4)):
            self.book.move(market, 1 + self.rng.choice((-1, 1)) * self.rng.uniform(0.005, 0.06))
        return True

    @property
    def view_of_plan(self) -> View:
        """What was planned from."""
        return self.book.view

    def wait(self) -> bool:
        """Up to the deadline, or beyond it."""
        self.venue.now += self.rng.choice((20, 40, 60, 89, 91, 200))
        return True

    def wait_long(self) -> bool:
        """Within the window; an hour may end meanwhile."""
        self.venue.now += self.rng.choice((100, 500, 1200))
        return True

    def next_hour(self) -> bool:
        """Funding is accrued."""
        self.venue.now += HOUR - self.venue.now % HOUR
        self.venue.accrue(self.rng.choice((2, 3)))
        return True

    def set_maintenance(self) -> bool:
        """Of a market, for everybody at once."""
        one = self.rng.choice(MARKETS)
        fraction = part(one.parameters.maintenance_margin_fraction, self.rng.uniform(0.6, 1.4))
        listed = one.parameters._replace(maintenance_margin_fraction=fraction, liquidation_discount=0)
        return self.venue.set_maintenance(one.id, listed)

    def set_rules(self) -> bool:
        """Of the rounds to come."""
        self.venue.set_rules(
            Parameters(
                window=self.rng.choice((1800, 3600, 7200)),
                exempt_age=self.rng.choice((12, 120, 600)),
                tolerance=self.rng.choice((WAD // 1000, WAD // 20, WAD // 4)),
                return_floor=self.rng.choice((0, WAD // 100, WAD)),
                least_penalty=self.rng.choice((1, 100 * WAD)),
                bond_cap=self.rng.choice((1_000 * WAD, 100_000 * WAD)),
            )
        )
        return True

    def leave(self) -> bool:
        """Cross accounts leave a market, and it moves to another pool."""
        view = self._look()
        market = self.rng.choice((1, 2, 3))
        for account, held in view.accounts.items():
            if is_cross(account) and held.size(market):
                take(self.venue, account, market, -held.size(market), self.book.marks[market])
        return self.venue.move_market(market, SPARE)


_ANY: list[tuple[str, Deed, float]] = [
    ("growth", Deeds.grow, 6),
    ("reduction", Deeds.reduce, 8),
    ("flip", Deeds.flip, 2),
    ("entry", Deeds.enter, 4),
    ("leg opened and closed", Deeds.dip, 3),
    ("reduction at a bad price", Deeds.lose, 4),
    ("split", Deeds.split, 4),
    ("deposit", Deeds.deposit, 6),
    ("withdrawal", Deeds.withdraw, 4),
    ("draining", Deeds.drain, 5),
    ("transfer", Deeds.transfer, 3),
    ("liquidation", Deeds.liquidate, 2),
    ("takeover", Deeds.take_over, 2),
    ("round of another keeper", Deeds.round_of_another, 4),
    ("drift of marks", Deeds.drift, 8),
    ("mark beyond the drift", Deeds.drift_far, 4),
]
_BEFORE_ALL = [
    *_ANY,
    ("wait", Deeds.wait, 6),
    ("dodge", Deeds.dodge, 8),
    ("rise of those left off", Deeds.rise, 5),
    ("funding of an hour", Deeds.next_hour, 0.7),
]
_AFTER_ALL = [
    *_ANY,
    ("ruin", Deeds.ruin, 16),
    ("wait", Deeds.wait_long, 3),
    ("funding of an hour", Deeds.next_hour, 0.7),
    ("maintenance margin", Deeds.set_maintenance, 1),
    ("rules of rounds", Deeds.set_rules, 1),
    ("market moved", Deeds.leave, 1),
]
_BEFORE, _BEFORE_WEIGHTS = [one[:2] for one in _BEFORE_ALL], [one[2] for one in _BEFORE_ALL]
_AFTER, _AFTER_WEIGHTS = [one[:2] for one in _AFTER_ALL], [one[2] for one in _AFTER_ALL]
