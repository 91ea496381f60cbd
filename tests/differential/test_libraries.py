"""The libraries of the contracts against their mirror: thousands of random and extreme inputs, equal to the wei."""

from __future__ import annotations

import pytest

from .harness import Harness
from .pairs import LENGTHS, PAIRS, Pair, check, check_overflow, check_saturation, check_sort

CASES = 3000


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.signature.split("(")[0])
def test_library_equals_its_mirror(pair: Pair, harness: Harness) -> None:
    check(pair, harness, CASES)


def test_score_saturates_on_both_sides(harness: Harness) -> None:
    check_saturation(harness)


def test_products_beyond_the_documented_range_revert(harness: Harness) -> None:
    check_overflow(harness)


@pytest.mark.parametrize("length", LENGTHS)
def test_sort_orders_by_leveraged_return_and_then_account(length: int, harness: Harness) -> None:
    check_sort(length, harness)
