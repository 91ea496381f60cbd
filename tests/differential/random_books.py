"""Random books of one market: whatever the types of the contracts can hold, whether or not trades lead there."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from backstop.account_id import isolated_account
from backstop.math.margin import margin_requirement, position_value
from backstop.math.wad import WAD, mul_ceil

from . import extremes

MIN_FRACTION, MAX_FRACTION = WAD // 1000, WAD - 1  # of the maintenance margin, as `Exchange.listMarket` takes them
SIZES = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)


@dataclass(frozen=True)
class Holding:
    """An isolated account: signed size, entry notional and margin, all WAD."""

    account: bytes
    size: int
    entry: int
    margin: int


@dataclass(frozen=True)
class Book:
    """The holdings of a market, in the order in which they came to it, at a mark; `seed` draws it again."""

    seed: str
    mark: int
    maintenance_fraction: int
    holdings: tuple[Holding, ...]


def draw(seed: str, market: int) -> Book:
    """A book of the market with this id."""
    rng = Random(seed)
    mood = rng.choices(("ordinary", "round", "extreme"), (5, 2, 3))[0]
    if mood == "ordinary":
        mark, fraction = _of_any_length(rng, 12, 24), rng.randint(MIN_FRACTION, MAX_FRACTION)
    elif mood == "round":
        mark, fraction = rng.choice((1, 20, 100, 2500, 64_000)) * WAD, rng.choice((5, 10, 50)) * WAD // 1000
    else:
        mark = rng.choice((1, extremes.PRICE_MAX, extremes.price(rng), extremes.price(rng)))
        fraction = rng.choice((MIN_FRACTION, MAX_FRACTION, rng.randint(MIN_FRACTION, MAX_FRACTION)))
    crowd = _Crowd(rng, mood, mark, fraction)
    held = [crowd.newcomer() for _ in range(rng.choice(SIZES))]
    accounts = _accounts(rng, market, len(held))
    holdings = (Holding(account, *state) for account, state in zip(accounts, held, strict=True))
    return Book(seed, mark, fraction, tuple(holdings))


def draw_reflected(seed: str, market: int) -> tuple[Book, Book]:
    """A book in which all entered at one price, and the same with longs for shorts and the mark reflected at it.

    The maintenance fractions are such that the margin requirements are equal, and amounts such that nothing is rounded
    before the rates: each account gains and is leveraged in the one exactly as in the other.
    """
    rng = Random(seed)
    dust = 10**9
    entry = rng.randint(10, 10**6) * dust
    gap = rng.randint(1, entry // dust * 4 // 5) * dust
    unit = rng.randint(-(-MIN_FRACTION // (entry - gap)), MAX_FRACTION // (entry + gap))
    sizes = [rng.choice((-1, 1)) * rng.randint(1, 10**12) * dust for _ in range(rng.randint(2, 30))]
    sizes += rng.sample(sizes, len(sizes) // 3)
    holdings = [
        Holding(account, size, size * entry // WAD, abs(size) * gap // WAD * rng.randint(0, 400) // 100)
        for account, size in zip(_accounts(rng, market, len(sizes)), sizes, strict=True)
    ]
    turned = tuple(Holding(one.account, -one.size, -one.entry, one.margin) for one in holdings)
    return (
        Book(seed, entry + gap, unit * (entry - gap), tuple(holdings)),
        Book(f"{seed}, reflected", entry - gap, unit * (entry + gap), turned),
    )


def _accounts(rng: Random, market: int, count: int) -> list[bytes]:
    """Ids in any order, some of one owner; owners from the smallest to the largest, so that every byte decides."""
    owners = [rng.choice((0, 1, 2**160 - 1, 2**159, rng.getrandbits(160))) for _ in range(max(1, count // 2))]
    found: dict[bytes, None] = {}
    while len(found) < count:
        index = rng.choice((0, 1, 9, 10, 2**64 - 1, rng.getrandbits(64)))
        found[isolated_account(hex(rng.choice(owners)), market, index)] = None
    return list(found)


def _of_any_length(rng: Random, shortest: int, longest: int) -> int:
    """A number of so many decimal digits."""
    digits = rng.randint(shortest, longest)
    return rng.randrange(10 ** (digits - 1), 10**digits)


_State = tuple[int, int, int]  # size, entry, margin


class _Crowd:
    """Who comes to a book. Each is fitted into the types, so what was meant is not always what comes of it."""

    def __init__(self, rng: Random, mood: str, mark: int, fraction: int) -> None:
        self._rng = rng
        self._mood = mood
        self._mark = mark
        self._fraction = fraction
        self._fashion = mark * rng.randint(1, 300) // 100  # the entry price of many
        self._present: list[_State] = []
        self._kinds = {
            self._ordinary: 6,
            self._fashionable: 3,
            self._even: 1,
            self._without_entry: 1,
            self._at_an_edge: 3,
            self._bankrupt: 1,
            self._nearly_bankrupt: 2,
            self._anything: 4 if mood == "extreme" else 1,
            self._saturated: 2,
            self._overfunded: 1,
            self._flat: 1,
            self._twin: 3,
            self._multiple: 3,
            self._neighbour: 2,
            self._adversary: 2,
        }

    def newcomer(self) -> _State:
        """The next one."""
        size, entry, margin = self._rng.choices(list(self._kinds), list(self._kinds.values()))[0]()
        size = _fitted(size)
        # An entry notional carries the sign of its size.
        entry = max(0, _fitted(entry)) if size > 0 else min(0, _fitted(entry)) if size else 0
        state = size, entry, _fitted(margin)
        self._present.append(state)
        return state

    def _size(self) -> int:
        if self._mood == "extreme":
            return extremes.size(self._rng)
        contracts = (
            _of_any_length(self._rng, 1, 5) * WAD if self._mood == "round" else _of_any_length(self._rng, 12, 23)
        )
        return contracts if self._rng.random() < 0.5 else -contracts

    def _value(self, size: int) -> int:
        return position_value(size, self._mark)

    def _with_equity(self, size: int, entry: int, equity: int) -> _State:
        return size, entry, equity - self._value(size) + entry

    def _requirement(self, size: int) -> int:
        return margin_requirement(size, self._mark, self._fraction)

    def _entry(self, size: int) -> int:
        """Half to one and a half times its value, so it gains or loses."""
        return self._value(size) * self._rng.randint(50, 150) // 100

    def _ordinary(self) -> _State:
        size = self._size()
        return size, self._entry(size), abs(self._value(size)) * self._rng.randint(1, 100) // 100

    def _fashionable(self) -> _State:
        size = self._size()
        return size, mul_ceil(size, self._fashion), abs(self._value(size)) * self._rng.randint(1, 200) // 100

    def _even(self) -> _State:
        size = self._size()
        return size, self._value(size) + self._rng.choice((0, 0, -1, 1)), abs(self._value(size)) // 10 + 1

    def _without_entry(self) -> _State:
        return self._with_equity(self._size(), 0, self._rng.choice((1, extremes.positive(self._rng, 111))))

    def _at_an_edge(self) -> _State:
        size = self._size()
        required = self._requirement(size)
        edge = self._rng.choice((0, 0, 1, required, required // 2))
        return self._with_equity(size, self._entry(size), edge + self._rng.choice((-1, 0, 1)))

    def _bankrupt(self) -> _State:
        size = self._size()
        return self._with_equity(size, self._entry(size), -self._rng.randint(1, 1 + abs(self._value(size))))

    def _nearly_bankrupt(self) -> _State:
        size = self._size()
        return self._with_equity(size, self._entry(size), self._rng.randint(1, 1 + self._requirement(size) // 1000))

    def _anything(self) -> _State:
        rng = self._rng
        size = extremes.size(rng)
        return size, extremes.magnitude(rng, 111) * (1 if size > 0 else -1), extremes.amount(rng)

    def _saturated(self) -> _State:
        """Much gained on hardly any entry, and hardly any equity left: only longs gain more than they entered at."""
        rng = self._rng
        size = min(extremes.INT112_MAX, 2 ** rng.randint(90, 110) * WAD // self._mark or 1)
        return self._with_equity(size, rng.randint(1, 1000), rng.randint(1, 3))

    def _overfunded(self) -> _State:
        """A margin rate that rounds to nothing."""
        size = self._rng.choice((-1, 1)) * self._rng.randint(1, 3)
        return size, size * self._rng.randint(0, 3), extremes.INT112_MAX - self._rng.randrange(3)

    def _flat(self) -> _State:
        return 0, 0, self._rng.choice((0, extremes.magnitude(self._rng, 111)))

    def _someone(self) -> _State:
        return self._rng.choice(self._present) if self._present else self._ordinary()

    def _twin(self) -> _State:
        return self._someone()

    def _multiple(self) -> _State:
        """The same ratios at another size, but for rounding."""
        factor = self._rng.choice((2, 3, 10))
        size, entry, margin = self._someone()
        return size * factor, entry * factor, margin * factor

    def _neighbour(self) -> _State:
        """A wei beside somebody."""
        size, entry, margin = self._someone()
        one = self._rng.choice((-1, 1))
        return self._rng.choice(((size + one, entry, margin), (size, entry + one, margin), (size, entry, margin + one)))

    def _adversary(self) -> _State:
        """Somebody's counterparty."""
        size, entry, margin = self._someone()
        return -size, -entry, margin


def _fitted(number: int) -> int:
    return min(max(number, extremes.INT112_MIN), extremes.INT112_MAX)
