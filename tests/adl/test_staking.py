"""Shares, exits, the burden of a group, and the stress of a market (docs/mathematics.md, "Stakes" and "Feedback")."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math import staking
from backstop.math.wad import WAD

SHARE = 10**12  # as many as a token unit is given by a pool that never had anything
ASSETS, SHARES = st.integers(0, 10**15), st.integers(0, 10**27)

# Nine units and nineteen shares' worth: with what is virtual, 20 shares stand for 10 units.
A, S = 9, 19 * SHARE


# ------------------------------------------------------------------ shares


def test_the_first_stake_of_an_empty_pool() -> None:
    assert staking.assets_to_shares(100, 0, 0) == 100 * SHARE
    assert staking.shares_to_assets(100 * SHARE, 100, 100 * SHARE) == 100


@pytest.mark.parametrize(
    ("total_shares", "bought", "cost", "worth"),
    [
        pytest.param(S, 6 * SHARE, 3, 3, id="exact"),
        pytest.param(S + 1, 6 * SHARE, 3, 2, id="a share more"),
        pytest.param(S - 1, 6 * SHARE - 1, 4, 3, id="a share less"),
    ],
)
def test_every_conversion_is_rounded_toward_the_pool(total_shares: int, bought: int, cost: int, worth: int) -> None:
    assert staking.assets_to_shares(3, A, total_shares) == bought
    assert staking.assets_for_shares(6 * SHARE, A, total_shares) == cost
    assert staking.shares_to_assets(6 * SHARE, A, total_shares) == worth


@given(assets=ASSETS, total_assets=ASSETS, total_shares=SHARES)
def test_nobody_gains_by_staking_and_leaving(assets: int, total_assets: int, total_shares: int) -> None:
    shares = staking.assets_to_shares(assets, total_assets, total_shares)
    assert staking.shares_to_assets(shares, total_assets + assets, total_shares + shares) <= assets
    assert staking.assets_for_shares(shares, total_assets, total_shares) <= assets


@given(shares=SHARES, total_assets=ASSETS, total_shares=SHARES)
def test_the_cost_of_shares_buys_them_and_a_unit_less_does_not(
    shares: int, total_assets: int, total_shares: int
) -> None:
    cost = staking.assets_for_shares(shares, total_assets, total_shares)
    assert staking.assets_to_shares(cost, total_assets, total_shares) >= shares
    assert cost == 0 or staking.assets_to_shares(cost - 1, total_assets, total_shares) < shares


@pytest.mark.parametrize(
    ("shares", "then", "now", "paid"),
    [(1, 10, 100, 3), (2, 10, 100, 6), (3, 10, 100, 10), (1, 10, 3, 3), (1, 10, 2, 2), (3, 10, 0, 0)],
)
def test_a_part_of_an_exit_of_three_shares(shares: int, then: int, now: int, paid: int) -> None:
    assert staking.exit_value(shares, 3, then, now) == paid


# ------------------------------------------------------------------ what shares stand for


@pytest.mark.parametrize(
    ("balance", "group", "burden"),
    [
        (30, [30, 10, -8], 6),
        (30, [30, 11, -8], 6),  # 5.9
        (30, [30, 9, -8], 7),  # 6.2
        (30, [30, 10], 0),
        (30, [30, -29], 29),
        (30, [30, -30], 30),
        (30, [30, -31], 30),
        (1, [1, -1, 1], 1),
        (0, [0, 5, -5], 0),
        (-8, [30, 10, -8], 0),
    ],
)
def test_what_a_member_carries_for_the_others(balance: int, group: list[int], burden: int) -> None:
    assert staking.burden(balance, group) == burden


@pytest.mark.parametrize(
    ("balance", "group", "assets"),
    [
        (25, None, 2),
        (30, None, 3),
        (10, None, 1),
        (9, None, 0),
        (0, None, 0),
        (-25, None, 0),
        (25, [25, -5], 2),
        (25, [25, -6], 1),
        (25, [25, -25], 0),
        (-25, [25, -25], 0),
    ],
)
def test_what_all_shares_stand_for_in_units_of_ten(balance: int, group: list[int] | None, assets: int) -> None:
    assert staking.pool_assets(balance, 10, group) == assets


def test_a_pool_of_one_unit_stands_for_it() -> None:
    assert staking.pool_assets(1, 1) == 1


@pytest.mark.parametrize(
    ("amount", "balance", "group", "left"),
    [
        (10, 30, [30, 10], 0),
        (10, 30, [30, -30], 0),
        (10, 30, [30, -31], 0),
        (10, 30, [30, -29], 20),  # 290, but that is all it has
        (10, 30, [30, 10, -1], 1),  # 0.26
        (8, 30, [30, 10, -8], 2),
        (10, 30, [30, 10, -8], 3),  # 2.5
        (29, 30, [30, 10, -8], 1),
        (30, 30, [30, 10, -8], 0),
        (31, 30, [30, 10, -8], 0),
    ],
)
def test_what_an_exit_leaves_to_the_group(amount: int, balance: int, group: list[int], left: int) -> None:
    assert staking.left_burden(amount, balance, group) == left


@given(
    balance=st.integers(1, 10**24),
    others=st.lists(st.integers(-(10**24), 10**24), min_size=1, max_size=4),
    part=st.integers(0, 100),
)
def test_after_an_exit_the_others_carry_no_more(balance: int, others: list[int], part: int) -> None:
    group = [balance, *others]
    surplus, deficit = sum(max(0, one) for one in group), sum(max(0, -one) for one in group)
    amount = (balance - staking.burden(balance, group)) * part // 100
    left = staking.left_burden(amount, balance, group)
    assert 0 <= left <= balance - amount
    # What is lacking over what there is, after and before.
    assert (deficit - left) * surplus <= deficit * (surplus - amount - left)


@pytest.mark.parametrize(
    ("balance", "gains", "assets"),
    [(15, 6, 3), (15, 5, 2), (20, 0, 2), (21, 0, 3), (0, 0, 0), (0, 1, 1), (-5, 0, 0), (-25, 4, 0), (-5, 6, 1)],
)
def test_a_newcomer_pays_for_gains_in_units_of_ten(balance: int, gains: int, assets: int) -> None:
    assert staking.entry_assets(balance, gains, 10) == assets


# ------------------------------------------------------------------ when an exit waits, and stress


@pytest.mark.parametrize(
    ("loss", "base", "amount", "waits"),
    [
        pytest.param(1, 150, 50, False, id="1 % of what is left"),
        pytest.param(1, 150, 51, True, id="more than that"),
        pytest.param(2, 199, 0, True, id="without an exit"),
        pytest.param(0, 10, 20, False, id="nothing lost, nothing left"),
        pytest.param(1, 10, 20, True, id="nothing left"),
    ],
)
def test_an_exit_waits_above_one_percent(loss: int, base: int, amount: int, waits: bool) -> None:
    assert staking.must_wait(loss, base, amount) is waits


def test_an_exit_waits_no_longer_than_a_week() -> None:
    assert staking.MAX_WAIT == 604_800


@pytest.mark.parametrize(
    ("balance", "loss", "base", "steps"),
    [
        (1000, 0, 1000, 0),
        (1000, 74, 1000, 0),
        (1000, 75, 1000, 1),
        (1000, 149, 1000, 1),
        (1000, 150, 1000, 2),
        (1000, 225, 1000, 3),
        (1000, 299, 1000, 3),
        (0, 300, 1000, 4),
        (1000, 375, 1000, 4),
        (1000, 900, 1000, 4),
        (0, 0, 0, 0),
        (0, 1, 0, 4),
        (0, 1, 1, 4),
        (-1, 0, 1000, 4),
    ],
)
def test_steps_of_stress_below_a_trigger_of_30_percent(balance: int, loss: int, base: int, steps: int) -> None:
    assert staking.stress(balance, loss, base, 3 * WAD // 10) == steps


def test_initial_margin_rises_by_the_step_to_no_more_than_all() -> None:
    assert staking.stressed_margin_fraction(WAD // 10, 0, WAD // 20) == WAD // 10
    assert staking.stressed_margin_fraction(WAD // 10, WAD // 20, 4) == 3 * WAD // 10
    assert staking.stressed_margin_fraction(9 * WAD // 10, WAD // 20, 4) == WAD
