"""A trade on a position: what it does to size, entry and margin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.position import PositionState, apply_trade, trade_value

from .books import wad


def state(size: str, entry: str, margin: str) -> PositionState:
    return PositionState(wad(size), wad(entry), wad(margin))


@pytest.mark.parametrize(
    ("before", "delta", "value", "after"),
    [
        # opens a long of 10 at 100, a short of 10 at 100
        (("0", "0", "50"), "10", "1000", ("10", "1000", "50")),
        (("0", "0", "50"), "-10", "-1000", ("-10", "-1000", "50")),
        # grows by 5 at 110
        (("10", "1000", "50"), "5", "550", ("15", "1550", "50")),
        # a long sells 4 of 10 at 110: gains 40
        (("10", "1000", "50"), "-4", "-440", ("6", "600", "90")),
        # a short from 100 buys 4 of 10 back at 110: loses 40
        (("-10", "-1000", "50"), "4", "440", ("-6", "-600", "10")),
        # closes all at 90
        (("10", "1000", "150"), "-10", "-900", ("0", "0", "50")),
        # flips: sells 15 of 10 at 110, gains 100, is short 5 from 110
        (("10", "1000", "50"), "-15", "-1650", ("-5", "-550", "150")),
        (("-10", "-1000", "50"), "15", "1350", ("5", "450", "150")),
    ],
)
def test_trades_by_hand(before: tuple[str, str, str], delta: str, value: str, after: tuple[str, str, str]) -> None:
    assert apply_trade(state(*before), wad(delta), wad(value)) == state(*after)


def test_the_closed_part_of_an_entry_rounds_up() -> None:
    # 10 wei of entry over 3: closing 1 closes ceil(10/3) = 4; of a short ceil(-10/3) = -3.
    assert apply_trade(PositionState(3, 10, 0), -1, 0) == PositionState(2, 6, -4)
    assert apply_trade(PositionState(-3, -10, 0), 1, 0) == PositionState(-2, -7, 3)
    # Selling 3 of a long of 1 for 10: the remainder of -2 gets ceil(-10*-2/-3) = ceil(-6.67) = -6.
    assert apply_trade(PositionState(1, 5, 0), -3, -10) == PositionState(-2, -6, 10 - 5 - 6)


def test_the_taker_pays_the_rounding() -> None:
    assert trade_value(1, 1) == 1
    assert trade_value(-1, 1) == 0


sizes = st.integers(-(10**24), 10**24)


@given(sizes, sizes.filter(bool), st.integers(0, 10**27), sizes, st.integers(-(10**27), 10**27))
def test_cash_falls_by_exactly_the_value(size: int, delta: int, entry: int, margin: int, value: int) -> None:
    before = PositionState(size, entry if size > 0 else -entry if size < 0 else 0, margin)
    after = apply_trade(before, delta, value)
    assert after.cash == before.cash - value
    assert after.size == size + delta
    if after.size == 0:
        assert after.entry_notional == 0


@pytest.mark.parametrize("size", [wad("3"), -wad("3"), 0])
def test_a_trade_of_nothing_changes_nothing(size: int) -> None:
    before = PositionState(size, 100 * size, wad("50"))
    assert apply_trade(before, 0, 0) == before
