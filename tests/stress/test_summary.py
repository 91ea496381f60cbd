"""Quantiles and shares over draws."""

from __future__ import annotations

import numpy as np
import pytest

from backstop.math.wad import parse_amount
from backstop.stress.document import decimal
from backstop.stress.summary import LEVELS, quantile, spread


@pytest.mark.parametrize("draws", [1, 2, 3, 10, 99, 100, 101, 999, 1000, 1001, 10_000])
def test_quantiles_are_those_of_numpy_without_interpolation(draws: int) -> None:
    amounts = np.random.default_rng(draws).standard_normal(draws) * 1000
    figures = spread(amounts)
    for level, found in zip(LEVELS, figures.quantiles, strict=True):
        assert found == np.quantile(amounts, level / 1000, method="inverted_cdf"), level
    assert figures.worst == amounts.max()
    assert figures.expected == amounts.mean()


def test_a_quantile_is_the_least_draw_that_so_many_do_not_exceed() -> None:
    ascending = np.arange(1.0, 1001.0)
    assert [quantile(ascending, level) for level in (1, 500, 990, 999, 1000)] == [1, 500, 990, 999, 1000]
    assert quantile(ascending[:10], 901) == 10
    assert quantile(ascending[:10], 900) == 9


def test_quantiles_of_what_no_fund_bears_stay_infinite() -> None:
    figures = spread(np.array([np.inf] * 20 + [5.0] * 980))
    assert figures.quantiles == (5.0, 5.0, 5.0, np.inf, np.inf)
    assert decimal(figures.worst) is None


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1e-30, "0"),
        (0.1 + 0.2, "0.3"),
        (1234567.891, "1234567.891"),
        (-7000.0, "-7000"),
        (1e21, "1000000000000000000000"),
        (1.5e-9, "0.0000000015"),
    ],
)
def test_amounts_are_plain_decimals(amount: float, text: str) -> None:
    assert decimal(amount) == text
    parse_amount(text)  # as in every other document
