"""Amounts for people: cut, but never so that a price of nearly nothing is shown as nothing."""

from __future__ import annotations

import json

import pytest

from backstop.math.wad import parse_amount
from backstop.render import show_amount

from .books import ETH, account, document, market, position
from .test_cli import run


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0"),
        ("1", "1"),
        ("1.00009", "1"),
        ("1234567.12349", "1,234,567.1234"),
        ("0.99999", "0.9999"),
        ("0.20144", "0.2014"),
        ("0.049999", "0.04999"),
        ("0.0000567891", "0.00005678"),
        ("-0.0000567891", "-0.00005678"),
        ("0.00005", "0.00005"),
        ("0.000000000000000001", "0.000000000000000001"),
    ],
)
def test_cut_to_four_decimals_or_digits(amount: str, shown: str) -> None:
    assert show_amount(parse_amount(amount)) == shown


@pytest.mark.parametrize(
    ("amount", "shown"), [("0.009", "0"), ("-0.009", "0"), ("-0.019", "-0.01"), ("1.2345", "1.23")]
)
def test_cut_to_the_decimals_that_are_asked_for(amount: str, shown: str) -> None:
    assert show_amount(parse_amount(amount), 2) == shown


def test_queue_of_a_market_with_a_small_price() -> None:
    """The bankruptcy price is (10 * 0.0000123456 - 0.001) / 10."""
    small = account("small", "0.001", position("long", "10", "0.0000123456"))
    book = document(small, markets={ETH: market("0.0000567891")})
    shown = run("rank", "-", "--market", ETH, "--side", "long", stdin=json.dumps(book)).stdout
    assert " -0.00008765 " in shown
