"""Exact decimal strings and roundings that keep their direction below zero."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.wad import (
    INT256_MAX,
    INT256_MIN,
    UINT256_MAX,
    WAD,
    div_ceil,
    div_floor,
    div_toward_zero,
    format_amount,
    mul_ceil,
    mul_floor,
    parse_amount,
)


@pytest.mark.parametrize(
    ("numerator", "denominator", "floor", "ceil", "toward_zero"),
    [
        (7, 2, 3, 4, 3),
        (-7, 2, -4, -3, -3),
        (7, -2, -4, -3, -3),
        (-7, -2, 3, 4, 3),
        (-6, 2, -3, -3, -3),
        (0, 5, 0, 0, 0),
    ],
)
def test_division_rounds_as_named(numerator: int, denominator: int, floor: int, ceil: int, toward_zero: int) -> None:
    assert div_floor(numerator, denominator) == floor
    assert div_ceil(numerator, denominator) == ceil
    assert div_toward_zero(numerator, denominator) == toward_zero


def test_products_round_as_named() -> None:
    assert (mul_floor(-1, 1), mul_ceil(-1, 1)) == (-1, 0)
    assert (mul_floor(1, 1), mul_ceil(1, 1)) == (0, 1)
    assert mul_floor(3 * WAD, WAD // 2) == mul_ceil(3 * WAD, WAD // 2) == 3 * WAD // 2


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("82.5", 82_500000000000000000),
        ("0.000000000000000001", 1),
        ("-0.000000000000000001", -1),
        ("-7000", -7000 * WAD),
        ("007.50", 7_500000000000000000),
        ("-0", 0),
    ],
)
def test_parses_exactly(text: str, amount: int) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".5",
        "5.",
        "+1",
        "1e5",
        "1E5",
        "NaN",
        "Infinity",
        " 1",
        "1 ",
        "1\n",
        "1_000",
        "1,5",
        "0x10",
        "--1",
        "1.2.3",
        "٣",
    ],
)
def test_refuses_what_is_no_plain_decimal(text: str) -> None:
    with pytest.raises(ValueError, match="not a decimal amount"):
        parse_amount(text)


def test_refuses_a_nineteenth_decimal_and_huge_numbers() -> None:
    with pytest.raises(ValueError, match="19 decimals"):
        parse_amount("1.0000000000000000000")
    with pytest.raises(ValueError, match=r'^"9{20}…" has 5000 characters'):
        parse_amount("9" * 5000)
    with pytest.raises(ValueError, match="below 10\\^40"):
        parse_amount("1" + "0" * 40)
    assert parse_amount("9" * 40) == (10**40 - 1) * WAD


def test_a_text_has_at_most_sixty_characters() -> None:
    assert parse_amount("0" * 59 + "1") == WAD
    with pytest.raises(ValueError, match="has 61 characters"):
        parse_amount("0" * 60 + "1")


def test_the_bounds_of_words() -> None:
    assert UINT256_MAX.to_bytes(32, "big") == b"\xff" * 32
    assert INT256_MAX.to_bytes(32, "big", signed=True) == b"\x7f" + b"\xff" * 31
    assert INT256_MIN.to_bytes(32, "big", signed=True) == b"\x80" + bytes(31)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(82_500000000000000000, "82.5"), (0, "0"), (-7000 * WAD, "-7000"), (-1, "-0.000000000000000001")],
)
def test_formats_trimmed(amount: int, text: str) -> None:
    assert format_amount(amount) == text


@given(st.integers(-(10**58) + 1, 10**58 - 1))
def test_an_amount_survives_its_text(amount: int) -> None:
    assert parse_amount(format_amount(amount)) == amount
