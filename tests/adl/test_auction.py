"""The Dutch auction of inventory: where it starts, how it falls, where it ends, and what restarts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.auction import merged_start, part_value, price_of
from backstop.math.wad import WAD, div_ceil

from .books import wad

MARK, PREMIUM, MMF = wad("100"), wad("0.02"), wad("0.05")
DURATION = 1800


def price(elapsed: int, *, is_long: bool, mark: int = MARK) -> int:
    return price_of(is_long=is_long, mark=mark, premium=PREMIUM, floor_fraction=MMF, elapsed=elapsed, duration=DURATION)


@pytest.mark.parametrize(
    ("elapsed", "sold", "bought_back"),
    [
        (0, "102", "98"),
        # A way of 7 % in 1,800 s: a ninth of it after 200 s, so 2 - 0.7777… up, and 100 - that down.
        (200, "101.222222222222222223", "98.777777777777777777"),
        (900, "98.5", "101.5"),
        (1799, "95.003888888888888889", "104.996111111111111111"),
        (1800, "95", "105"),
        (1801, "95", "105"),
        (10**9, "95", "105"),
    ],
)
def test_a_price_by_hand(elapsed: int, sold: str, bought_back: str) -> None:
    assert price(elapsed, is_long=True) == wad(sold)
    assert price(elapsed, is_long=False) == wad(bought_back)


def test_a_price_crosses_mark_when_the_premium_is_used_up() -> None:
    # 2 of 7 parts of 1,800 s is 514.28… s.
    assert price(514, is_long=True) > MARK > price(515, is_long=True)
    assert price(514, is_long=False) < MARK < price(515, is_long=False)


def test_a_price_is_rounded_once_toward_the_pool() -> None:
    # At a mark of 1 wei the exact price is between 0.95 and 1.02 wei.
    assert price(0, is_long=True, mark=1) == 2
    assert price(1800, is_long=True, mark=1) == 1
    assert price(0, is_long=False, mark=1) == 0
    assert price(1800, is_long=False, mark=1) == 1


def test_a_part_is_rounded_toward_the_pool() -> None:
    assert part_value(wad("3"), wad("98.5")) == wad("295.5")
    assert part_value(wad("-3"), wad("101.5")) == wad("-304.5")
    # One and a half wei: a buyer of a long pays 2, one that takes a short over gets 1.
    assert part_value(1, WAD * 3 // 2) == 2
    assert part_value(-1, WAD * 3 // 2) == -1


def test_the_start_of_what_came_in_is_the_mean_by_size() -> None:
    assert merged_start(0, 0, 5000, wad("7"), DURATION) == 5000
    assert merged_start(1000, wad("3"), 2000, wad("1"), DURATION) == 1250
    # Rounded down, so earlier.
    assert merged_start(1000, 2, 1001, 1, DURATION) == 1000
    # A wei does not move an inventory of a contract by a second.
    assert merged_start(1000, WAD, 2800, 1, DURATION) == 1000


@pytest.mark.parametrize(
    ("waited", "merged"),
    [(1600, 1400), (1796, 1449), (1799, 1449), (1800, 1450), (1801, 1451), (1804, 1454), (10**6, 10**6 - 350)],
)
def test_what_was_there_counts_for_no_longer_than_the_auction_takes(waited: int, merged: int) -> None:
    # Three contracts that have waited, and one that just came in: a quarter of the wait, of 1,350 s at most.
    assert merged_start(1000, wad("3"), 1000 + waited, wad("1"), DURATION) == merged


def test_an_old_crumb_does_not_bring_what_comes_in_to_the_floor() -> None:
    time = 1000 + 21 * 86400
    # A thousandth of it in three weeks would be 1,814 s; it is a thousandth of 1,800 s.
    assert merged_start(1000, wad("0.1"), time, wad("99.9"), DURATION) == time - 2


# ------------------------------------------------------------------ properties

marks = st.integers(1, 2**96 - 1)
premiums = st.integers(0, WAD // 5)
floors = st.integers(10**15, WAD - 1)
durations = st.integers(60, 86400)
times = st.integers(0, 2 * 86400)
sides = st.booleans()


@given(sides, marks, premiums, floors, durations, times, times)
def test_the_price_only_moves_away_from_the_pool(
    is_long: bool, mark: int, premium: int, floor: int, duration: int, one: int, other: int
) -> None:
    earlier, later = (
        price_of(is_long=is_long, mark=mark, premium=premium, floor_fraction=floor, elapsed=elapsed, duration=duration)
        for elapsed in sorted((one, other))
    )
    assert earlier >= later if is_long else earlier <= later


@given(sides, marks, premiums, floors, durations, times)
def test_the_price_starts_at_the_premium_and_ends_at_the_floor(
    is_long: bool, mark: int, premium: int, floor: int, duration: int, beyond: int
) -> None:
    first, last = (
        price_of(is_long=is_long, mark=mark, premium=premium, floor_fraction=floor, elapsed=elapsed, duration=duration)
        for elapsed in (0, duration + beyond)
    )
    if is_long:
        assert first == div_ceil(mark * (WAD + premium), WAD)
        assert last == div_ceil(mark * (WAD - floor), WAD) > 0
    else:
        assert first == mark * (WAD - premium) // WAD >= 0
        assert last == mark * (WAD + floor) // WAD


@given(marks, premiums, floors, durations, times)
def test_the_two_sides_mirror_each_other(mark: int, premium: int, floor: int, duration: int, elapsed: int) -> None:
    sold, bought_back = (
        price_of(is_long=side, mark=mark, premium=premium, floor_fraction=floor, elapsed=elapsed, duration=duration)
        for side in (True, False)
    )
    assert sold + bought_back == 2 * mark


seconds = st.integers(1_700_000_000, 2_000_000_000)
sizes = st.integers(1, 2**111 - 1)


@given(seconds, sizes, st.integers(0, 10**8), sizes, durations)
def test_a_merged_start_lies_between_the_two(
    start: int, contracts: int, waited: int, added: int, duration: int
) -> None:
    merged = merged_start(start, contracts, start + waited, added, duration)
    assert start + waited - min(waited, duration) <= merged <= start + waited


@given(seconds, sizes, st.integers(0, 10**8), st.integers(1, 10**9), durations)
def test_dust_does_not_hold_an_auction_up(start: int, contracts: int, waited: int, share: int, duration: int) -> None:
    # What is a `share`-th of the inventory takes at most such a part of the time that counts.
    added = contracts // share
    if added == 0:
        return
    merged = merged_start(start, contracts, start + waited, added, duration)
    counted = min(waited, duration)
    assert (merged - (start + waited - counted)) * share <= counted


@given(seconds, sizes, st.lists(st.integers(1, 600), min_size=1, max_size=50), durations)
def test_dust_again_and_again_does_not_either(start: int, contracts: int, pauses: list[int], duration: int) -> None:
    # A millionth every few minutes: of the time that counts each takes at most a millionth.
    dust = contracts // 10**6
    if dust == 0:
        return
    now, held, begun = start, contracts, start
    for pause in pauses:
        now += pause
        begun = merged_start(begun, held, now, dust, duration)
        held += dust
    counted = min(now - start, duration)
    assert (begun - (now - counted)) * 10**6 <= counted * len(pauses)
