"""WAD integers: fixed point with 18 decimals, every division with its rounding in the name.

`floor` rounds toward -infinity and `ceil` toward +infinity, also for negative numbers and negative divisors.
Source: docs/mathematics.md, "Units and signs".
"""

from __future__ import annotations

import re

WAD = 10**18
DECIMALS = 18

INT256_MAX = 2**255 - 1
INT256_MIN = -(2**255)
UINT256_MAX = 2**256 - 1

# 10^40 units leave room to multiply two amounts and stay far from int256; nothing that is traded comes near it.
AMOUNT_LIMIT = 10**40 * WAD

_AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_MAX_TEXT = 60


def div_floor(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded toward -infinity. Raises ZeroDivisionError."""
    return numerator // denominator


def div_ceil(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded toward +infinity. Raises ZeroDivisionError."""
    return -(-numerator // denominator)


def div_toward_zero(numerator: int, denominator: int) -> int:
    """`numerator / denominator` with its fraction cut off. Raises ZeroDivisionError."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def mul_floor(a: int, b: int) -> int:
    """`a * b` of two WAD numbers, rounded toward -infinity."""
    return a * b // WAD


def mul_ceil(a: int, b: int) -> int:
    """`a * b` of two WAD numbers, rounded toward +infinity."""
    return -(-a * b // WAD)


def parse_amount(text: str, example: str = "-7000.5") -> int:
    """The WAD integer of a decimal string: `-?digits(.digits)?` with at most 18 decimals, exactly.

    Raises ValueError with a sentence that names the text and the way out, an amount like the `example`.
    """
    if len(text) > _MAX_TEXT:
        raise ValueError(f'"{text[:20]}…" has {len(text)} characters: an amount has at most {_MAX_TEXT}')
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(
            f'"{text}" is not a decimal amount: write digits, at most one dot, no exponent, like "{example}"'
        )
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if len(fraction) > DECIMALS:
        raise ValueError(f'"{text}" has {len(fraction)} decimals: at most {DECIMALS} are exact')
    amount = int(whole) * WAD + int(fraction.ljust(DECIMALS, "0"))
    if amount >= AMOUNT_LIMIT:
        raise ValueError(f'"{text}" is too large: amounts are below 10^40')
    return -amount if sign else amount


def format_amount(amount: int) -> str:
    """The shortest decimal string of a WAD integer, exactly: `82.5`, `0`, `-7000`."""
    whole, fraction = divmod(abs(amount), WAD)
    sign = "-" if amount < 0 else ""
    if fraction == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:018d}".rstrip("0")
