"""The score and the lights."""

from __future__ import annotations

import pytest

from backstop.math.leveraged_return import adl_light, leveraged_return, pnl_rate
from backstop.math.wad import INT256_MAX, INT256_MIN, WAD

from .books import wad


def test_profit_is_multiplied_and_loss_is_divided_by_the_margin_rate() -> None:
    # 10,000 on 50,000 is 0.2; with r = 1/7 a profit scores 0.2/7, a loss -0.2*7.
    rate = wad("0.142857142857142857")
    assert leveraged_return(wad("10000"), wad("-50000"), rate) == wad("0.028571428571428571")
    assert leveraged_return(wad("-10000"), wad("-50000"), rate) == wad("-1.400000000000000001")


def test_both_steps_round_toward_zero() -> None:
    assert (pnl_rate(2, 3), pnl_rate(-2, 3), pnl_rate(-2, -3)) == (
        666666666666666666,
        -666666666666666666,
        -666666666666666666,
    )
    assert leveraged_return(1, WAD, WAD - 1) == 0
    assert leveraged_return(-1, WAD, 3 * WAD) == 0


def test_an_entry_of_nothing_scores_zero() -> None:
    assert pnl_rate(WAD, 0) == leveraged_return(WAD, 0, WAD) == leveraged_return(-WAD, 0, WAD) == 0


def test_scores_saturate_at_int256() -> None:
    assert leveraged_return(10**58, 1, 10**58) == INT256_MAX
    assert leveraged_return(-(10**58), 1, 1) == INT256_MIN
    # The largest score that does not saturate: pnlRate 1 (a whole), r = INT256_MAX.
    assert leveraged_return(WAD, WAD, INT256_MAX) == INT256_MAX
    assert leveraged_return(WAD, WAD, INT256_MAX - 1) == INT256_MAX - 1
    # A rate beyond uint256 saturates there, before r = 1 wei is applied.
    assert leveraged_return(10**80, 1, 1) == (2**256 - 1) // WAD


@pytest.mark.parametrize(
    ("ahead", "own", "total", "light"),
    [
        (0, 10, 100, 1),
        # midpoints at 20 % less and exactly 20 %
        (18, 3, 100, 1),
        (18, 4, 100, 2),
        (38, 4, 100, 3),
        (58, 4, 100, 4),
        (78, 4, 100, 5),
        (99, 1, 100, 5),
        (0, 100, 100, 3),
    ],
)
def test_a_light_is_the_fifth_of_the_midpoint(ahead: int, own: int, total: int, light: int) -> None:
    assert adl_light(ahead, own, total) == light
