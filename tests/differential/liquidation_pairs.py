"""What the libraries of liquidation and the auction are asked, and their mirrors: extreme numbers."""

from __future__ import annotations

from random import Random

from backstop.math import auction, liquidation
from backstop.math.margin import margin_requirement
from backstop.math.wad import WAD

from .pairs import Pair

Case = tuple[int | bool, ...]


def _edge(rng: Random, low: int, high: int) -> int:
    """A number in [low, high]: a bound, beside one, or of any magnitude between."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice((low, high))
    if kind < 0.2:
        return min(high, max(low, rng.choice((low + 1, high - 1, WAD, WAD - 1, WAD + 1))))
    return min(high, low + rng.getrandbits(rng.randint(1, max(1, high.bit_length()))))


def _fractions(rng: Random) -> tuple[int, int, int, int]:
    """imf, mmf, discount and fee, within the bounds that the exchange sets."""
    initial = _edge(rng, 5 * 10**15, WAD)
    maintenance = _edge(rng, 10**15, initial - 1)
    whole = _edge(rng, 0, maintenance)
    discount = _edge(rng, 0, whole)
    return initial, maintenance, discount, whole - discount


def _to_restore(rng: Random) -> Case:
    initial, maintenance, discount, fee = _fractions(rng)
    contracts, mark = _edge(rng, 1, 2**111 - 1), _edge(rng, 1, 2**96 - 1)
    return contracts, mark, _edge(rng, 1, margin_requirement(contracts, mark, maintenance)), initial, discount + fee


def _share(rng: Random) -> Case:
    """A leg's part of what an account has below its maintenance margin, or of any equity at all."""
    whole = _edge(rng, 1, 2**210)
    return _edge(rng, 1, rng.choice((whole, 2**210))), _edge(rng, 0, whole), whole


def _penalty(rng: Random) -> Case:
    _, maintenance, discount, fee = _fractions(rng)
    contracts, mark = _edge(rng, 1, 2**111 - 1), _edge(rng, 1, 2**96 - 1)
    equity = _edge(rng, 1, margin_requirement(contracts, mark, maintenance))
    return _edge(rng, 1, contracts), contracts, mark, equity, discount, fee


def _price(rng: Random) -> Case:
    duration = _edge(rng, 60, 86400)
    elapsed = rng.choice((_edge(rng, 0, duration), _edge(rng, 0, 2**32)))
    mark, premium = _edge(rng, 1, 2**96 - 1), _edge(rng, 0, WAD // 5)
    return rng.random() < 0.5, mark, premium, _edge(rng, 10**15, WAD - 1), elapsed, duration


def _merge(rng: Random) -> Case:
    start = _edge(rng, 0, 2**32 - 1)
    time, duration = _edge(rng, start, 2**32 - 1), _edge(rng, 60, 86400)
    if rng.random() < 0.5:  # around the time it takes
        time = min(start + max(0, duration + rng.randint(-2, 2)), 2**32 - 1)
    return start, _edge(rng, 0, 2**111 - 1), time, _edge(rng, 1, 2**111 - 1), duration


def _mirror_price(is_long: bool, mark: int, premium: int, floor_fraction: int, elapsed: int, duration: int) -> int:
    return auction.price_of(
        is_long=is_long,
        mark=mark,
        premium=premium,
        floor_fraction=floor_fraction,
        elapsed=elapsed,
        duration=duration,
    )


LIQUIDATION = [
    Pair(
        "contractsToRestore(uint256,uint256,uint256,uint256,uint256)",
        "uint256",
        _to_restore,
        liquidation.contracts_to_restore,
    ),
    Pair("shareOfEquity(uint256,uint256,uint256)", "uint256", _share, liquidation.share_of_equity),
    Pair(
        "penalty(uint256,uint256,uint256,uint256,uint256,uint256)",
        "uint256,uint256",
        _penalty,
        liquidation.penalty,
    ),
    Pair("priceOf(bool,uint256,uint256,uint256,uint256,uint256)", "uint256", _price, _mirror_price),
    Pair("mergedStart(uint256,uint256,uint256,uint256,uint256)", "uint256", _merge, auction.merged_start),
]
