"""Trading fees: what a fill costs, who gets it, and how far from mark it may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.fees import FeeShares, is_outside_band, share_fees, trading_fee
from backstop.math.wad import WAD

from .books import wad


def test_a_fee_is_on_the_notional_of_either_sign() -> None:
    assert trading_fee(wad("1000"), wad("0.0005")) == trading_fee(wad("-1000"), wad("0.0005")) == wad("0.5")
    assert trading_fee(wad("1000"), 0) == 0


def test_a_fee_is_rounded_up() -> None:
    assert trading_fee(1, 1) == trading_fee(-1, 1) == 1
    assert trading_fee(WAD, 1) == 1
    assert trading_fee(WAD + 1, 1) == 2


def test_fees_are_shared_and_the_rest_is_the_keepers() -> None:
    assert share_fees(wad("10"), wad("0.5"), wad("0.3")) == FeeShares(wad("5"), wad("3"), wad("2"))
    assert share_fees(7, wad("0.5"), wad("0.3")) == FeeShares(3, 2, 2)
    assert share_fees(7, WAD, 0) == FeeShares(7, 0, 0)
    assert share_fees(0, wad("0.5"), wad("0.3")) == FeeShares(0, 0, 0)


@given(st.integers(0, 2**112), st.integers(0, WAD), st.integers(0, WAD))
def test_shares_sum_to_the_fees(fees: int, pool: int, other: int) -> None:
    shares = share_fees(fees, pool, min(other, WAD - pool))
    assert sum(shares) == fees
    assert min(shares) >= 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_band_holds_its_edge(sign: int) -> None:
    edge = wad("100") + sign * wad("5")
    assert not is_outside_band(edge, wad("100"), wad("0.05"))
    assert is_outside_band(edge + sign, wad("100"), wad("0.05"))
    assert not is_outside_band(wad("100"), wad("100"), 0)
