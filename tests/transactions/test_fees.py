"""Fees, caps and budgets as pure functions; and what nodes' refusals mean."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.errors import BudgetError, FeeCapError
from backstop.transactions.fees import GWEI, Fees, Policy, check_budget, ether, gwei, offer
from backstop.transactions.refusals import Refusal, refusal_of

wei = st.integers(0, 10**14)


@pytest.mark.parametrize(
    ("base", "suggested", "policy", "above", "offered"),
    [
        (10, 3, Policy(), None, Fees(23, 3)),
        (0, 0, Policy(), None, Fees(0, 0)),
        (10, 3, Policy(tip_floor=5), None, Fees(25, 5)),
        (10, 30, Policy(tip_cap=5), None, Fees(25, 5)),
        (10, 3, Policy(max_fee=15), None, Fees(15, 3)),
        (10, 3, Policy(max_fee=10), None, Fees(10, 3)),
        # A replacement: an eighth more of each, rounded up ...
        (10, 3, Policy(), Fees(80, 8), Fees(90, 9)),
        (10, 3, Policy(), Fees(81, 9), Fees(92, 11)),
        (10, 0, Policy(), Fees(80, 0), Fees(90, 1)),
        # ... past the cap of tips, which is for what nodes suggest ...
        (10, 50, Policy(tip_cap=8), Fees(80, 8), Fees(90, 9)),
        # ... and what the base fee asks by now, where that is more; but never more than the cap.
        (100, 3, Policy(), Fees(80, 8), Fees(209, 9)),
        (100, 3, Policy(max_fee=150), Fees(80, 8), Fees(150, 9)),
        (10, 3, Policy(max_fee=90), Fees(80, 8), Fees(90, 9)),
    ],
)
def test_what_is_offered(base: int, suggested: int, policy: Policy, above: Fees | None, offered: Fees) -> None:
    assert offer(base, suggested, policy, above) == offered


@pytest.mark.parametrize(
    ("base", "policy", "above", "words"),
    [
        (11, Policy(max_fee=10), None, "the base fee is 0.000000011 gwei, and the cap"),
        (11, Policy(max_fee=10), Fees(8, 1), "the base fee is 0.000000011 gwei"),
        (10, Policy(max_fee=89), Fees(80, 8), "a replacement has to offer 0.00000009 gwei"),
    ],
)
def test_what_is_above_the_cap(base: int, policy: Policy, above: Fees | None, words: str) -> None:
    with pytest.raises(FeeCapError, match=words):
        offer(base, 1, policy, above)


def test_cap_of_tips_is_kept_unless_the_base_fee_has_passed_the_offer() -> None:
    above = Fees(80, 8)
    assert offer(10, 50, Policy(tip_cap=9), above, keeps_tip_cap=True) == Fees(90, 9)
    for base in (10, 80):
        with pytest.raises(FeeCapError, match=r"offer a tip of 0\.000000009 gwei, and the cap of tips is 0\.000000008"):
            offer(base, 50, Policy(tip_cap=8), above, keeps_tip_cap=True)
    assert offer(81, 50, Policy(tip_cap=8), above, keeps_tip_cap=True) == Fees(171, 9)


@given(base=wei, suggested=wei, cap=wei, first=st.tuples(wei, wei))
def test_replacement_is_one_that_every_node_takes(base: int, suggested: int, cap: int, first: tuple[int, int]) -> None:
    above = Fees(max(first), min(first))
    policy = Policy(max_fee=cap)
    try:
        fees = offer(base, suggested, policy, above)
    except FeeCapError:
        assert max(base, Fraction(9, 8) * above.max_fee, above.max_fee + 1) > cap
        return
    assert base <= fees.max_fee <= cap
    assert fees.tip <= fees.max_fee
    for new, old in zip(fees, above, strict=True):
        assert new > old
        assert new >= Fraction(9, 8) * old


@pytest.mark.parametrize(
    ("spent", "policy", "fault"),
    [
        ((90, 90), Policy(per_hour=100, per_day=100), None),
        ((91, 91), Policy(per_hour=100), "in an hour 0.000000000000000091 are .* raise fees.budget_per_hour"),
        ((0, 91), Policy(per_hour=100, per_day=100), "in a day 0.000000000000000091 are spent or reserved"),
        ((10**30, 10**30), Policy(), None),
    ],
)
def test_budget(spent: tuple[int, int], policy: Policy, fault: str | None) -> None:
    if fault is None:
        check_budget(10, *spent, policy)
        return
    with pytest.raises(BudgetError, match=fault):
        check_budget(10, *spent, policy)


def test_wei_are_shown_exactly() -> None:
    assert (gwei(1), gwei(GWEI), gwei(0), gwei(1_500_000_000)) == ("0.000000001", "1", "0", "1.5")
    assert (ether(1), ether(10**18)) == ("0.000000000000000001", "1")


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("transaction already imported", Refusal.KNOWN),
        ("already known", Refusal.KNOWN),
        ("AlreadyKnown", Refusal.KNOWN),
        ("Known transaction", Refusal.KNOWN),
        ("nonce too low: next nonce 8, tx nonce 7", Refusal.NONCE_USED),
        ("OldNonce, Current nonce: 8, nonce of rejected tx: 7", Refusal.NONCE_USED),
        ("replacement transaction underpriced", Refusal.UNDERPRICED),
        ("ReplacementNotAllowed", Refusal.UNDERPRICED),
        ("INTERNAL_ERROR: could not replace existing tx", Refusal.UNDERPRICED),
        ("max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1", Refusal.BELOW_BASE_FEE),
        ("transaction underpriced", Refusal.OTHER),
        ("insufficient funds for gas * price + value", Refusal.OTHER),
    ],
)
def test_refusals_are_known_by_the_words_of_each_node(words: str, meaning: Refusal) -> None:
    assert refusal_of(f"eth_sendRawTransaction: {words}") is meaning
