"""Drawdown, compensation, sharing, redistribution and the ADL price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.fund import (
    adl_price,
    drawdown,
    drawdown_base,
    drawdown_compensation,
    inventory_loss,
    is_drawdown_due,
    is_group_depleted,
    is_sale_depleting,
    is_sale_raising,
    redistribute,
    rests_as_giver,
    share_by_loss,
    window_loss,
)
from backstop.math.wad import WAD

from .books import wad


def test_the_published_fund_case() -> None:
    # Peak 1,000,000, loss 350,000: 35 %. With a target of 30 % ADL brings in 350,000 - 300,000 = 50,000.
    loss = window_loss(wad("1000000"), wad("650000"))
    base = drawdown_base(wad("650000"), [loss])
    assert (loss, base) == (wad("350000"), wad("1000000"))
    assert drawdown(loss, base) == wad("0.35")
    assert is_drawdown_due(loss, base, wad("0.3"), wad("0.3"), started=False)
    assert drawdown_compensation(loss, base, wad("0.3")) == wad("50000")


def test_a_present_above_the_recorded_maximum_is_no_loss() -> None:
    assert window_loss(5, 7) == 0
    assert window_loss(7, 5) == 2


def test_inventory_that_gains_counts_nothing() -> None:
    assert inventory_loss(wad("800"), wad("71000"), wad("80")) == wad("7000")
    assert inventory_loss(wad("800"), wad("71000"), wad("88.75")) == 0
    assert inventory_loss(wad("800"), wad("71000"), wad("90")) == 0
    # A short taken over at 75 loses 5 each at 80; one taken over at 85 gains.
    assert inventory_loss(wad("-10"), wad("-750"), wad("80")) == wad("50")
    assert inventory_loss(wad("-10"), wad("-850"), wad("80")) == 0


@pytest.mark.parametrize(
    ("loss", "started", "due"),
    [
        (300, False, True),
        (299, False, False),
        (301, False, True),
        (299, True, True),
        (251, True, True),
        (250, True, False),
    ],
)
def test_the_trigger_starts_it_and_the_stop_ends_it(loss: int, started: bool, due: bool) -> None:
    assert is_drawdown_due(loss, 1000, wad("0.3"), wad("0.25"), started=started) is due


def test_without_a_base_there_is_no_drawdown() -> None:
    assert drawdown_base(-5, [5]) == drawdown_base(-6, [5]) == 0
    assert drawdown(5, 0) is None
    assert drawdown(5, 1) == 5 * WAD
    assert not is_drawdown_due(5, 0, 0, 0, started=True)
    assert is_drawdown_due(5, 1, WAD, WAD, started=False)


def test_a_sale_may_bring_a_pool_to_zero_and_a_depleted_one_no_further_down() -> None:
    assert not is_sale_depleting(5, 0)
    assert is_sale_depleting(5, -1)
    assert not is_sale_depleting(-5, -5)
    assert is_sale_depleting(-5, -6)
    assert not is_sale_depleting(-5, -4)


def test_a_sale_may_raise_a_loss_until_its_drawdown_is_due() -> None:
    def raises(before: str, after: str, *, started: bool = False) -> bool:
        base = wad("1000")
        due = is_drawdown_due(wad(after), base, wad("0.3"), wad("0.25"), started=started)
        return is_sale_raising(wad(before), wad(after), base, is_due=due)

    # The trigger of 30 % of 1,000, or the stop of 25 % where ADL has started.
    assert not raises("0", "299.999999999999999999")
    assert raises("0", "300")
    assert not raises("0", "250", started=True)
    assert raises("0", "250.000000000000000001", started=True)
    # One that does not raise it may leave it beyond.
    assert not raises("400", "400")
    assert raises("399.999999999999999999", "400")
    # Without a base any loss is beyond.
    assert is_sale_raising(0, 1, 0, is_due=False)


def test_shares_round_down_and_the_last_takes_the_remainder() -> None:
    assert share_by_loss(10, [1, 1, 1]) == [3, 3, 4]
    assert share_by_loss(10, [3, 1]) == [7, 3]
    assert share_by_loss(10, []) == []


@given(st.integers(0, 10**30), st.lists(st.integers(1, 10**30), min_size=1, max_size=8))
def test_shares_sum_to_the_compensation(compensation: int, losses: list[int]) -> None:
    shares = share_by_loss(compensation, losses)
    assert sum(shares) == compensation
    assert min(shares) >= 0


def test_redistribution_gives_all_there_is_pro_rata() -> None:
    # 1,000 over deficits 1,800 and 700: 720 and 280.
    assert redistribute([1000, -1800, -700]) == [0, -1080, -420]
    assert redistribute([-1800, 400, -700, 600]) == [-1080, 0, -420, 0]
    # 5 over 3 and 4: floor 2 and 2, the remainder goes to the last with a deficit, not to the empty pool after it.
    assert redistribute([5, -3, -4, 0]) == [0, -1, -1, 0]
    assert redistribute([0, 0]) == [0, 0]


@given(st.lists(st.integers(-(10**24), 10**24), min_size=1, max_size=6).filter(lambda group: sum(group) <= 0))
def test_redistribution_conserves_and_leaves_no_giver(balances: list[int]) -> None:
    after = redistribute(balances)
    assert sum(after) == sum(balances)
    for before, now in zip(balances, after, strict=True):
        assert now == 0 if before >= 0 else before <= now < len(balances)


def test_a_group_is_depleted_only_as_a_whole() -> None:
    assert is_group_depleted([-5, 5])
    assert is_group_depleted([0])
    assert not is_group_depleted([-5, 6])
    assert not is_group_depleted([])


def test_a_giver_rests_before_and_after_it_gave() -> None:
    assert rests_as_giver(5, [5, -6])
    assert rests_as_giver(0, [0, -1])
    assert not rests_as_giver(-6, [5, -6])
    assert not rests_as_giver(7, [7, -6])
    assert not rests_as_giver(0, [0, 0])
    assert not rests_as_giver(6, [6, -6])


def test_the_price_of_the_worked_case() -> None:
    long = wad("800"), wad("71000"), wad("80")
    assert adl_price(*long, wad("2000")) == (wad("82.5"), wad("82.5"))
    assert adl_price(*long, wad("1000")) == (wad("81.25"), wad("81.25"))
    # Where the fund has nothing it is the bankruptcy price, and never more.
    assert adl_price(*long, wad("7000")) == adl_price(*long, wad("9999")) == (wad("88.75"), wad("88.75"))


def test_the_step_rounds_toward_the_pool_and_the_cap_toward_the_mark() -> None:
    # 10 wei over 3 contracts: the step is ceil(10/3) = 4 wei, while p_b = mark + floor(10/3).
    size, mark = 3 * WAD, 80 * WAD
    assert adl_price(size, 240 * WAD + 10, mark, 10) == (mark + 4, mark + 3)
    assert adl_price(-size, -240 * WAD + 10, mark, 10) == (mark - 4, mark - 3)
    # With 7 of the 10 the price stops short of it: ceil(7/3) = 3.
    assert adl_price(size, 240 * WAD + 10, mark, 7) == (mark + 3, mark + 3)
