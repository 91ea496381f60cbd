"""What the libraries of funding and of cross accounts are asked, and their mirrors: extreme numbers."""

from __future__ import annotations

from itertools import permutations
from random import Random

from eth_abi.abi import encode

from backstop.chain.bindings import Function
from backstop.math import funding
from backstop.math.margin import Leg, bankruptcy_notionals, bankruptcy_price, equity, value_leg
from backstop.math.wad import WAD

from . import extremes
from .harness import MANY, Harness
from .pairs import Pair

INDEX_MOST, INDEX_LEAST = 2**103 - 1, -(2**103)
SHARES = Function("sharesOf(int256,int256[],uint256[],uint256)", "int256[]")
ADD = Function("add(uint256,uint16)", "uint256")
REMOVE = Function("remove(uint256,uint16)", "uint256")
HAS = Function("has(uint256,uint16)", "bool")
IS_FULL = Function("isFull(uint256)", "bool")
CAPACITY = 16
ENOUGH = 1000  # cases that come to everything that is drawn

Case = tuple[int, ...]
Account = tuple[int, list[Leg], list[int]]  # margin, legs, marks


# ------------------------------------------------------------------ funding


def _index(rng: Random) -> int:
    return rng.choice((0, INDEX_MOST, INDEX_LEAST, extremes.signed(rng, 104)))


def _hour(rng: Random) -> Case:
    """An index, an hour's premium and volume, as fills make them and as far as their types go, and open interest."""
    volume = rng.choice((0, extremes.positive(rng, 128)))
    # About a hundred times the volume, where it begins to count, or anything.
    near = min(2**112 - 1, max(0, 100 * volume + rng.randint(-101, 101)))
    interest = rng.choice((near, extremes.magnitude(rng, 112)))
    if rng.random() < 0.3:
        return _index(rng), extremes.signed(rng, 128), volume, interest
    per_contract = extremes.magnitude(rng, 90)
    return _index(rng), rng.choice((-1, 1)) * min(2**127 - 1, per_contract * volume // WAD), volume, interest


def _fill(rng: Random) -> Case:
    """Half of the prices lie within a few wei of the cap."""
    mark, cap = extremes.price(rng), rng.choice((0, 1, WAD // 1000, WAD // 100, rng.randrange(WAD // 100)))
    most = mark * cap // WAD
    near = mark + rng.choice((-1, 1)) * most + rng.randint(-2, 2)
    price = min(near, extremes.PRICE_MAX) if rng.random() < 0.5 and near > 0 else extremes.price(rng)
    contracts = rng.choice((rng.randint(1, 10), extremes.positive(rng, 111), extremes.positive(rng, 111)))
    return contracts, price, mark, cap


def _stretch(rng: Random) -> Case:
    """A position, and the change of an index between any two values."""
    return extremes.amount(rng), rng.choice((-1, 0, 1, extremes.signed(rng, 105), extremes.signed(rng, 105)))


FUNDING = [
    Pair("hourOf(uint256)", "uint24", lambda r: (r.randrange(2**32),), funding.hour_of),
    Pair("indexAfter(int256,int256,uint256,uint256)", "int256", _hour, funding.index_after),
    Pair("premiumOf(uint256,uint256,uint256,uint256)", "int256", _fill, funding.premium_of),
    Pair("payment(int256,int256)", "int256", _stretch, funding.payment),
]


# ------------------------------------------------------------------ bankruptcy


def _account(rng: Random, count: int) -> Account:
    """A margin and legs: bankrupt or not, with the equity in the open or within wei of zero."""
    legs, marks = [], []
    for _ in range(count):
        mark = rng.choice((extremes.positive(rng, 80), rng.randint(1, 10**5) * WAD))
        size = rng.choice((-1, 1)) * rng.choice((extremes.positive(rng, 100), rng.randint(1, 1000) * WAD))
        entry = size * mark // WAD * rng.randint(700, 1300) // 1000 + rng.randint(-3, 3)
        legs.append(value_leg(size, entry, mark, rng.choice((WAD // 1000, WAD // 20, rng.randint(10**15, WAD - 1)))))
        marks.append(mark)
    results = sum(leg.unrealized_pnl for leg in legs)
    required = sum(leg.maintenance_margin for leg in legs)
    has = rng.choice((0, 1, -1, required // 2, -extremes.magnitude(rng, 150), rng.randint(-required, required)))
    return has - results, legs, marks


def _shares(cross: Harness, accounts: list[tuple[int, list[Leg]]]) -> list[tuple[int, ...]]:
    """What the contracts' library makes of each: the shares of its legs in their order."""
    calls = []
    for own, legs in accounts:
        required = sum(leg.maintenance_margin for leg in legs)
        arguments = (own, [leg.unrealized_pnl for leg in legs], [leg.maintenance_margin for leg in legs], required)
        calls.append(SHARES.selector + encode(["int256", "int256[]", "uint256[]", "uint256"], arguments))
    shares = []
    for start in range(0, len(calls), 500):
        for returned, data in cross.call(MANY, calls[start : start + 500])[0]:
            assert returned
            shares.append(SHARES.decode(data)[0])
    return shares


def check_shares(cross: Harness, cases: int) -> None:
    """The shares of so many accounts; they sum to the equity."""
    rng = Random("shares")
    accounts = [_account(rng, rng.choice((1, 1, 2, 3, 4, 16))) for _ in range(cases)]
    found = _shares(cross, [(equity(margin, legs), legs) for margin, legs, _ in accounts])
    sides = set()
    for (margin, legs, _), shares in zip(accounts, found, strict=True):
        own = equity(margin, legs)
        sides.add((own > 0) - (own < 0))
        assert sum(shares) == own
        assert [leg.value - share for leg, share in zip(legs, shares, strict=True)] == bankruptcy_notionals(legs, own)
    assert cases < ENOUGH or sides == {-1, 0, 1}


def check_orders_of_legs(cross: Harness, cases: int) -> None:
    """But for the remainder of rounding, fewer wei than legs, which falls to the last: in library and mirror alike."""
    rng = Random("orders")
    for _ in range(cases):
        margin, legs, marks = _account(rng, rng.choice((2, 3, 4)))
        own = equity(margin, legs)
        orders = list(permutations(range(len(legs))))
        turned = [[legs[place] for place in order] for order in orders]
        found = _shares(cross, [(own, one) for one in turned])
        by_leg: list[set[int]] = [set() for _ in legs]
        for order, one, shares in zip(orders, turned, found, strict=True):
            mirrored = bankruptcy_notionals(one, own)
            assert mirrored == [leg.value - share for leg, share in zip(one, shares, strict=True)]
            for place, notional in zip(order, mirrored, strict=True):
                by_leg[place].add(notional)
        for leg, mark, notionals in zip(legs, marks, by_leg, strict=True):
            assert max(notionals) - min(notionals) < len(legs)
            prices = {bankruptcy_price(notional, leg.size, mark) for notional in notionals}
            assert max(prices) - min(prices) <= len(legs) * WAD // abs(leg.size) + 1


# ------------------------------------------------------------------ the set of legs


def _packed(markets: list[int]) -> int:
    return sum(market << 16 * place for place, market in enumerate(sorted(markets)))


def _newcomer(rng: Random, held: list[int]) -> int:
    anybody = (1, 2, 2**16 - 1, rng.randint(3, 20), rng.randint(3, 2**16 - 2), rng.randint(3, 2**16 - 2))
    return rng.choice([market for market in anybody if market not in held])


def check_legs(cross: Harness, cases: int) -> None:
    """They stay ascending whatever comes and goes."""
    rng = Random("legs")
    held: list[int] = []
    added, removed, full, has = [], [], [], []
    for _ in range(cases):
        full.append(((_packed(held),), len(held) == CAPACITY))
        has += [((_packed(held), one), one in held) for one in (*held[-2:], rng.randint(1, 20))]
        grows = not held or (len(held) < CAPACITY and rng.random() < 0.55)
        if grows:
            one = _newcomer(rng, held)
            added.append(((_packed(held), one), _packed([*held, one])))
            held.append(one)
        else:
            one = rng.choice(held)
            removed.append(((_packed(held), one), _packed([m for m in held if m != one])))
            held.remove(one)
    for function, asked in ((ADD, added), (REMOVE, removed), (IS_FULL, full), (HAS, has)):
        answers = cross.ask(function, [case for case, _ in asked])
        assert answers == [(meant,) for _, meant in asked]
    assert cases < ENOUGH or any(meant for _, meant in full)
