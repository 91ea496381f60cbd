"""Funding: what an hour's fills make of the index, what positions pay, and what roundings leave in the pot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.funding import (
    HOUR,
    Pot,
    exact_payment,
    hour_of,
    index_after,
    payment,
    premium_of,
)
from backstop.math.wad import WAD

from .books import wad

MOST, LEAST = 2**103 - 1, -(2**103)
CAP = wad("0.001")


# ------------------------------------------------------------------ the hour's premium


def test_an_hour_begins_on_its_first_second() -> None:
    assert [hour_of(second) for second in (0, HOUR - 1, HOUR, 2 * HOUR - 1)] == [0, 0, 1, 1]


def test_a_premium_by_hand() -> None:
    # 10 contracts 0.05 above a mark of 100, whose cap is 0.1.
    assert premium_of(wad("10"), wad("100.05"), wad("100"), CAP) == wad("0.5")
    assert premium_of(wad("10"), wad("99.95"), wad("100"), CAP) == wad("-0.5")
    assert premium_of(wad("10"), wad("100"), wad("100"), CAP) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_an_outlier_counts_the_cap_and_no_more(sign: int) -> None:
    edge = wad("100") + sign * wad("0.1")
    assert premium_of(WAD, edge - sign, wad("100"), CAP) == sign * (wad("0.1") - 1)
    for price in (edge, edge + sign, wad("100") + sign * wad("99")):
        assert premium_of(WAD, price, wad("100"), CAP) == sign * wad("0.1")
    assert premium_of(WAD, edge, wad("100"), 0) == 0


def test_a_premium_is_rounded_toward_zero() -> None:
    # A wei of contracts at a tenth above mark, and a tenth below; and ten of them, which make a wei.
    for sign in (1, -1):
        price = WAD + sign * wad("0.1")
        assert premium_of(1, price, WAD, WAD) == 0
        assert premium_of(9, price, WAD, WAD) == 0
        assert premium_of(10, price, WAD, WAD) == sign


# ------------------------------------------------------------------ the index


def test_the_index_moves_by_the_mean_premium() -> None:
    # 30 contracts at +0.1 and 10 at -0.1: 2 / 40.
    premium = premium_of(wad("30"), wad("100.1"), wad("100"), CAP) + premium_of(wad("10"), wad("99.9"), wad("100"), CAP)
    assert index_after(wad("7"), premium, wad("40"), 0) == wad("7.05")
    assert index_after(wad("7"), premium, wad("40"), wad("4000")) == wad("7.05")


def test_an_hour_without_fills_pays_nothing() -> None:
    assert index_after(wad("7"), 0, 0, wad("4000")) == wad("7")


def test_little_volume_counts_by_its_part_of_a_hundredth_of_open_interest() -> None:
    # A contract at 0.1 above mark beside 400 that are open: a quarter of 0.1, as if 3 had been filled at mark.
    assert index_after(0, wad("0.1"), wad("1"), wad("400")) == wad("0.025")
    assert index_after(0, wad("-0.1"), wad("1"), wad("400")) == wad("-0.025")
    assert index_after(0, wad("0.1"), wad("1"), wad("100")) == wad("0.1")
    # The hundredth is rounded down.
    assert index_after(0, wad("0.1"), wad("1"), wad("100") + 99) == wad("0.1")
    assert index_after(0, wad("0.1"), wad("1"), wad("100") + 100) == wad("0.1") - 1


def test_the_index_is_rounded_down_and_saturates() -> None:
    assert index_after(0, 1, 3 * WAD, 0) == 0
    assert index_after(0, -1, 3 * WAD, 0) == -1
    assert index_after(MOST - 1, 1, WAD, 0) == index_after(MOST, 1, WAD, 0) == MOST
    assert index_after(LEAST + 1, -1, WAD, 0) == index_after(LEAST, -1, WAD, 0) == LEAST


# ------------------------------------------------------------------ what positions pay


def test_a_long_pays_what_a_short_gets() -> None:
    assert payment(wad("10"), wad("0.05")) == wad("0.5")
    assert payment(wad("-10"), wad("0.05")) == wad("-0.5")
    assert payment(wad("10"), wad("-0.05")) == wad("-0.5")
    assert payment(0, wad("0.05")) == payment(wad("10"), 0) == 0


def test_a_payment_is_rounded_against_the_position() -> None:
    assert (payment(1, 1), payment(-1, 1)) == (1, 0)
    assert (exact_payment(1, 1), exact_payment(-1, 1)) == (1, -1)


# ------------------------------------------------------------------ the pot


def test_what_roundings_leave_is_summed_until_it_is_a_wei() -> None:
    pot = Pot().collect(1)
    assert pot == Pot(1, WAD - 1, 0)
    assert pot.collect(-1) == Pot(1, 0, 1)
    assert pot.collect(WAD // 2) == Pot(2, WAD // 2 - 1, 1)


def test_the_dust_is_swept_and_nothing_else() -> None:
    assert Pot(7, 5, 3).swept() == Pot(4, 5, 0)


def test_the_dust_saturates() -> None:
    assert Pot(0, WAD - 1, 2**32 - 1).collect(WAD - 1) == Pot(1, 0, 2**32 - 1)


amounts = st.integers(-(2**111), 2**111)
changes = st.integers(-(2**104), 2**104)


@given(st.lists(st.tuples(amounts, changes), max_size=8))
def test_the_pot_is_what_was_paid_and_its_dust_what_was_rounded(payments: list[tuple[int, int]]) -> None:
    pot = Pot()
    for size, change in payments:
        pot = pot.collect(exact_payment(size, change))
    assert pot.amount == sum(payment(size, change) for size, change in payments)
    assert pot.dust * WAD + pot.rest == pot.amount * WAD - sum(exact_payment(*one) for one in payments)
    assert 0 <= pot.rest < WAD
    assert 0 <= pot.dust <= max(0, len(payments) - 1)


@given(st.lists(amounts, max_size=6), changes)
def test_once_all_have_settled_the_pot_holds_its_dust_alone(sizes: list[int], change: int) -> None:
    """Sizes of a market sum to zero: what is paid covers what is got."""
    pot = Pot()
    for size in (*sizes, -sum(sizes)):
        pot = pot.collect(exact_payment(size, change))
    assert (pot.amount, pot.rest) == (pot.dust, 0)


@given(st.integers(-(2**111), 2**111), changes, changes)
def test_settling_in_between_costs_at_most_a_wei(size: int, first: int, second: int) -> None:
    assert 0 <= payment(size, first) + payment(size, second) - payment(size, first + second) <= 1


@given(
    st.integers(1, 2**100), st.integers(1, 2**80), st.integers(1, 2**80), st.integers(0, WAD // 100), st.integers(0, 3)
)
def test_a_premium_is_within_its_cap(contracts: int, price: int, mark: int, cap: int, beside: int) -> None:
    premium = premium_of(contracts, price, mark, cap)
    most = mark * cap // WAD
    assert abs(premium) * WAD <= most * contracts
    # Once beyond the cap, further does not count.
    if price > mark + most:
        assert premium_of(contracts, price + beside, mark, cap) == premium


fills = st.lists(
    st.tuples(st.one_of(st.integers(1, 3), st.integers(1, 2**90)), st.integers(1, 2**80)), min_size=1, max_size=5
)


@given(fills, st.integers(1, 2**80), st.integers(0, WAD // 100), st.integers(0, 2**100))
def test_an_hour_moves_the_index_by_no_more_than_the_cap(
    hour: list[tuple[int, int]], mark: int, cap: int, open_interest: int
) -> None:
    """Whatever is filled, a wei of contracts too; and by less where little is filled."""
    premium = sum(premium_of(contracts, price, mark, cap) for contracts, price in hour)
    volume, most = sum(contracts for contracts, _ in hour), mark * cap // WAD
    step = index_after(0, premium, volume, open_interest)
    assert abs(step) <= most
    if open_interest >= 100 * volume:
        assert (abs(step) - 1) * (open_interest // 100) <= most * volume
