"""The functions of the libraries, each with its mirror and cases that matter: random and extreme inputs.

Inputs stay in the range that the contracts store: sizes and notionals of 112 bits, prices of 96.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from backstop.chain.bindings import Function
from backstop.math import fund, margin, position, wad
from backstop.math import round as fills
from backstop.math.leveraged_return import leveraged_return
from backstop.math.wad import UINT256_MAX, WAD

from . import extremes
from .harness import SORT, Harness

SEED = 20_260_101

Case = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """A function of a contract library and its mirror, for cases that `draw` makes."""

    signature: str
    returns: str
    draw: Callable[[Random], Case]
    mirror: Callable[..., int | bool | tuple[int, ...] | None]
    none_below: int | None = None  # answers below it are what the mirror calls None


def _divisor(rng: Random) -> int:
    return extremes.positive(rng, 112)


def _share(rng: Random) -> Case:
    whole = extremes.positive(rng, 111)
    return extremes.amount(rng), extremes.part_of(rng, whole), whole


WAD_MATH = [
    Pair("mulDown(int256,int256)", "int256", lambda r: (extremes.amount(r), extremes.signed(r, 97)), wad.mul_floor),
    Pair("mulUp(int256,int256)", "int256", lambda r: (extremes.amount(r), extremes.signed(r, 97)), wad.mul_ceil),
    Pair("divDown(int256,int256)", "int256", lambda r: (extremes.signed(r, 200), _divisor(r)), wad.div_floor),
    Pair("divUp(int256,int256)", "int256", lambda r: (extremes.signed(r, 200), _divisor(r)), wad.div_ceil),
    Pair("shareUp(int256,uint256,uint256)", "int256", _share, lambda a, part, whole: wad.div_ceil(a * part, whole)),
    Pair("abs(int256)", "uint256", lambda r: (extremes.signed(r, 255),), abs),
    Pair("min(int256,int256)", "int256", lambda r: (extremes.signed(r, 256), extremes.signed(r, 256)), min),
    Pair("max(int256,int256)", "int256", lambda r: (extremes.signed(r, 256), extremes.signed(r, 256)), max),
]


# ------------------------------------------------------------------ positions and margin


def _change(rng: Random) -> Case:
    """A position and a trade on it: it opens, grows, reduces, closes whole, or flips."""
    size = rng.choice((0, extremes.size(rng), extremes.size(rng), extremes.size(rng)))
    entry = extremes.magnitude(rng, 111) * (1 if size > 0 else -1) if size else 0
    change = rng.choice((extremes.size(rng), -size or 1, -extremes.part_of(rng, size) if size else -1))
    return size, entry, change, extremes.amount(rng)


def _entry_after(size: int, entry: int, change: int, value: int) -> int:
    after = position.apply_trade(position.PositionState(size, entry, 0), change, value)
    assert after.cash == -entry - value
    return after.entry_notional


def _liquidation(rng: Random) -> Case:
    return extremes.size(rng), extremes.signed(rng, 113), rng.choice((1, WAD // 1000, WAD - 1, rng.randrange(1, WAD)))


def _bankruptcy(rng: Random) -> Case:
    """Half of the notionals lie within a few wei of the value at mark, where the direction of rounding changes."""
    size, mark = extremes.size(rng), extremes.price(rng)
    near = margin.position_value(size, mark) + rng.randint(-3, 3)
    if rng.random() < 0.5 and extremes.INT112_MIN <= near <= extremes.INT112_MAX:
        return size, near, mark
    return size, extremes.amount(rng), mark


MARGIN_MATH = [
    Pair("entryAfter(int256,int256,int256,int256)", "int256", _change, _entry_after),
    Pair(
        "valueDown(int256,uint256)", "int256", lambda r: (extremes.amount(r), extremes.price(r)), margin.position_value
    ),
    Pair(
        "requirementUp(int256,uint256,uint256)",
        "uint256",
        lambda r: (extremes.amount(r), extremes.price(r), r.choice((1, WAD, r.randrange(1, WAD)))),
        margin.margin_requirement,
    ),
    Pair(
        "equity(int256,int256,int256,uint256)",
        "int256",
        lambda r: (extremes.amount(r), extremes.amount(r), extremes.amount(r), extremes.price(r)),
        lambda size, entry, own, mark: margin.equity(own, [margin.value_leg(size, entry, mark, 1)]),
    ),
    Pair(
        "bankruptcyPrice(int256,int256,uint256)",
        "int256",
        _bankruptcy,
        lambda size, notional, mark: margin.bankruptcy_price(notional, size, mark),
    ),
    Pair(
        "liquidationPrice(int256,int256,uint256)",
        "int256",
        _liquidation,
        lambda size, shortfall, fraction: margin.liquidation_price(size, fraction, -shortfall, 0, 0),
        none_below=1,
    ),
]


# ------------------------------------------------------------------ leveraged return


def _score(rng: Random) -> Case:
    """From what a position can hold to the bounds of the types: scoring never reverts, it saturates."""
    bits, margin_bits = rng.choice(((150, 150), (150, 150), (256, 256)))
    upnl = max(extremes.signed(rng, bits), -(2**255) + 1)
    equity = min(extremes.positive(rng, 150), 2**255 - 1)
    return upnl, extremes.amount(rng), equity, extremes.magnitude(rng, margin_bits)


def _leveraged_return(upnl: int, entry: int, equity: int, maintenance_margin: int) -> int:
    return leveraged_return(upnl, entry, margin.margin_rate(maintenance_margin, equity))


LEVERAGED_RETURN = [Pair("score(int256,int256,int256,uint256)", "int256", _score, _leveraged_return)]


# ------------------------------------------------------------------ the ADL price and its fills


def _losing(rng: Random) -> Case:
    """A losing inventory: `size, entry, mark`, and its loss."""
    while True:
        size, mark = extremes.size(rng), extremes.price(rng)
        value = margin.position_value(size, mark)
        entry = value + extremes.positive(rng, 111) if rng.random() < 0.5 else extremes.amount(rng)
        loss = fund.inventory_loss(size, entry, mark)
        if loss > 0 and extremes.INT112_MIN <= entry <= extremes.INT112_MAX:
            return size, entry, mark, loss


def _price_of(rng: Random) -> Case:
    size, entry, mark, loss = _losing(rng)
    compensation = rng.choice((1, loss, loss + 1, 2 * loss, rng.randint(1, loss), rng.randint(1, loss)))
    return size, entry, loss, compensation, mark


def _adl_price(size: int, entry: int, loss: int, compensation: int, mark: int) -> tuple[int, int]:
    assert fund.inventory_loss(size, entry, mark) == loss
    price = fund.adl_price(size, entry, mark, compensation)
    return price.adl, price.execution


def _insolvency(rng: Random) -> Case:
    """Half of the equities lie within a few wei of the threshold."""
    size, mark, price = extremes.size(rng), extremes.price(rng), extremes.signed(rng, 97)
    edge = abs(size) * abs(price - mark) // WAD
    equity = max(1, edge + rng.randint(-2, 2)) if rng.random() < 0.5 else extremes.positive(rng, 150)
    return price, size, equity, mark


def _counterparty(rng: Random) -> Case:
    """A counterparty, and a part of the opposite sign that it takes: at most its whole position."""
    size = extremes.size(rng)
    return size, extremes.positive(rng, 150), -extremes.part_of(rng, size), extremes.price(rng)


ADL_MATH = [
    Pair("priceOf(int256,int256,uint256,uint256,uint256)", "int256,int256", _price_of, _adl_price),
    Pair(
        "entryPart(int256,uint256,uint256)",
        "int256",
        _share,
        # An inventory is carried by its signed size, the contract counts contracts: both sides must come out the same.
        lambda entry, part, whole: fills.carried_entry(whole, entry, part),
    ),
    Pair(
        "entryPart(int256,uint256,uint256)",
        "int256",
        _share,
        lambda entry, part, whole: fills.carried_entry(-whole, entry, -part),
    ),
    Pair(
        "isInsolventAt(int256,int256,int256,uint256)",
        "bool",
        _insolvency,
        lambda price, size, equity, mark: fills.is_insolvent_at(equity, size, price, mark),
    ),
    Pair(
        "solvencyPrice(int256,int256,uint256)",
        "int256",
        lambda r: (extremes.size(r), extremes.positive(r, 150), extremes.price(r)),
        lambda size, equity, mark: fills.surrender_price(equity, size, mark),
    ),
    Pair(
        "capacity(int256,int256,int256,uint256)",
        "int256",
        _counterparty,
        lambda size, equity, part, mark: fills.capacity(equity, size, part, mark),
    ),
]


PAIRS = [*WAD_MATH, *MARGIN_MATH, *LEVERAGED_RETURN, *ADL_MATH]


def check(pair: Pair, harness: Harness, cases: int) -> None:
    """The library and its mirror, for so many cases."""
    rng = Random(f"{SEED} {pair.signature}")
    drawn = [pair.draw(rng) for _ in range(cases)]
    answers = harness.ask(Function(pair.signature, pair.returns), drawn)
    for case, answer in zip(drawn, answers, strict=True):
        expected = pair.mirror(*case)
        assert answer is not None, f"{pair.signature} reverts for {case}, the mirror says {expected}"
        if pair.none_below is not None and answer[0] < pair.none_below:
            answer = (None,)
        assert answer == (expected if isinstance(expected, tuple) else (expected,)), f"{pair.signature} for {case}"


def check_saturation(harness: Harness) -> None:
    """The largest and the smallest of what the contract can be asked: neither reverts."""
    cases = [(2**255 - 1, 1, 1, UINT256_MAX), (-(2**255) + 1, 1, 2**255 - 1, 0), (-1, 2**111 - 1, 2**255 - 1, 0)]
    # A gain and a loss of 2**255 to the unit, and two rates of 2**128, whose product has one bit too many.
    cases += [(2**254, WAD // 2, 1, 1), (-(2**254), WAD // 2, 1, 1), (2**128, WAD, WAD, 2**128)]
    answers = harness.ask(Function(LEVERAGED_RETURN[0].signature, "int256"), cases)
    assert answers == [(2**255 - 1,), (-(2**255),), (0,), (2**255 - 1,), (-(2**255),), (2**256 // WAD,)]
    assert answers == [(_leveraged_return(*case),) for case in cases]


def check_overflow(harness: Harness) -> None:
    """Checked arithmetic: what does not fit is refused, never wrapped."""
    too_large = [(2**200, 2**60), (-(2**200), 2**60), (2**255 - 1, 2), (-(2**255), 2)]
    for name in ("mulDown", "mulUp"):
        assert harness.ask(Function(f"{name}(int256,int256)", "int256"), too_large) == [None] * len(too_large)


# ------------------------------------------------------------------ ranking

LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 257)


def check_sort(length: int, harness: Harness) -> None:
    """All tied, many ties, hardly any; in no order, in order and the other way round; all of them and half."""
    rng = Random(f"{SEED} sort {length}")
    for spread in (1, 3, 2**255):
        rows = [(rng.randrange(-spread, spread), rng.getrandbits(256).to_bytes(32, "big")) for _ in range(length)]
        rows += rng.sample(rows, length // 4)  # duplicates
        for order in (rows, sorted(rows, key=_rank), sorted(rows, key=_rank)[::-1]):
            for count in {len(order), len(order) // 2}:
                meant = [*sorted(order[:count], key=_rank), *order[count:]]
                (ordered,) = harness.call(SORT, [account for _, account in order], [lr for lr, _ in order], count)
                assert list(ordered) == [account for _, account in meant]


def check_sorts(harness: Harness, cases: int) -> None:
    """Short lists, and the first so many of each."""
    rng = Random(f"{SEED} sorts")
    for _ in range(cases):
        length, spread = rng.randint(0, 20), rng.choice((1, 3, 2**255))
        rows = [(rng.randrange(-spread, spread), rng.getrandbits(256).to_bytes(32, "big")) for _ in range(length)]
        count = rng.randint(0, length)
        meant = [*sorted(rows[:count], key=_rank), *rows[count:]]
        (ordered,) = harness.call(SORT, [account for _, account in rows], [lr for lr, _ in rows], count)
        assert list(ordered) == [account for _, account in meant]


def _rank(row: tuple[int, bytes]) -> tuple[int, bytes]:
    return -row[0], row[1]
