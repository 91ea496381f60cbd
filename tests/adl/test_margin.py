"""Margin, bankruptcy and liquidation of isolated and cross accounts."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.margin import (
    Leg,
    bankruptcy_notionals,
    bankruptcy_price,
    cash,
    equity,
    is_liquidatable,
    is_margin_call_due,
    is_to_be_taken_over,
    liquidation_price,
    maintenance_margin,
    margin_rate,
    margin_requirement,
    position_value,
    value_leg,
    withdrawable,
)
from backstop.math.wad import WAD

from .books import wad

MMF = wad("0.05")


def leg(size: str, entry: str, mark: str) -> Leg:
    return value_leg(wad(size), wad(entry), wad(mark), MMF)


def test_values_round_down_and_requirements_up() -> None:
    # One wei of contracts at a price of 1.5 is worth one and a half wei.
    assert position_value(1, WAD * 3 // 2) == 1
    assert position_value(-1, WAD * 3 // 2) == -2
    assert margin_requirement(1, WAD, MMF) == margin_requirement(-1, WAD, MMF) == 1
    assert margin_requirement(0, WAD, MMF) == 0


def test_the_long_of_the_worked_case() -> None:
    # 800 from 90 with margin 1,000: B = 72,000 - 1,000 = 71,000, whatever the mark; p_b = 88.75.
    long = leg("800", "72000", "80")
    trader_equity = equity(wad("1000"), [long])
    assert trader_equity == wad("-7000")
    assert long.maintenance_margin == wad("3200")
    [notional] = bankruptcy_notionals([long], trader_equity)
    assert notional == wad("71000")
    assert bankruptcy_price(notional, long.size, wad("80")) == wad("88.75")


def test_equity_of_a_cross_account_is_spread_by_maintenance_margin() -> None:
    # ETH long 10 at mark 100: MM 50, value 1,000; BTC short 1 at mark 3,000: MM 150, value -3,000. E = 400.
    eth, btc = leg("10", "1100", "100"), leg("-1", "-3200", "3000")
    assert equity(wad("300"), [eth, btc]) == wad("400")
    # Shares 400*50/200 = 100 and 300: B = 1,000 - 100 and -3,000 - 300.
    assert bankruptcy_notionals([eth, btc], wad("400")) == [wad("900"), wad("-3300")]
    assert bankruptcy_price(wad("900"), eth.size, wad("100")) == wad("90")
    assert bankruptcy_price(wad("-3300"), btc.size, wad("3000")) == wad("3300")


def test_a_bankrupt_cross_account_is_carried_by_its_losing_legs_alone() -> None:
    # ETH long 10 from 150 at 100 loses 500, SOL long 5 from 110 loses 50; the BTC short from 3,100 at 3,000 gains
    # 100. Margin 120: E = 120 - 500 - 50 + 100 = -330, carried 300 : 30.
    eth, btc, sol = leg("10", "1500", "100"), leg("-1", "-3100", "3000"), leg("5", "550", "100")
    assert equity(wad("120"), [eth, btc, sol]) == wad("-330")
    notionals = bankruptcy_notionals([eth, btc, sol], wad("-330"))
    assert notionals == [wad("1300"), wad("-3000"), wad("530")]
    # The winner passes at mark, a loser between mark and entry.
    assert bankruptcy_price(notionals[1], btc.size, wad("3000")) == wad("3000")
    assert wad("100") < bankruptcy_price(notionals[0], eth.size, wad("100")) == wad("130") < wad("150")


def test_a_negative_margin_with_no_losing_leg_is_spread_by_maintenance_margin() -> None:
    # Both gain 10, margin -50: E = -30 over MM 50 : 150.
    eth, btc = leg("10", "990", "100"), leg("-1", "-3010", "3000")
    assert bankruptcy_notionals([eth, btc], wad("-30")) == [wad("1007.5"), wad("-2977.5")]


def test_the_last_carrying_leg_takes_the_remainder() -> None:
    # E = -2 wei over two equal losses and a winner: floor(2*1/2) = 1 each. E = -3: 1 and the rest, 2.
    # The winner is last in market order and still carries nothing.
    losers = [Leg(WAD, WAD + 5, WAD, -5, 1), Leg(WAD, WAD + 5, WAD, -5, 1)]
    winner = Leg(WAD, WAD - 7, WAD, 7, 1)
    assert bankruptcy_notionals([*losers, winner], -3) == [WAD + 1, WAD + 2, WAD]
    # E = 2 wei over three equal MM: floor(2/3) = 0, 0 and the rest, 2.
    assert bankruptcy_notionals([*losers, winner], 2) == [WAD, WAD, WAD - 2]


amounts = st.integers(-(10**27), 10**27)


@st.composite
def cross_accounts(draw: st.DrawFn) -> tuple[int, list[Leg]]:
    legs = []
    for _ in range(draw(st.integers(1, 4))):
        size = draw(amounts.filter(bool))
        entry = draw(st.integers(0, 10**30)) * (1 if size > 0 else -1)
        legs.append(value_leg(size, entry, draw(st.integers(1, 10**24)), draw(st.integers(1, WAD - 1))))
    return draw(amounts), legs


@given(cross_accounts())
def test_bankruptcy_notionals_sum_to_minus_cash(book: tuple[int, list[Leg]]) -> None:
    margin, legs = book
    assert sum(bankruptcy_notionals(legs, equity(margin, legs))) == -cash(margin, legs)


@given(cross_accounts())
def test_the_order_of_the_legs_moves_no_more_than_the_remainder(book: tuple[int, list[Leg]]) -> None:
    margin, legs = book
    straight = bankruptcy_notionals(legs, equity(margin, legs))
    for order in permutations(range(len(legs))):
        shuffled = bankruptcy_notionals([legs[place] for place in order], equity(margin, legs))
        for notional, place in zip(shuffled, order, strict=True):
            assert abs(notional - straight[place]) < len(legs)


@given(amounts.filter(bool), amounts, st.integers(1, 10**24))
def test_a_shown_bankruptcy_price_lies_between_the_exact_one_and_the_mark(size: int, notional: int, mark: int) -> None:
    shown = bankruptcy_price(notional, size, mark)
    scaled, exact = shown * abs(size), notional * WAD * (1 if size > 0 else -1)
    assert min(exact, mark * abs(size)) <= scaled <= max(exact, mark * abs(size))
    assert abs(scaled - exact) < abs(size)


def test_liquidation_prices_by_hand() -> None:
    # Long 800 from 90, margin 1,000: (72,000 - 1,000)/(800 - 40) = 93.42105263157894736842…, up.
    assert liquidation_price(wad("800"), MMF, wad("-71000"), 0, 0) == wad("93.421052631578947369")
    # Short 800 from 90, margin 1,000: (-72,000 - 1,000)/(-800 - 40) = 86.90476190476190476190…, down.
    assert liquidation_price(wad("-800"), MMF, wad("73000"), 0, 0) == wad("86.904761904761904761")
    # A long whose margin pays for all of it is never liquidated.
    assert liquidation_price(wad("1"), MMF, wad("0"), 0, 0) is None
    assert liquidation_price(wad("1"), MMF, wad("1"), 0, 0) is None
    # With a fraction of 1 no mark changes a long's margin.
    assert liquidation_price(wad("1"), WAD, wad("-1"), 0, 0) is None


def test_a_cross_leg_is_liquidated_where_the_account_is() -> None:
    # Long 10 ETH from 110 with a BTC short 1 from 3,200 at mark 3,000, margin 300: cash = 300 - 1,100 + 3,200 = 2,400.
    # (150 - 2,400 + 3,000)/(10 - 0.5) = 78.94736842105263157894…, up.
    price = liquidation_price(wad("10"), MMF, wad("2400"), wad("150"), wad("-3000"))
    assert price == wad("78.947368421052631579")
    btc = leg("-1", "-3200", "3000")
    for mark, liquidatable in ((price, False), (price - 1, True)):
        legs = [value_leg(wad("10"), wad("1100"), mark, MMF), btc]
        assert is_liquidatable(equity(wad("300"), legs), maintenance_margin(legs)) is liquidatable


@pytest.mark.parametrize(
    ("trader_equity", "liquidatable", "taken_over"),
    [
        (101, False, False),
        (100, False, False),
        (99, True, False),
        (51, True, False),
        (50, True, True),
        (1, True, True),
        (0, False, True),
        (-1, False, True),
    ],
)
def test_the_waterfall_by_equity(trader_equity: int, liquidatable: bool, taken_over: bool) -> None:
    assert is_liquidatable(trader_equity, 100) is liquidatable
    assert is_to_be_taken_over(trader_equity, 100, WAD // 2) is taken_over


def test_without_maintenance_margins_the_last_leg_takes_the_equity() -> None:
    legs = [value_leg(wad("1"), wad("100"), wad(mark), 0) for mark in ("101", "102", "103")]
    assert bankruptcy_notionals(legs, 6) == [wad("101"), wad("102"), wad("103") - 6]


def test_a_margin_rate_is_floored_and_at_least_one_wei() -> None:
    assert margin_rate(2, 3) == 666666666666666666
    assert margin_rate(1, 10**40) == 1
    for nothing in (0, -1):
        with pytest.raises(ValueError, match="E <= 0"):
            margin_rate(1, nothing)


@pytest.mark.parametrize(
    ("has", "due"),
    [
        ("125", False),  # MM / E is the warning rate of 80 % itself
        ("124.999999999999999999", True),
        ("0", True),
        ("-1", True),
    ],
)
def test_a_margin_call_begins_above_the_warning_rate(has: str, due: bool) -> None:
    assert is_margin_call_due(wad(has), wad("100"), wad("110"), wad("0.8")) == due


def test_a_margin_call_begins_below_the_initial_margin() -> None:
    assert not is_margin_call_due(wad("200"), wad("100"), wad("200"), wad("0.8"))
    assert is_margin_call_due(wad("200") - 1, wad("100"), wad("200"), wad("0.8"))


def test_gains_cannot_be_withdrawn_and_losses_stay() -> None:
    assert withdrawable(wad("100"), [wad("50"), wad("-20")], wad("30")) == wad("50")
    assert withdrawable(wad("100"), [], 0) == wad("100")
    assert withdrawable(wad("10"), [wad("-20")], wad("30")) == wad("-40")
