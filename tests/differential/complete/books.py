"""What the exchange in plain Python keeps: markets, pools, positions. Amounts are WAD, times seconds."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from backstop.math import funding, staking
from backstop.math.funding import Pot
from backstop.math.margin import Leg, value_leg
from backstop.math.rolling_max import RollingMax
from backstop.math.wad import WAD, mul_floor
from scripts.stage.parameters import MarketParameters
from tests.support.capital import RefusedError

LONG, SHORT = 0, 1
SIGN = (1, -1)
TOKEN = 10**12  # WAD in a token unit


class Holding(NamedTuple):
    """A position: signed size and entry, and the market's index when its funding was settled."""

    size: int = 0
    entry: int = 0
    index: int = 0


class Inventory(NamedTuple):
    """What a pool holds of one side, since when it is auctioned, and the index when its funding was settled."""

    size: int = 0
    entry: int = 0
    start: int = 0
    index: int = 0


class Health(NamedTuple):
    """What `Exchange.health` returns, field by field."""

    collateral: int
    equity: int
    losses: int
    maintenance: int
    initial: int


@dataclass
class Book:
    """A market: `mark` is what its feed says, 0 while it is dead, and `accepted` the last price that was."""

    id: int
    pool: int
    terms: MarketParameters
    mark: int
    hour: int
    accepted: int = 0
    open_interest: int = 0
    index: int = 0
    premium: int = 0
    volume: int = 0
    pot: Pot = field(default_factory=Pot)
    fees: int = 0
    listed: frozenset[bytes] = frozenset()
    trigger: int = 3 * WAD // 10
    stop: int = WAD // 4
    target: int = WAD // 4
    last_due: int = 0
    seen: int = 0
    stress: int = 0
    applied: tuple[int, bool] = (0, False)
    realized: int = 0
    auction_premium: int = WAD // 50
    auction_duration: int = 1800
    inventories: tuple[Inventory, Inventory] = (Inventory(), Inventory())
    peak: RollingMax = field(default_factory=RollingMax)

    def fork(self) -> Book:
        """A copy that changes by itself: nothing in it is changed in place."""
        return copy(self)

    # ------------------------------------------------------------------ the fractions in force

    @property
    def initial(self) -> int:
        """The initial margin fraction, which rises with the drawdown."""
        terms = self.terms
        return staking.stressed_margin_fraction(
            terms.initial_margin_fraction, terms.initial_margin_step, self.applied[0]
        )

    @property
    def band(self) -> int:
        """The price band, which narrows while ADL is on."""
        return self.terms.stress_band if self.applied[1] and self.terms.stress_band else self.terms.price_band

    def apply_stress(self, stress: int, *, is_on: bool) -> None:
        """What both follow: the steps that were last sampled, and whether ADL is on."""
        self.applied = stress, is_on

    # ------------------------------------------------------------------ prices

    def accept(self) -> int:
        """The mark, remembered as the last accepted; the feed has to answer."""
        if self.mark == 0:
            raise RefusedError(f"PriceNotPositive({self.id}, 0)")
        self.accepted = self.mark
        return self.mark

    @property
    def shown(self) -> int:
        """The mark, or while the feed is dead the last accepted price."""
        if self.mark == 0 and self.accepted == 0:
            raise RefusedError(f"FeedMissing({self.id})")
        return self.mark or self.accepted

    def loss(self, side: int) -> int:
        """Loss of an inventory; without a price that is good the last one is moved by `mmf` against the pool."""
        size, entry, *_ = self.inventories[side]
        if size == 0:
            return 0
        haircut = 0 if self.mark else mul_floor(self.shown, self.terms.maintenance_margin_fraction)
        return max(0, entry - size * (self.shown - SIGN[side] * haircut) // WAD)

    def leg(self, held: Holding, mark: int) -> Leg:
        """A position at a price."""
        return value_leg(held.size, held.entry, mark, self.terms.maintenance_margin_fraction)

    # ------------------------------------------------------------------ funding

    def index_at(self, now: int) -> int:
        """The funding index as a call at `now` finds it."""
        if funding.hour_of(now) == self.hour:
            return self.index
        return funding.index_after(self.index, self.premium, self.volume, self.open_interest)

    def accrue(self, now: int) -> int:
        """Brings the index up to date."""
        self.index = self.index_at(now)
        if funding.hour_of(now) != self.hour:
            self.hour, self.premium, self.volume = funding.hour_of(now), 0, 0
        return self.index

    def owed_by_inventories(self, now: int) -> int:
        """What both inventories owe of funding, each rounded up."""
        index = self.index_at(now)
        return sum(funding.payment(one.size, index - one.index) for one in self.inventories)

    def collect(self, size: int, change: int) -> int:
        """Books what a position pays over a change of the index; returns it."""
        self.pot = self.pot.collect(funding.exact_payment(size, change))
        return funding.payment(size, change)

    def put(self, side: int, inventory: Inventory) -> None:
        """Replaces an inventory."""
        long, short = self.inventories
        self.inventories = (inventory, short) if side == LONG else (long, inventory)
