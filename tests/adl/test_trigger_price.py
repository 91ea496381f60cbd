"""The mark at which ADL becomes due: what a plan says there, and one wei nearer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.adl.due import Trigger, due_inventory
from backstop.adl.planning import plan
from backstop.adl.snapshot import (
    Account,
    Backing,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Snapshot,
)
from backstop.adl.trigger_price import TriggerPrice, TriggerPrices, at_mark, trigger_at, trigger_prices
from backstop.errors import UnknownMarketError
from backstop.math.runway import Footing, runway
from backstop.math.wad import WAD

from .books import ETH, account, held, market, pool, position, snapshot, wad, worked_case

NONE = TriggerPrices(None, None)


def book(mark: str, balance: str, *inventory: Any, **changes: Any) -> Snapshot:
    """ETH at a mark, on a pool of its own that has lost nothing but what its inventory loses."""
    return snapshot(markets={ETH: market(mark, **changes)}, pools={"eth": pool(balance, *inventory)})


def by_drawdown(price: str, mark: str) -> TriggerPrice:
    return TriggerPrice(wad(price), Trigger.DRAWDOWN, (wad(price) - wad(mark)) * WAD // wad(mark))


# ------------------------------------------------------------------ by hand


def test_a_long_inventory_has_a_price_below() -> None:
    """200 from 95 on 20,000: 30 % are 6,000, lost at 65."""
    state = book("95", "20000", held("long", "200", "95"))
    assert trigger_prices(state, ETH) == TriggerPrices(by_drawdown("65", "95"), None)
    found = trigger_prices(state, ETH).down
    assert found is not None
    assert found.move == wad("-0.315789473684210527")  # 30 of 95, rounded down
    assert trigger_at(state, ETH, wad("65")) is Trigger.DRAWDOWN
    assert trigger_at(state, ETH, wad("65") + 1) is None


def test_a_short_inventory_has_a_price_above() -> None:
    state = book("105", "20000", held("short", "200", "105"))
    assert trigger_prices(state, ETH) == TriggerPrices(None, by_drawdown("135", "105"))


def test_both_sides_have_one_each() -> None:
    state = book("100", "20000", held("long", "200", "95"), held("short", "100", "105"))
    assert trigger_prices(state, ETH) == TriggerPrices(by_drawdown("65", "100"), by_drawdown("165", "100"))


def test_what_gains_has_to_lose_first() -> None:
    assert trigger_prices(book("120", "20000", held("long", "200", "95")), ETH).down == by_drawdown("65", "120")


def test_no_base_leaves_depletion() -> None:
    """A pool that has nothing is depleted by the first wei that it loses: 200 wei of it, a wei below."""
    found = trigger_prices(book("95", "0", held("long", "200", "95")), ETH).down
    assert found == TriggerPrice(wad("95") - 1, Trigger.DEPLETION, -1)


def test_what_is_due_already_is_due_at_the_mark() -> None:
    here = TriggerPrice(wad("80"), Trigger.DRAWDOWN, 0)
    assert trigger_prices(worked_case(), ETH) == TriggerPrices(here, here)


def test_the_worked_case_before_it() -> None:
    """7,000 of 20,000 are 35 %; 30 % are 6,000, at 88.75 less 7.5."""
    at_90 = at_mark(worked_case(), ETH, wad("90"))
    assert (at_90.markets[ETH].pnl, at_90.pools["eth"].balance) == (0, wad("20000"))
    assert trigger_prices(at_90, ETH) == TriggerPrices(by_drawdown("81.25", "90"), None)


def test_stop_counts_once_it_had_started() -> None:
    state = book("95", "20000", held("long", "200", "95"), adlActive=True)
    found = trigger_prices(state, ETH).down
    assert found is not None
    assert found.price == wad("70") - 1


def test_a_target_above_the_stop_leaves_nothing_to_bring_in() -> None:
    """Above the stop it goes on, but until 28 % are lost no round has anything to bring."""
    state = book("95", "20000", held("long", "200", "95"), adlActive=True, target="0.28")
    found = trigger_prices(state, ETH).down
    assert found is not None
    assert found.price == wad("67") - 1


def test_a_drawdown_without_losing_inventory_is_no_round() -> None:
    """40 % are lost in closed business; the inventory gains until 95, and a wei below there is what to close."""
    state = book("120", "12000", held("long", "200", "95"), pnl="-8000", maxPnl8h="0")
    assert trigger_prices(state, ETH).down == TriggerPrice(
        wad("95") - 1, Trigger.DRAWDOWN, (wad("-25") - 1) * WAD // wad("120")
    )


def test_losses_of_the_pool_s_other_markets_are_in_the_base() -> None:
    """Of 15,000 and the 5,000 that SOL has lost, 30 % are 6,000; without them 4,500."""
    markets = {ETH: market("95", pool="both"), "SOL-USD": market("10", "-5000", "0", pool="both")}
    pools = {"both": pool("15000", held("long", "200", "95"), kind="shared"), "other": pool("7")}
    state = snapshot(markets=markets, pools=pools)
    assert trigger_prices(state, ETH).down == by_drawdown("65", "95")
    assert trigger_prices(state, "SOL-USD") == NONE
    quiet = {ETH: market("95", pool="both"), "SOL-USD": market("10", pool="both")}
    assert trigger_prices(snapshot(markets=quiet, pools=pools), ETH).down == by_drawdown("72.5", "95")


@pytest.mark.parametrize("changes", [{"priceLive": False}, {"closed": True}])
def test_no_price_where_the_mark_does_not_move(changes: dict[str, Any]) -> None:
    assert trigger_prices(book("95", "20000", held("long", "200", "95"), **changes), ETH) == NONE


def test_a_closed_market_may_be_due_at_its_final_price() -> None:
    here = TriggerPrice(wad("80"), Trigger.DRAWDOWN, 0)
    assert trigger_prices(worked_case(closed=True), ETH) == TriggerPrices(here, here)
    assert trigger_prices(worked_case(priceLive=False), ETH) == NONE


def test_nothing_without_inventory() -> None:
    assert trigger_prices(book("95", "20000"), ETH) == NONE
    assert trigger_prices(book("0.000000000000000001", "20000"), ETH) == NONE


def test_an_unknown_market_names_the_known_ones() -> None:
    with pytest.raises(UnknownMarketError, match=r"'DOGE-USD'.*ETH-USD"):
        trigger_prices(book("95", "20000"), "DOGE-USD")


def test_marks_end_at_a_wei_and_at_128_bits() -> None:
    """At a mark of 1 wei 200 contracts from 95 have lost 19,000 less 200 wei."""
    half = {"trigger": "0.5", "stop": "0.4", "target": "0.4"}
    whole = book("95", "38000", held("long", "200", "95"), **half)
    assert trigger_prices(whole, ETH) == NONE
    less = book("95", "37999.9999999999999996", held("long", "200", "95"), **half)
    assert trigger_prices(less, ETH).down == by_drawdown("0.000000000000000001", "95")
    # Of a wei of contracts a whole of the price is lost for each, up; at the last mark as many as fit.
    crumb = held("short", "0.000000000000000001", "95")
    lost = -(-(2**128) // WAD) - 95
    for balance, price in ((2 * lost, (lost + 94) * WAD + 1), (2 * lost + 2, None)):
        state = book("95", "1", crumb, **half)
        state = replace(state, pools={"eth": replace(state.pools["eth"], balance=balance)})
        found = trigger_prices(state, ETH).up
        assert (found and found.price) == price
    assert trigger_prices(book(str(2**128), "1", held("short", "1", str(2**128)), **half), ETH).up is None


def test_takeovers_on_the_way_are_not_counted() -> None:
    """A long of 800 from 90 on 1,000 is bankrupt at 88.75; nobody but the pool's own inventory moves the price."""
    whale = account("whale", "1000", position("long", "800", "90"))
    with_whale = snapshot(whale, markets={ETH: market("90")}, pools={"eth": pool("20000", held("long", "10", "90"))})
    assert trigger_prices(with_whale, ETH) == trigger_prices(replace(with_whale, accounts=()), ETH) == NONE


# ------------------------------------------------------------------ a mutual group


def group(balances: tuple[str, str], mark: str, *inventory: Any, others: Any = (), **changes: Any) -> Snapshot:
    """ETH and SOL, each with a pool of the group."""
    markets = {ETH: market(mark, **changes), "SOL-USD": market("10", pool="sol")}
    pools = {
        "eth": pool(balances[0], *inventory, backing="mutual"),
        "sol": pool(balances[1], *others, backing="mutual"),
        "alone": pool("-500"),
    }
    return snapshot(markets=markets, pools=pools)


def test_a_group_stands_for_its_member() -> None:
    """Of 2,000 30 % are 600, lost at 92; the pool on its own has no part in it."""
    state = group(("2000", "3000"), "95", held("long", "200", "95"))
    assert trigger_prices(state, ETH).down == by_drawdown("92", "95")


def test_a_giver_rests_until_it_is_below_zero_itself() -> None:
    """The 2,000 go to a member that lacks 3,000; they are gone at 85. Then it has lost all of its base, and more than
    what it is below zero has to come."""
    state = group(("2000", "-3000"), "95", held("long", "200", "95"))
    down = trigger_prices(state, ETH).down
    assert down == TriggerPrice(wad("85") - 1, Trigger.DRAWDOWN, (wad("-10") - 1) * WAD // wad("95"))
    assert trigger_at(state, ETH, wad("80")) is Trigger.DRAWDOWN


def test_a_giver_may_be_due_where_its_group_is_whole_again() -> None:
    """It has lost 8,000 of 10,000 and would give its 2,000 to who lacks 2,100; half a price up they are enough."""
    state = group(("2000", "-2100"), "55", held("long", "200", "95"), pnl="-8000", maxPnl8h="0")
    assert trigger_at(state, ETH, wad("55")) is None
    up = trigger_prices(state, ETH).up
    assert up == by_drawdown("55.5", "55")
    assert trigger_at(state, ETH, wad("55.5") - 1) is None


def test_a_drawdown_that_ends_where_the_group_has_nothing_is_found_before_that() -> None:
    """As in the runway: with 3,000 of another member it is due from 78.5 down to 75, and at 75 it is not."""
    state = group(("1000", "3000"), "95", held("long", "200", "95"), pnl="0", maxPnl8h="10000", trigger="0.9")
    down = trigger_prices(state, ETH).down
    assert down is not None
    assert trigger_at(state, ETH, down.price) is down.trigger
    assert trigger_at(state, ETH, down.price + 1) is None


# ------------------------------------------------------------------ any book


SIZES = st.integers(1, 10**6 * WAD)
PRICES = st.integers(1, 10**5 * WAD)
AMOUNTS = st.integers(-(10**7) * WAD, 10**7 * WAD)


@st.composite
def books(draw: st.DrawFn, *, alone: bool = False, one_sided: bool = False) -> Snapshot:
    """ETH and up to two other markets, each with inventory: in one shared pool, or each in one of a mutual group."""
    mutual = not alone and draw(st.booleans())
    names = [ETH] if alone else draw(st.permutations([ETH, "A", "Z"][: draw(st.integers(1, 3))]))
    markets: dict[str, Market] = {}
    inventory: dict[str, list[Inventory]] = {}
    for name in names:
        mark, trigger = draw(PRICES), draw(st.integers(WAD // 20, WAD * 9 // 10))
        stop = draw(st.integers(WAD // 20, trigger))
        result = draw(AMOUNTS)
        markets[name] = Market(
            name=name,
            mark_price=mark,
            maintenance_margin_fraction=WAD // 20,
            pool=name if mutual else "all",
            trigger=trigger,
            stop=stop,
            target=draw(st.integers(stop, trigger)),
            adl_active=draw(st.booleans()),
            pnl=result,
            max_pnl_8h=result + draw(st.integers(0, 10**6 * WAD)),
        )
        signs = draw(st.sampled_from([(1,), (-1,)] if one_sided else [(1,), (-1,), (1, -1), ()]))
        sizes = [sign * draw(SIZES) for sign in signs]
        inventory[name] = [Inventory(name, size, size * draw(PRICES) // WAD) for size in sizes]
    if mutual:
        pools = {
            name: Pool(name, PoolKind.ISOLATED, Backing.MUTUAL, draw(AMOUNTS), tuple(inventory[name])) for name in names
        }
    else:
        held_here = tuple(item for name in names for item in inventory[name])
        pools = {"all": Pool("all", PoolKind.SHARED, Backing.OWN, draw(AMOUNTS), held_here)}
    return Snapshot(None, markets, pools, ())


@settings(deadline=None)
@given(state=books(), between=st.lists(st.integers(1, 2**64), max_size=5))
def test_it_is_due_there_and_not_before(state: Snapshot, between: list[int]) -> None:
    """At the mark that is told it is due, and at none nearer; where none is told, nowhere."""
    start = state.markets[ETH].mark_price
    own = [item for item in state.pools[state.markets[ETH].pool].inventory if item.market == ETH]
    found = trigger_prices(state, ETH)
    for one, step in ((found.down, -1), (found.up, 1)):
        if one is not None:
            assert (one.price - start) * step >= 0
            assert one.move == (one.price - start) * WAD // start
            due = [item for item in due_inventory(at_mark(state, ETH, one.price)) if item.inventory.market == ETH]
            assert due
            assert due[0].trigger is one.trigger
            if one.price != start:
                assert trigger_at(state, ETH, one.price - step) is None
        far = abs((one.price if one is not None else (2**100 if step > 0 else 1)) - start)
        for part in between:
            nearer = start + step * (far * part // 2**65)
            # Where both sides hold inventory, roundings of single wei may lie before it.
            if nearer != (one and one.price) and len(own) < 2:
                assert trigger_at(state, ETH, nearer) is None


@settings(deadline=None)
@given(state=books(alone=True, one_sided=True))
def test_it_is_where_the_runway_ends(state: Snapshot) -> None:
    """For a market alone in its pool, wherever that end is one at which the inventory loses and a round has a part."""
    here, own = state.markets[ETH], state.pools["all"]
    [item] = own.inventory
    footing = Footing(
        mark=here.mark_price,
        long=(item.size, item.entry_notional) if item.size > 0 else (0, 0),
        short=(item.size, item.entry_notional) if item.size < 0 else (0, 0),
        result=here.pnl,
        peak=here.max_pnl_8h,
        balance=own.balance,
        other_losses=0,
        trigger=here.trigger,
        stop=here.stop,
        started=here.adl_active,
    )
    found = trigger_prices(state, ETH)
    for one, up in ((found.down, False), (found.up, True)):
        ends = [price for price in runway(footing, up=up) if price is not None]
        due = [price for price in ends if trigger_at(state, ETH, price)]
        if one is None:
            assert not due
        elif one.price in due:
            assert one.price == min(due, key=lambda price: abs(price - here.mark_price))
        else:  # a drawdown that had been due before there was anything to close, or to bring in
            assert runway(footing, up=up).drawdown is not None
            assert all(abs(one.price - here.mark_price) < abs(price - here.mark_price) for price in due)


@settings(deadline=None)
@given(state=books())
def test_a_round_is_planned_there(state: Snapshot) -> None:
    """The whole plan, with a counterparty: at the trigger price it has a round in the market."""
    sizes = [item.size for item in state.pools[state.markets[ETH].pool].inventory if item.market == ETH]
    others = tuple(
        Account(str(size), MarginMode.ISOLATED, 10**12 * WAD, (Position(ETH, -size, -size),)) for size in sizes
    )
    state = replace(state, accounts=others)
    for one in (trigger_prices(state, ETH).down, trigger_prices(state, ETH).up):
        if one is not None:
            rounds = [item for item in plan(at_mark(state, ETH, one.price)) if item.market == ETH]
            assert [item.trigger for item in rounds][:1] == [one.trigger]
            assert all(item.compensation > 0 for item in rounds)
