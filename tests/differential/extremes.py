"""Random numbers that live at the edges: bounds, one wei, whole units and the wei beside, powers of two, any other."""

from __future__ import annotations

from random import Random

from backstop.math.wad import WAD

INT112_MAX = 2**111 - 1
INT112_MIN = -(2**111)
PRICE_MAX = 2**96 - 1

_EDGES = (0, 1, 2, 3, WAD - 1, WAD, WAD + 1, 3 * WAD, 10**6 * WAD, 10**6 * WAD + 1)


def magnitude(rng: Random, bits: int) -> int:
    """An unsigned number below `2**bits`: an edge, the largest, or one of a random length."""
    kind = rng.random()
    if kind < 0.25:
        return min(rng.choice(_EDGES), 2**bits - 1)
    if kind < 0.35:
        return 2**bits - 1 - rng.choice((0, 0, 1, 2))
    if kind < 0.4:
        return 1 << rng.randrange(bits)  # where shortcuts for small numbers look at bits
    return rng.getrandbits(rng.randint(1, bits))


def positive(rng: Random, bits: int) -> int:
    """Such a number from 1 on."""
    return max(1, magnitude(rng, bits))


def signed(rng: Random, bits: int) -> int:
    """A number of `bits` in two's complement, its most negative one among them."""
    if rng.random() < 0.03:
        return -(2 ** (bits - 1))
    number = magnitude(rng, bits - 1)
    return -number if rng.random() < 0.5 else number


def amount(rng: Random) -> int:
    """A size or a notional as it is stored."""
    return signed(rng, 112)


def size(rng: Random) -> int:
    """A size that is not zero."""
    return amount(rng) or rng.choice((-1, 1))


def price(rng: Random) -> int:
    """A mark price."""
    return positive(rng, 96)


def part_of(rng: Random, whole: int) -> int:
    """A part of `whole` with its sign, from one wei to all of it."""
    contracts = abs(whole)
    part = rng.choice((1, contracts, max(1, contracts - 1), rng.randint(1, contracts), rng.randint(1, contracts)))
    return part if whole > 0 else -part
