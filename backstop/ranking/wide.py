"""Columns of 128-bit integers in two's complement, each as two words of 64: what the contracts count with, for numpy.

Sums and products are taken modulo 2^128, as a machine does with one word, and so are exact wherever the result fits.
A product that does not fit may still be divided: the quotient is estimated by doubles from below, and the remainder,
which fits, says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.int64]

BITS = 128
_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)
_TWO_64 = 2.0**64
_SPLITTER = float(2**27 + 1)
_BELOW = 1 - 2.0**-48  # more than what any estimate here is off by

# With an estimate off by less than 2^-47 of the quotient, the first remainder fits 127 bits, what is missing after it
# is below 2^48, and its own estimate is off by less than one. Less than 2^16 is no divisor for that.
_LARGEST_PRODUCT, _LARGEST_QUOTIENT, _LARGEST_DIVISOR, _LEAST_DIVISOR = 2.0**170, 2.0**94, 2.0**120, 2.0**16


class Wide(NamedTuple):
    """`high * 2^64 + low` modulo 2^128, read as signed; both of one shape."""

    low: Words
    high: Words

    @property
    def is_negative(self) -> Flags:
        """Where it is below zero."""
        below: Flags = self.high.view(np.int64) < 0
        return below

    @property
    def is_positive(self) -> Flags:
        """Where it is above zero."""
        above: Flags = ~self.is_negative & ((self.low | self.high) != 0)
        return above

    def take(self, rows: Rows | Flags | slice) -> Wide:
        """Those rows."""
        return Wide(self.low[rows], self.high[rows])

    def to_floats(self) -> Floats:
        """The nearest doubles, but for two roundings."""
        floats = _unsigned_floats(magnitude(self))
        return np.where(self.is_negative, -floats, floats)

    def to_ints(self) -> list[int]:
        """Python's integers."""
        highs = self.high.view(np.int64).tolist()
        return [(high << 64) + low for high, low in zip(highs, self.low.tolist(), strict=True)]


def of_ints(values: Iterable[int]) -> Wide:
    """Python's integers in a column. Raises OverflowError for one that takes more than 128 bits."""
    raw = b"".join(value.to_bytes(16, "little", signed=True) for value in values)
    words = np.frombuffer(raw, dtype="<u8").astype(np.uint64).reshape(-1, 2)
    return Wide(np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1]))


def constant(value: int) -> Wide:
    """One integer, modulo 2^128, to combine with columns."""
    value %= 1 << BITS
    return Wide(np.array([value & (2**64 - 1)], np.uint64), np.array([value >> 64], np.uint64))


def zeros(count: int) -> Wide:
    """A column of nothing."""
    return Wide(np.zeros(count, np.uint64), np.zeros(count, np.uint64))


def concatenate(parts: Sequence[Wide]) -> Wide:
    """One's rows after another's."""
    return Wide(np.concatenate([part.low for part in parts]), np.concatenate([part.high for part in parts]))


def add(a: Wide, b: Wide) -> Wide:
    """`a + b`."""
    low = a.low + b.low
    return Wide(low, a.high + b.high + (low < a.low))


def subtract(a: Wide, b: Wide) -> Wide:
    """`a - b`."""
    return Wide(a.low - b.low, a.high - b.high - (a.low < b.low))


def negative(a: Wide) -> Wide:
    """`-a`."""
    return subtract(constant(0), a)


def magnitude(a: Wide) -> Wide:
    """`|a|`."""
    return choose(a.is_negative, negative(a), a)


def choose(where: Flags, a: Wide, b: Wide) -> Wide:
    """`a` where it holds, else `b`."""
    return Wide(np.where(where, a.low, b.low), np.where(where, a.high, b.high))


def multiply(a: Wide, b: Wide) -> Wide:
    """`a * b`."""
    product = _product_of_words(a.low, b.low)
    return Wide(product.low, product.high + a.low * b.high + a.high * b.low)


def running_sum(a: Wide) -> Wide:
    """The sum of each row and all before it, of no negative ones."""
    low = np.cumsum(a.low, dtype=np.uint64)
    carried = np.cumsum(low < a.low, dtype=np.uint64)
    return Wide(low, np.cumsum(a.high, dtype=np.uint64) + carried)


class Quotient(NamedTuple):
    """A quotient rounded down, whether something is left over, and where both are `sure`: elsewhere numbers are too
    large, or the divisor is not positive or below 2^16."""

    floor: Wide
    is_inexact: Flags
    sure: Flags

    @property
    def ceiling(self) -> Wide:
        """The quotient rounded up."""
        return add(self.floor, _bit(self.is_inexact))


def quotient(a: Wide, b: Wide, divisor: Wide) -> Quotient:
    """`a * b / divisor`, of no negative factors."""
    divide = _unsigned_floats(divisor)
    product = _unsigned_floats(a) * _unsigned_floats(b)
    estimate = product / divide
    sure = (product < _LARGEST_PRODUCT) & (estimate < _LARGEST_QUOTIENT)
    sure &= (divide >= _LEAST_DIVISOR) & (divide < _LARGEST_DIVISOR)
    first = _of_floats(np.where(sure, estimate * _BELOW, 0.0))
    return _divided(multiply(a, b), first, divisor, np.where(sure, divide, np.inf), sure)


def times_fraction(a: Wide, numerator: int, denominator: int) -> Quotient:
    """`a * numerator / denominator`, of none that is negative; the terms may have more than 128 bits.

    The first estimate has twice the digits of a double, by an exact product (T. J. Dekker, "A floating-point technique
    for extending the available precision", 1971).
    """
    fraction = Fraction(numerator, denominator)
    fits = _LEAST_DIVISOR <= fraction.denominator < _LARGEST_DIVISOR
    if not fits and fraction.denominator < _LEAST_DIVISOR:
        # The same quotient and remainder, both terms longer.
        numerator, denominator, fits = fraction.numerator << 16, fraction.denominator << 16, True
    else:
        numerator, denominator = fraction.numerator, fraction.denominator
    high = float(fraction)
    low = float(fraction - Fraction(high))
    whole = _unsigned_floats(a)
    rest = subtract(a, _of_floats(whole)).to_floats()
    product, error = _exact_product(whole, high)
    sure = (product < _LARGEST_QUOTIENT) & fits
    # Two numbers that are whole, the sum at most three below the quotient.
    error = np.floor(np.where(sure, error + (whole * low + rest * high), 0.0)) - 1
    product = np.where(sure, product, 0.0)
    upper = np.floor(product)
    first = add(_of_floats(upper), _of_signed_floats(np.floor(error + (product - upper))))
    first = choose(first.is_negative, constant(0), first)
    divisor = constant(denominator)
    divide = np.where(sure, _unsigned_floats(divisor), np.inf)
    return _divided(multiply(a, constant(numerator)), first, divisor, divide, sure)


def _divided(product: Wide, first: Wide, divisor: Wide, divide: Floats, sure: Flags) -> Quotient:
    """From an estimate of the quotient that is not above it; the product may have wrapped."""
    left = subtract(product, multiply(first, divisor))
    missing = (_unsigned_floats(left) / divide * _BELOW).astype(np.uint64)
    left = subtract(left, multiply_by_word(divisor, missing))
    low = first.low + missing
    high = first.high + (low < missing)
    over = ~subtract(left, divisor).is_negative
    left = choose(over, subtract(left, divisor), left)
    return Quotient(add(Wide(low, high), _bit(over)), (left.low | left.high) != 0, sure)


def multiply_by_word(a: Wide, b: Words) -> Wide:
    """`a * b` of one that is not negative and fits a word."""
    product = _product_of_words(a.low, b)
    return Wide(product.low, product.high + a.high * b)


def _product_of_words(a: Words, b: Words) -> Wide:
    a0, a1 = a & _LOW, a >> _HALF
    b0, b1 = b & _LOW, b >> _HALF
    cross = a1 * b0
    middle = a0 * b1 + (cross & _LOW) + ((a0 * b0) >> _HALF)
    return Wide(a * b, a1 * b1 + (cross >> _HALF) + (middle >> _HALF))


def _bit(where: Flags) -> Wide:
    return Wide(where.astype(np.uint64), np.zeros(1, np.uint64))


def _unsigned_floats(a: Wide) -> Floats:
    return a.high.astype(np.float64) * _TWO_64 + a.low.astype(np.float64)


def _of_floats(values: Floats) -> Wide:
    """What is whole of doubles from 0 to 2^127."""
    high = np.floor(values * (1 / _TWO_64))
    return Wide((values - high * _TWO_64).astype(np.uint64), high.astype(np.uint64))


def _of_signed_floats(values: Floats) -> Wide:
    found = _of_floats(np.abs(values))
    return choose(values < 0, negative(found), found)


def _exact_product(a: Floats, b: float) -> tuple[Floats, Floats]:
    product = a * b
    a_high, b_high = _upper(a), float(_upper(np.array([b]))[0])
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _upper(a: Floats) -> Floats:
    shifted = a * _SPLITTER
    return shifted - (shifted - a)
