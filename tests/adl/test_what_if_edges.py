"""What a change does at its edges: positions of a wei, an equity of nothing, limits that are met exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstop.adl.snapshot import Account, MarginMode, Position, Snapshot
from backstop.adl.what_if import Close, Split, Terms, what_if
from backstop.errors import WhatIfError
from backstop.math.wad import WAD

from .books import ETH, snapshot, wad

MARK = 100


def holding(size: int, margin: int, entry: int | None = None) -> Snapshot:
    """One account `a` at a mark of 100; sizes, margin and entry in wei, entered at mark unless said otherwise."""
    notional = size * MARK if entry is None else entry
    return replace(snapshot(), accounts=(Account("a", MarginMode.ISOLATED, margin, (Position(ETH, size, notional),)),))


@pytest.mark.parametrize("size", [1, -1])
def test_a_position_of_a_wei_is_closed(size: int) -> None:
    found = what_if(holding(size, WAD), "a", ETH, Close(1))
    assert (found.after.contracts, found.changed.accounts[0].positions) == (0, ())


@pytest.mark.parametrize("size", [1, -1])
def test_a_position_of_a_wei_is_moved_to_the_same_side(size: int) -> None:
    terms = {ETH: Terms(initial_margin_fraction=wad("0.1"))}
    found = what_if(holding(size, WAD), "a", ETH, Split(1, WAD, "b", is_deposited=True), terms)
    old, new = found.changed.accounts
    assert old.positions == ()
    assert new.positions == (Position(ETH, size, size * MARK),)


def test_what_terms_do_not_tell_costs_nothing() -> None:
    terms = {ETH: Terms(initial_margin_fraction=wad("0.1"))}
    found = what_if(holding(10 * WAD, 500 * WAD), "a", ETH, Split(4 * WAD, 50 * WAD, "b", is_deposited=True), terms)
    assert found.beside
    assert (found.fee, found.after.collateral, found.beside.collateral) == (0, 500 * WAD, 50 * WAD)


def test_a_wei_that_is_left_is_too_few() -> None:
    terms = {ETH: Terms(min_size=2)}
    with pytest.raises(WhatIfError, match="would be left in ETH-USD"):
        what_if(holding(3, WAD), "a", ETH, Close(2), terms)
    assert what_if(holding(3, WAD), "a", ETH, Close(1), terms).after.contracts == 2


def test_an_equity_of_a_wei_may_trade() -> None:
    assert what_if(holding(WAD, 1), "a", ETH, Close(WAD)).after.equity == 1
    assert what_if(holding(2 * WAD, 1), "a", ETH, Close(WAD)).after.contracts == WAD
    with pytest.raises(WhatIfError, match="has no equity left"):
        what_if(holding(WAD, 0), "a", ETH, Close(WAD))


def test_nothing_may_be_left_where_nothing_is_held() -> None:
    """A fee of 0.05 that takes the last of it; a wei less of margin and it could not be paid."""
    terms = {ETH: Terms(taker_fee=wad("0.0005"))}
    assert what_if(holding(WAD, wad("0.05")), "a", ETH, Close(WAD), terms).after.equity == 0
    with pytest.raises(WhatIfError, match=r"would leave account a an equity of -0\.0{17}1"):
        what_if(holding(WAD, wad("0.05") - 1), "a", ETH, Close(WAD), terms)


def test_the_worth_of_a_new_position_is_rounded_down() -> None:
    """A contract and a wei at 100.5 are worth 100.5 and 100.5 wei, of which a half counts nothing."""
    terms = Terms(initial_margin_fraction=wad("0.1"), max_notional=wad("100.5") + 100)
    state = holding(2 * WAD, 500 * WAD)
    here = replace(state.markets[ETH], mark_price=wad("100.5"))
    state = replace(state, markets={ETH: here})
    wish = Split(WAD + 1, 50 * WAD, "b", is_deposited=True)
    found = what_if(state, "a", ETH, wish, {ETH: terms})
    assert found.beside
    assert found.beside.contracts == WAD + 1
    with pytest.raises(WhatIfError, match="the new position would be worth"):
        what_if(state, "a", ETH, wish, {ETH: terms._replace(max_notional=wad("100.5") + 99)})
