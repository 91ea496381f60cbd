"""The arithmetic of one fill, in wei."""

from __future__ import annotations

import pytest

from backstop.math.round import (
    capacity,
    carried_entry,
    fill_value,
    is_insolvent_at,
    surrender_price,
    surrender_value,
)
from backstop.math.wad import WAD

PRICE = WAD * 3 // 2
PLENTY = 1000


def test_a_fill_rounds_toward_the_pool_and_is_held_by_entry_and_capacity() -> None:
    # One wei of contracts at 1.5.
    assert fill_value(1, PRICE, PLENTY, PLENTY) == 2
    assert fill_value(-1, PRICE, PLENTY, PLENTY) == -1
    assert fill_value(1, PRICE, 1, PLENTY) == 1
    assert fill_value(1, PRICE, PLENTY, 0) == 0


def test_a_fill_of_the_second_pass_rounds_toward_the_account() -> None:
    assert surrender_value(1, PRICE, PLENTY, PLENTY) == 1
    assert surrender_value(-1, PRICE, PLENTY, PLENTY) == -2
    assert surrender_value(3, PRICE, 2, PLENTY) == 2
    assert surrender_value(3, PRICE, PLENTY, 3) == 3


def test_a_part_carries_its_share_of_the_entry_rounded_up() -> None:
    assert carried_entry(3, 10, 1) == 4
    assert carried_entry(-3, -10, -1) == -3
    assert carried_entry(3, -10, 1) == -3
    assert carried_entry(3, 10, 3) == 10


def test_capacity_is_the_equity_after_a_fill_for_nothing() -> None:
    # A short of 3 wei at 1.5 is worth floor(-4.5) = -5; with 1 bought back floor(-3) = -3.
    assert capacity(7, -3, 1, PRICE) == 9
    # A long of 3 wei is worth floor(4.5) = 4; with 1 sold 3.
    assert capacity(7, 3, -1, PRICE) == 6


@pytest.mark.parametrize(("equity", "insolvent"), [(500, False), (499, True), (501, False)])
@pytest.mark.parametrize("size", [50 * WAD, -50 * WAD])
def test_insolvency_is_judged_on_the_full_size(equity: int, insolvent: bool, size: int) -> None:
    # 50 contracts, 10 wei away from mark: 500 wei.
    assert is_insolvent_at(equity, size, WAD + 10, WAD) is insolvent
    assert is_insolvent_at(equity, size, WAD - 10, WAD) is insolvent


def test_a_surrendering_account_pays_less_or_gets_more() -> None:
    # 10 wei over 3 contracts: 3 wei a contract, the rest is left to the account.
    assert surrender_price(10, -3 * WAD, WAD) == WAD + 3
    assert surrender_price(10, 3 * WAD, WAD) == WAD - 3
