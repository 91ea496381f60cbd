"""Open deficits, and what a withdrawal is paid while there is one (docs/mathematics.md, "Deficits")."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.deficit import group_deficits, open_deficit, paid_tokens, share_out

AMOUNTS = st.integers(0, 10**30)
BALANCES = st.lists(st.integers(-(10**24), 10**24), min_size=1, max_size=6)


@pytest.mark.parametrize(("cash", "deficit"), [(-5, 5), (-1, 1), (0, 0), (1, 0), (7, 0)])
def test_a_pool_on_its_own_lacks_what_its_cash_is_below_zero(cash: int, deficit: int) -> None:
    assert open_deficit(cash) == deficit


@pytest.mark.parametrize(
    ("balances", "losses", "cash", "deficits"),
    [
        pytest.param([10, -9], [0, 0], [10, -9], [0, 0], id="the group carries it"),
        pytest.param([10, -10], [0, 0], [10, -10], [0, 0], id="the group just carries it"),
        pytest.param([10, -11], [0, 0], [10, -11], [0, 1], id="one is lacking"),
        # 15 are given to one that lacks 30.
        pytest.param([10, -30, 5], [0, 0, 0], [10, -30, 5], [0, 15, 0], id="no inventory"),
        pytest.param([10, -30, 5], [0, 4, 0], [10, -26, 5], [0, 11, 0], id="closing would bring 4"),
        pytest.param([10, -30, 5], [0, 15, 0], [10, -15, 5], [0, 0, 0], id="closing would bring it all"),
        pytest.param([10, -30, 5], [0, 20, 0], [10, -10, 5], [0, 0, 0], id="closing would bring more"),
        pytest.param([10, -30, 5], [0, 4, 0], [10, -20, 5], [0, 5, 0], id="funding of 6 that is not settled"),
        pytest.param([10, -30, 5], [0, 4, 0], [10, -30, 5], [0, 11, 0], id="funding of 4 that it is owed"),
        pytest.param([10, -30, 5], [0, 4, 0], [10, -14, 5], [0, 0, 0], id="owes nothing but funding"),
        # 10 over 20 and 10, down, and the remainder to the last.
        pytest.param([10, -20, -10], [0, 0, 0], [10, -20, -10], [0, 14, 6], id="two of them"),
        pytest.param([-20, -10], [1, 2], [-19, -8], [19, 8], id="nobody gives"),
    ],
)
def test_what_a_group_lacks_by_hand(
    balances: list[int], losses: list[int], cash: list[int], deficits: list[int]
) -> None:
    assert group_deficits(balances, losses, cash) == deficits


def test_all_members_have_losses_and_cash() -> None:
    with pytest.raises(ValueError, match="shorter"):
        group_deficits([-1, -1], [0], [-1, -1])


@given(balances=BALANCES)
def test_a_group_without_inventory_lacks_what_its_sum_is_below_zero(balances: list[int]) -> None:
    deficits = group_deficits(balances, [0] * len(balances), balances)
    assert sum(deficits) == max(0, -sum(balances))
    assert all(deficit <= max(0, -balance) for deficit, balance in zip(deficits, balances, strict=True))


@pytest.mark.parametrize(
    ("amount", "parts", "shares"),
    [
        (10, [1, 1, 1], [3, 3, 4]),
        (10, [1, 2, 0], [3, 7, 0]),
        (10, [0, 3], [0, 10]),
        (9, [2, 1], [6, 3]),
        (0, [2, 1], [0, 0]),
        (10, [0, 0], [0, 0]),
        (10, [], []),
    ],
)
def test_an_amount_is_shared_out_by_parts(amount: int, parts: list[int], shares: list[int]) -> None:
    assert share_out(amount, parts) == shares


@pytest.mark.parametrize(
    ("amount", "held", "deficit", "paid"),
    [
        (100, 900, 100, 90),
        (100, 900, 0, 100),
        (100, 0, 0, 100),
        (100, 0, 1, 0),
        (10, 2, 1, 6),  # 6.67
        (1, 2, 1, 0),
    ],
)
def test_a_withdrawal_by_hand(amount: int, held: int, deficit: int, paid: int) -> None:
    assert paid_tokens(amount, held, deficit) == paid


@given(amount=AMOUNTS, held=AMOUNTS, deficit=st.integers(1, 10**30))
def test_a_withdrawal_leaves_the_rate_to_those_after_it(amount: int, held: int, deficit: int) -> None:
    amount = min(amount, held + deficit)
    paid = paid_tokens(amount, held, deficit)
    assert 0 <= amount - paid <= deficit
    # held'/(held' + deficit') >= held/(held + deficit), and a unit more would not leave it.
    assert (held - paid) * (held + deficit) >= held * (held + deficit - amount)
    assert (held - paid - 1) * (held + deficit) < held * (held + deficit - amount)
