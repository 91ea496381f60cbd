"""Liquidation: how much is closed, and what it costs whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.liquidation import (
    Penalty,
    contracts_to_close,
    contracts_to_restore,
    penalty,
    share_of_equity,
    value,
)
from backstop.math.margin import margin_requirement, position_value
from backstop.math.position import PositionState, apply_trade
from backstop.math.wad import WAD, div_ceil

from .books import wad

# 10 contracts at mark 100: notional 1,000, IM 100, MM 50; a discount of 1 % and a fee of 1.5 %.
CONTRACTS, MARK = wad("10"), wad("100")
IMF, MMF = wad("0.1"), wad("0.05")
DISCOUNT, FEE = wad("0.01"), wad("0.015")
PENALTY = DISCOUNT + FEE


def restore(equity: int, contracts: int = CONTRACTS, pen: int = PENALTY) -> int:
    """Of an account with this position alone."""
    shortfall = margin_requirement(contracts, MARK, IMF) - equity
    return contracts_to_restore(contracts, MARK, shortfall, IMF, pen)


def test_what_restores_the_initial_margin_by_hand() -> None:
    # E 40 of IM 100: each contract frees 10 and costs 2.5, so 60 / 7.5 = 8. Left: 2 contracts, IM 20, E 40 - 20.
    assert restore(wad("40")) == wad("8")
    assert penalty(wad("8"), CONTRACTS, MARK, wad("40"), DISCOUNT, FEE) == (wad("8"), wad("12"))
    # E 47: 53 / 7.5 = 7.0666…, up.
    assert restore(wad("47")) == wad("7.066666666666666667")
    # Without a penalty 60 / 10 = 6 are enough.
    assert restore(wad("40"), pen=0) == wad("6")


def test_the_boundaries_of_what_is_closed() -> None:
    im = wad("100")
    assert restore(im) == restore(im + 1) == 0
    # One wei of margin is missing: 1e36 / (100e18 * 0.075e18) = 0.133 wei of contracts, up.
    assert restore(im - 1) == 1
    # The equity pays the whole penalty of 25, or just not.
    assert restore(wad("25")) == CONTRACTS
    assert restore(wad("25") + 7) == CONTRACTS
    # 8 wei more equity are 1.07 wei of contracts less, rounded up: 1.
    assert restore(wad("25") + 8) == CONTRACTS - 1
    assert restore(1) == CONTRACTS


def test_a_penalty_never_takes_more_than_the_closed_part_of_the_equity() -> None:
    # 2.5 a contract in full; with 20 of equity 2 a contract, shared 2 : 3.
    assert penalty(wad("4"), CONTRACTS, MARK, wad("25"), DISCOUNT, FEE) == (wad("4"), wad("6"))
    assert penalty(wad("4"), CONTRACTS, MARK, wad("20"), DISCOUNT, FEE) == (wad("3.2"), wad("4.8"))
    assert penalty(CONTRACTS, CONTRACTS, MARK, wad("20"), DISCOUNT, FEE) == (wad("8"), wad("12"))
    # One wei of equity under the full penalty.
    assert sum(penalty(CONTRACTS, CONTRACTS, MARK, wad("25") - 1, DISCOUNT, FEE)) == wad("25") - 1
    assert penalty(CONTRACTS, CONTRACTS, MARK, 1, DISCOUNT, FEE) == (0, 1)


def test_a_leg_stands_for_its_part_of_the_equity_by_its_maintenance_margin() -> None:
    assert share_of_equity(wad("40"), wad("50"), wad("50")) == wad("40")
    assert share_of_equity(wad("40"), wad("50"), wad("200")) == wad("10")
    assert share_of_equity(5, 1, 3) == 1


def test_what_would_be_left_too_small_is_closed_with_the_rest() -> None:
    assert contracts_to_close(wad("8"), CONTRACTS, wad("2")) == wad("8")
    assert contracts_to_close(wad("8") + 1, CONTRACTS, wad("2")) == CONTRACTS
    assert contracts_to_close(wad("8"), CONTRACTS, 0) == wad("8")
    assert contracts_to_close(CONTRACTS, CONTRACTS, wad("2")) == CONTRACTS


def test_a_leg_of_several_frees_no_more_than_itself() -> None:
    # IM of the account 500, E 400: 100 / 7.5 would be 13.33… of the 10 that there are.
    assert contracts_to_restore(CONTRACTS, MARK, wad("100"), IMF, PENALTY) == CONTRACTS
    assert contracts_to_restore(CONTRACTS, MARK, wad("75"), IMF, PENALTY) == CONTRACTS
    assert contracts_to_restore(CONTRACTS, MARK, wad("75") - 8, IMF, PENALTY) == CONTRACTS - 1
    assert contracts_to_restore(CONTRACTS, MARK, wad("15"), IMF, PENALTY) == wad("2")


def test_a_penalty_is_rounded_down_and_the_discount_first() -> None:
    # 2.5 wei in all for a wei of contracts at a price of 100: 2, of which 0.8 are the liquidator's.
    assert penalty(1, CONTRACTS, MARK, wad("40"), DISCOUNT, FEE) == (0, 2)
    assert penalty(WAD, CONTRACTS, MARK, wad("40"), DISCOUNT, 0) == (wad("1"), 0)
    assert penalty(WAD, CONTRACTS, MARK, wad("40"), 0, FEE) == (0, wad("1.5"))
    assert penalty(WAD, CONTRACTS, MARK, wad("40"), 0, 0) == Penalty(0, 0)


def test_the_liquidator_takes_at_mark_less_the_discount_rounded_against_it() -> None:
    assert value(wad("8"), MARK, wad("8")) == wad("792")
    # A short: it is paid 800 for taking it over, and 8 more.
    assert value(wad("-8"), MARK, wad("8")) == wad("-808")
    # One and a half wei.
    assert value(1, WAD * 3 // 2, 0) == 2
    assert value(-1, WAD * 3 // 2, 0) == -1


def test_an_account_with_one_wei_left_is_closed_whole_for_that_wei() -> None:
    assert restore(1) == CONTRACTS
    before = PositionState(CONTRACTS, wad("1100"), wad("100") + 1)
    cost = penalty(CONTRACTS, CONTRACTS, MARK, 1, DISCOUNT, FEE)
    after = apply_trade(before, -CONTRACTS, -value(CONTRACTS, MARK, cost.discount))
    assert (after.size, after.entry_notional, after.margin - cost.fee) == (0, 0, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_tables_of_a_long_and_a_short(sign: int) -> None:
    # 10 from 103 (a short from 97) with a margin of 70: E = 40.
    before = PositionState(sign * CONTRACTS, wad(str(sign * 1000 + 30)), wad("70"))
    part, cost = sign * wad("8"), penalty(wad("8"), CONTRACTS, MARK, wad("40"), DISCOUNT, FEE)
    taken = value(part, MARK, cost.discount)
    after = apply_trade(before, -part, -taken)
    left = after.cash - cost.fee + position_value(after.size, MARK)
    assert after.size == sign * wad("2")
    assert left == margin_requirement(after.size, MARK, IMF) == wad("20")
    liquidator = apply_trade(PositionState(0, 0, wad("500")), part, taken)
    assert liquidator.cash + position_value(part, MARK) == wad("508")


# ------------------------------------------------------------------ properties

Case = tuple[PositionState, int, int, int, int, int]


@st.composite
def liquidations(draw: st.DrawFn) -> Case:
    """A position with `0 < E < MM`, mark, imf, discount and fee fractions, and a part of what would be closed."""
    maintenance = draw(st.integers(10**15, WAD - 1))
    initial = draw(st.integers(maintenance + 1, WAD))
    pen = draw(st.integers(0, maintenance))
    discount = draw(st.integers(0, pen))
    mark = draw(st.integers(1, 10**24))
    # At least two wei of requirement, so that there is an equity below it.
    contracts = WAD * WAD // (mark * maintenance) + draw(st.integers(1, 10**28))
    size = draw(st.sampled_from((contracts, -contracts)))
    equity = draw(st.integers(1, margin_requirement(size, mark, maintenance) - 1))
    entry = draw(st.integers(0, 10**30)) * (1 if size > 0 else -1)
    state = PositionState(size, entry, equity - position_value(size, mark) + entry)
    needed = contracts_to_restore(contracts, mark, margin_requirement(size, mark, initial) - equity, initial, pen)
    closed = needed if draw(st.booleans()) else draw(st.integers(1, needed))
    return state, mark, initial, discount, pen - discount, closed


def _liquidated(
    state: PositionState, mark: int, discount_fraction: int, fee_fraction: int, closed: int
) -> tuple[PositionState, int, int, Penalty]:
    """The owner afterwards, its equity before and after, and what it paid."""
    size = state.size
    before = state.cash + position_value(size, mark)
    cost = penalty(closed, abs(size), mark, before, discount_fraction, fee_fraction)
    part = closed if size > 0 else -closed
    after = apply_trade(state, -part, -value(part, mark, cost.discount))
    after = after._replace(margin=after.margin - cost.fee)
    return after, before, after.cash + position_value(after.size, mark), cost


@given(liquidations())
def test_what_is_needed_restores_the_initial_margin_exactly(
    case: Case,
) -> None:
    state, mark, initial, discount, fee, _ = case
    equity = state.cash + position_value(state.size, mark)
    shortfall = margin_requirement(state.size, mark, initial) - equity
    needed = contracts_to_restore(abs(state.size), mark, shortfall, initial, discount + fee)
    after, _, left, cost = _liquidated(state, mark, discount, fee, needed)
    assert needed > 0
    if after.size == 0:
        # Closed whole: nothing is owed, and no more than a rounded wei is left beyond what the penalty spared.
        assert 0 <= left - (equity - sum(cost)) <= 1
    assert left >= margin_requirement(after.size, mark, initial)


@given(liquidations())
def test_one_contract_less_would_not_do(case: Case) -> None:
    state, mark, initial, discount, fee, _ = case
    contracts, equity = abs(state.size), state.cash + position_value(state.size, mark)
    shortfall = margin_requirement(state.size, mark, initial) - equity
    needed = contracts_to_restore(contracts, mark, shortfall, initial, discount + fee)
    # In exact numbers, penalty and requirement unrounded: a wei of contracts less leaves less than IM (beyond the wei
    # by which the requirement itself was rounded up).
    short = needed - 1
    left = equity * WAD * WAD - short * mark * (discount + fee)
    assert left < (contracts - short) * mark * initial + WAD * WAD


@given(liquidations())
def test_the_margin_rate_is_never_worse(case: Case) -> None:
    state, mark, _, discount, fee, closed = case
    after, before, left, _ = _liquidated(state, mark, discount, fee, closed)
    # Equity per contract, which is what a margin rate is at one mark, before MM is rounded up.
    assert left * abs(state.size) >= before * abs(after.size)
    assert left >= 0


@given(liquidations())
def test_the_penalty_is_at_most_the_closed_part_of_the_equity(
    case: Case,
) -> None:
    state, mark, _, discount, fee, closed = case
    _, before, _, cost = _liquidated(state, mark, discount, fee, closed)
    assert sum(cost) * abs(state.size) <= before * closed
    assert sum(cost) * WAD * WAD <= closed * mark * (discount + fee)
    assert min(cost) >= 0
    # The liquidator's part is its fraction of the whole, down.
    assert cost.discount * (discount + fee) <= sum(cost) * discount


@given(liquidations())
def test_the_price_is_never_beyond_the_bankruptcy_price(case: Case) -> None:
    state, mark, _, discount, fee, closed = case
    after, _, _, cost = _liquidated(state, mark, discount, fee, closed)
    part = closed if state.size > 0 else -closed
    received = value(part, mark, cost.discount) - cost.fee
    assert after.cash == state.cash + received
    # B * part / S with B = -cash: less than that for the part would leave the rest unable to pay.
    assert received >= div_ceil(-state.cash * part, state.size)


@given(liquidations())
def test_cash_only_moves(case: Case) -> None:
    state, mark, _, discount, fee, closed = case
    after, _, _, cost = _liquidated(state, mark, discount, fee, closed)
    part = closed if state.size > 0 else -closed
    liquidator = apply_trade(PositionState(0, 0, 0), part, value(part, mark, cost.discount))
    assert after.cash + liquidator.cash + cost.fee == state.cash
