"""The pools of the model: `tests.support.capital` on the model's own inventories, prices and tokens."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backstop.math.funding import payment
from backstop.math.rolling_max import RollingMax
from backstop.math.wad import WAD
from tests.support.capital import Capital, Losses
from tests.support.capital import Market as Backed

from .snapshots import loss_of
from .world import BY_ADDRESS, MARKETS, POOLS, START, TOKEN_SCALE

if TYPE_CHECKING:
    from .ledger import Ledger

BOOK = "the book of rounds"


@dataclass
class Book:
    """A market as its pool knows it."""

    id: int
    pool: int
    trigger: int
    stop: int
    target: int
    peak: RollingMax
    last_due: int = 0
    seen: int = 0
    stress: int = 0
    realized: int = 0
    applied: tuple[int, bool] = (0, False)  # the steps of stress in force, and whether ADL is on


def _first_book(market: int) -> Book:
    spec, peak = MARKETS[market - 1], RollingMax()
    peak.touch(START, 0)
    return Book(market, spec.pool, spec.trigger, spec.stop, spec.target, peak)


class Pools(Capital):
    """What the fund knows; the rest is the ledger's."""

    scale = TOKEN_SCALE
    books: dict[int, Book]

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.books = {spec.id: _first_book(spec.id) for spec in MARKETS}
        super().__init__(POOLS, self.books, START)

    def fork(self, ledger: Ledger) -> Pools:
        """A copy for another ledger."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | list):
                setattr(other, name, copy(value))
        other.ledger = ledger
        other.books = {market: copy(book) for market, book in self.books.items()}
        other.markets = dict(other.books)
        return other

    def losses_of(self, market: Backed) -> Losses:
        """No price is asked for where there is no inventory."""
        ledger = self.ledger
        long, short = ledger.inventory[market.id, 0], ledger.inventory[market.id, 1]
        if long.size == short.size == 0:
            return Losses()
        mark, live = ledger.mark_or_last(market.id)
        maintenance, index = ledger.parameters[market.id - 1].maintenance_margin_fraction, ledger.index(market.id)
        owed = sum(payment(held.size, index - held.index) for held in (long, short))
        return Losses(loss_of(long, mark, live, maintenance), loss_of(short, mark, live, maintenance), owed)

    def gains_of(self, market: Backed) -> int:
        """At the last price, not moved, where a feed is dead."""
        held = [self.ledger.inventory[market.id, side] for side in (0, 1)]
        if not any(one.size for one in held):
            return 0
        mark, _ = self.ledger.mark_or_last(market.id)
        return sum(max(0, one.size * mark // WAD - one.entry) for one in held)

    def has_inventory(self, market: Backed) -> bool:
        """Of either side."""
        return any(self.ledger.inventory[market.id, side].size for side in (0, 1))

    def is_live(self, market: Backed) -> bool:
        """Whether its feed is good."""
        return self.ledger.is_live(market.id)

    def apply_stress(self, market: int, stress: int, *, is_on: bool) -> None:
        """The fractions in force."""
        self.books[market].applied = stress, is_on

    def pull(self, payer: str, amount: int) -> None:
        """Out of a wallet, or out of what the book of rounds holds."""
        if payer == BOOK:
            self.ledger.tokens += amount * TOKEN_SCALE
            return
        self.ledger.pay_in(BY_ADDRESS[payer], amount)

    def pay_out(self, recipient: str, amount: int) -> int:
        """Into one."""
        return self.ledger.pay_out(BY_ADDRESS[recipient], amount)

    def keep(self, amount: int) -> None:
        """For the treasury."""
        self.ledger.treasury += amount
