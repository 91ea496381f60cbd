"""Who is put on the list of a round, and the bounds that go with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.adl import listing
from backstop.adl.listing import DRIFT, MOST_GAS, NO_BOUND, Listing, MarkBounds, gas_of
from backstop.adl.planning import Plan, plan
from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Side, Snapshot
from backstop.math.leveraged_return import leveraged_return
from backstop.math.wad import WAD

from .books import ETH, Document, account, held, market, pool, position, snapshot, wad, worked_case

LARGEST = 2**255 - 1
TINY = "0.000000000000000001"
MOST_ISOLATED = MOST_GAS // 100_000

# Against a long inventory at mark 80. PnL 2,000 on 10,000, E = 6,000, MM = 400: a return of 0.2 * 1/15 = 0.0133.
FIRST = account("first", "4000", position("short", "100", "100"))
# 0.2 * 40/660 = 0.0121, and at a mark of 79.2 no more than 0.208 * 39.6/668 = 0.0123.
CALM = account("calm", "460", position("short", "10", "100"))
# 9/809 * 40/38.1 = 0.0117, and at 79.2 17/809 * 39.6/46.1 = 0.0181: above FIRST.
RISER = account("riser", "29.1", position("short", "10", "80.9"))
# 0.1 * 40/840 = 0.0048; at 79.2 it is (0.11 * 39.6/848.8) = 0.0051.
LOW = account("low", "751.1", position("short", "10", "88.888888888888888889"))
# Half a token up in ETH, with ten in all; a fall of BTC by 1 % takes sixteen.
BTC = {"BTC-USD": market("800", maintenanceMarginFraction="0.05")}
NEAR_ITS_END = account(
    "near-its-end",
    "9.5",
    position("short", "10", "80.05"),
    position("long", "2", "800", "BTC-USD"),
    mode="cross",
)
BANKRUPT = account("bankrupt", "10", position("short", "1", "69.99"))


def book(
    *accounts: Document, contracts: str = "100", mark: str = "80", others: dict[str, Document] | None = None
) -> Snapshot:
    """A long inventory at 90 that loses a pool all it has: `p_adl` is 90."""
    loss = wad(contracts) * (90 * WAD - wad(mark)) // WAD
    kind = "shared" if others else "isolated"
    return snapshot(
        *accounts,
        markets={ETH: market(mark)} | (others or {}),
        pools={"eth": pool(f"-{loss // WAD}", held("long", contracts, "90"), kind=kind)},
    )


def planned(*accounts: Document, contracts: str = "100", others: dict[str, Document] | None = None) -> Plan:
    [due] = plan(book(*accounts, contracts=contracts, others=others))
    return due


def within(mark: str, by: int = DRIFT, of: str = ETH) -> MarkBounds:
    return MarkBounds(of, wad(mark) * (WAD - by) // WAD, wad(mark) * (WAD + by) // WAD)


def returns(state: Snapshot) -> dict[str, int]:
    """Of the shorts."""
    key = ETH, Side.SHORT
    return {one.account.id: one.leveraged_return for one in score_sides(state, [key])[key].ranked}


def moved(state: Snapshot, by: int) -> Snapshot:
    """Every mark, by a fraction."""
    markets = {name: replace(one, mark_price=one.mark_price * (WAD + by) // WAD) for name, one in state.markets.items()}
    return replace(state, markets=markets)


def depth(state: Snapshot, name: str) -> int:
    """The same at their worst."""
    return min(returns(moved(state, by))[name] for by in (-DRIFT, 0, DRIFT))


def reach(state: Snapshot, name: str) -> int:
    """The best of an account at the marks as they are and at both ends of the drift."""
    return max(returns(moved(state, by))[name] for by in (-DRIFT, 0, DRIFT))


# ------------------------------------------------------------------ who is on it


@pytest.mark.parametrize(("fills", "spares"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_a_third_as_many_as_are_closed_are_spares(fills: int, spares: int) -> None:
    # A contract each, the later the less profitable: 0.2 * 4/60 for the first, and a 1 % move changes no rank.
    shorts = [account(f"short-{n:02}", str(40 + 20 * n), position("short", "1", "100")) for n in range(12)]
    due = planned(*shorts, contracts=str(fills))
    assert [fill.account for fill in due.fills] == [f"short-{n:02}" for n in range(fills)]
    assert due.listing.accounts == tuple(f"short-{n:02}" for n in range(fills + spares))


def test_spares_follow_in_rank() -> None:
    assert planned(LOW, CALM, FIRST).listing.accounts == ("first", "calm")


def test_who_rises_within_the_drift_is_listed() -> None:
    due = planned(FIRST, CALM, RISER, LOW)
    ranks = returns(book(FIRST, CALM, RISER, LOW))
    assert sorted(ranks, key=ranks.__getitem__, reverse=True) == ["first", "calm", "riser", "low"]
    assert [fill.account for fill in due.fills] == ["first"]
    assert due.listing.accounts == ("first", "calm", "riser")


def test_who_rises_as_high_as_the_cutoff_may_fall_is_listed_and_who_is_a_wei_below_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = book(FIRST, CALM, RISER, LOW)
    [due] = plan(state)
    assert [fill.account for fill in due.fills] == ["first"]
    floor = depth(state, "first")
    assert floor < due.fills[-1].leveraged_return
    for highest, listed in ((floor, True), (floor - 1, False)):
        reached = {name: highest if name == "low" else 0 for name in returns(state)}
        reach_is(monkeypatch, lambda _, __, one, *___, reached=reached: reached[one.id])
        [due] = plan(state)
        assert ("low" in due.listing.accounts) == listed


def reaching(monkeypatch: pytest.MonkeyPatch, **reaches: int | None) -> None:
    """Holds what accounts may reach to this, whatever the drift; of those not named to nothing at all."""
    reach_is(monkeypatch, lambda _, __, one, *___: reaches.get(one.id, NO_BOUND))


def reach_is(monkeypatch: pytest.MonkeyPatch, reach_of: Callable[..., int | None]) -> None:
    """What accounts may reach is this, and no bound in doubles keeps anybody from being asked."""
    monkeypatch.setattr(listing, "_reach", reach_of)
    monkeypatch.setattr(listing, "_MANY", 10**6)


def test_how_far_a_cross_account_may_fall_its_other_legs_gain_and_ask_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long two BTC from 800: at 808 they have gained 16, and at 792 they ask for 79.2."""
    legs = position("short", "100", "100"), position("long", "2", "800", "BTC-USD")
    state = book(account("first", "4000", *legs, mode="cross"), CALM, LOW, others=BTC)
    # It falls as the mark rises, to 80.8: 1,920 on 10,000, and 404 in ETH.
    floor = leveraged_return(wad("1920"), -wad("10000"), wad("483.2") * WAD // wad("5936"))
    for highest, listed in ((floor, True), (floor - 1, False)):
        reaching(monkeypatch, low=highest)
        [due] = plan(state)
        assert [fill.account for fill in due.fills] == ["first"]
        assert ("low" in due.listing.accounts) == listed


def test_those_who_rise_are_listed_from_the_highest_on_and_who_has_no_bound_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All have lost, so that whoever reaches nothing at all rises above the first. Of those alike the id decides.
    names = ["first", "spare", "at-nothing", "at-wei", "boundless", "endless", "high"]
    crowd = [account(name, str(5000 + n), position("short", "10", "75")) for n, name in enumerate(names)]
    state = book(*crowd, contracts="10")
    reaching(monkeypatch, **{"at-nothing": 0, "at-wei": 1, "boundless": None, "endless": None, "high": WAD})
    [due] = plan(state)
    assert due.listing.accounts == ("first", "spare", "boundless", "endless", "high", "at-wei", "at-nothing")


def test_the_round_is_not_refused_where_all_returns_have_gone_down() -> None:
    """A crowd like one another: once the mark has risen by 1 %, nobody ranks where the best of them was."""
    crowd = [account(f"short-{n:02}", str(60 + n), position("short", "1", "100")) for n in range(60)]
    state = book(*crowd, contracts="5")
    [due] = plan(state)
    assert len(due.listing.accounts) < len(crowd)
    later = returns(moved(state, DRIFT))
    assert all(returns(state)[fill.account] > later[fill.account] >= due.listing.lowest_return for fill in due.fills)


def test_who_may_be_bankrupt_within_the_drift_is_listed() -> None:
    """Just before that it has next to nothing, and what it has gained by is beyond all bounds."""
    due = planned(FIRST, CALM, LOW, NEAR_ITS_END, others=BTC)
    assert due.listing.accounts == ("first", "calm", "near-its-end")


def test_who_may_be_bankrupt_by_a_loss_ranks_no_higher_than_nothing() -> None:
    losing = account("losing", "100.5", position("short", "10", "70"))
    due = planned(FIRST, CALM, LOW, losing)
    assert due.listing.accounts == ("first", "calm")


def test_the_bankrupt_are_listed_before_the_spares() -> None:
    due = planned(BANKRUPT, FIRST, CALM, RISER, LOW)
    assert due.listing.accounts == ("first", "bankrupt", "calm", "riser")


def test_those_passed_over_are_listed_after_those_closed() -> None:
    # E = 60 is not what 10 contracts cost at 90. It ranks above FIRST: 0.11 * 40/60.
    frail = account("frail", "-40", position("short", "10", "90"))
    due = planned(FIRST, CALM, LOW, frail)
    assert [skip.account for skip in due.skipped] == ["frail"]
    assert due.listing.accounts[:2] == ("first", "frail")


def test_those_passed_over_are_listed_before_the_bankrupt() -> None:
    frail = account("frail", "-40", position("short", "10", "90"))
    due = planned(FIRST, CALM, LOW, frail, BANKRUPT)
    assert {skip.account for skip in due.skipped} == {"frail", "bankrupt"}
    assert due.listing.accounts[:3] == ("first", "frail", "bankrupt")


def test_who_has_a_wei_and_nothing_at_the_upper_end_is_closed_and_listed() -> None:
    """A wei of contracts from 100, with 20 wei gained and 19 in debt: at 80.8 the last one is lost too."""
    crumb = account("crumb", "-0.000000000000000019", position("short", TINY, "100"))
    due = planned(FIRST, crumb, contracts="101")
    assert [fill.account for fill in due.fills] == ["first", "crumb"]
    assert due.listing == Listing(("first", "crumb"), (within("80"),), NO_BOUND)


def test_who_holds_the_inventory_s_side_or_nothing_is_not_listed() -> None:
    long, flat = account("long", "5000", position("long", "10", "80")), account("flat", "5000")
    due = planned(FIRST, long, flat)
    assert due.listing.accounts == ("first",)
    assert due.listing.lowest_return == NO_BOUND


def test_the_order_of_its_legs_changes_nothing_for_a_cross_account() -> None:
    legs = position("short", "10", "80.2"), position("long", "2", "800", "BTC-USD")
    one, other = (
        planned(FIRST, CALM, account("cross", "990", *each, mode="cross"), others=BTC).listing
        for each in (legs, legs[::-1])
    )
    assert one == other


def test_a_cross_account_rises_by_its_other_legs_too() -> None:
    """With the same leg in ETH, who holds 1,600 in BTC rises above the cutoff, whichever side it holds there."""
    # At 79.2 the ETH leg has 10/802. Alone: * 39.6/48 = 0.0103; with BTC that gains 16: * 118.8/64, that loses:
    # * 118.8/32.
    for side, name in (("short", "with"), ("long", "against")):
        cross = account(
            name, "38", position("short", "10", "80.2"), position(side, "2", "800", "BTC-USD"), mode="cross"
        )
        alone = account("alone", "38", position("short", "10", "80.2"))
        state = book(FIRST, CALM, LOW, cross, alone, others=BTC)
        [due] = plan(state)
        assert due.listing.accounts == ("first", "calm", name)
        assert reach(state, "alone") < due.fills[-1].leveraged_return
        assert reach(state, name) > due.fills[-1].leveraged_return


# ------------------------------------------------------------------ no more than a round may have


def test_it_is_cut_to_what_a_round_may_have() -> None:
    shorts = [account(f"short-{n:03}", str(40 + n), position("short", "1", "100")) for n in range(MOST_ISOLATED + 20)]
    due = planned(*shorts, contracts=str(MOST_ISOLATED + 10))
    assert len(due.fills) == MOST_ISOLATED + 10
    assert due.listing.accounts == tuple(f"short-{n:03}" for n in range(MOST_ISOLATED))


def test_cross_accounts_and_their_legs_take_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    legs = position("short", "50", "100"), position("long", "1", "800", "BTC-USD")
    cross = [account(name, "2000", *legs, mode="cross") for name in ("cross-a", "cross-b")]
    state = book(*cross, CALM, others={"BTC-USD": market("800")})
    by_name = {one.id: gas_of(one) for one in state.accounts}
    assert by_name == {"cross-a": 205_000, "cross-b": 205_000, "calm": 100_000}
    for most, names in (
        (510_000, ("cross-a", "cross-b", "calm")),
        (509_999, ("cross-a", "cross-b")),
        (409_999, ("cross-a",)),
    ):
        monkeypatch.setattr(listing, "MOST_GAS", most)
        [due] = plan(state)
        assert due.listing.accounts == names


def test_one_is_listed_however_many_positions_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    legs = position("short", "100", "100"), position("long", "1", "800", "BTC-USD")
    [due] = plan(book(account("cross", "4000", *legs, mode="cross"), CALM, others={"BTC-USD": market("800")}))
    assert due.listing.accounts == ("cross",)


# ------------------------------------------------------------------ the bounds


def test_the_mark_may_move_by_the_drift() -> None:
    due = planned(FIRST)
    assert due.listing.marks == (MarkBounds(ETH, wad("79.2"), wad("80.8")),)
    # Both are rounded toward the mark.
    [due] = plan(book(FIRST, mark="80.000000000000000099"))
    assert due.listing.marks == (MarkBounds(ETH, wad("79.200000000000000099"), wad("80.800000000000000099")),)


def test_the_marks_are_bounded_that_those_left_off_depend_on() -> None:
    """Those on the list may rank as they will; nobody left off holds anything in SOL."""
    legs = position("short", "1", "80.1"), position("long", "1", "800", "BTC-USD")
    calm = account("cross", "500", *legs, mode="cross")
    listed = account(
        "listed", "4000", position("short", "100", "100"), position("long", "1", "9", "SOL-USD"), mode="cross"
    )
    due = planned(listed, CALM, LOW, calm, others=BTC | {"SOL-USD": market("9")})
    assert due.listing.accounts == ("listed", "calm")
    assert due.listing.marks == (within("80"), within("800", of="BTC-USD"))


def test_each_mark_is_taken_at_its_worse_end() -> None:
    """At 79.2 for ETH, where it gains, while BTC falls for the one, and rises for the other."""
    for side in ("short", "long"):
        legs = position("short", "10", "80.2"), position(side, "2", "800", "BTC-USD")
        due = planned(FIRST, CALM, account("cross", "990", *legs, mode="cross"), others=BTC)
        assert due.listing.accounts == ("first", "calm")
        # 1,000 less 16; 39.6 and, at 808, 80.8.
        rate = wad("120.4") * WAD // wad("984")
        assert due.listing.lowest_return == leveraged_return(wad("10"), -wad("802"), rate)


def test_the_lowest_return_is_what_the_best_that_is_left_off_may_reach() -> None:
    low, lower = LOW, account("lower", "5000", position("short", "10", "88"))
    state = book(FIRST, CALM, RISER, low, lower)
    [due] = plan(state)
    assert due.listing.accounts == ("first", "calm", "riser")
    assert due.listing.lowest_return == reach(state, "low") > max(returns(state)["low"], reach(state, "lower"))
    # Those on the list may all be closed.
    assert due.listing.lowest_return < due.fills[-1].leveraged_return


def test_with_nobody_left_off_there_is_no_lowest_return() -> None:
    assert planned(FIRST, CALM).listing.lowest_return == NO_BOUND == -(2**255)
    assert planned(FIRST, CALM, RISER, NEAR_ITS_END, BANKRUPT, others=BTC).listing.lowest_return == NO_BOUND
    assert plan(worked_case())[0].listing.lowest_return == NO_BOUND


def test_who_is_cut_off_and_may_have_any_return_holds_the_round_to_the_very_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Above all others once the marks have moved, so that nobody could be closed.

    At the marks themselves it counts with what makes it solvent at 90, a hundred; and the price may come no nearer.
    """
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    due = planned(FIRST, NEAR_ITS_END, others=BTC)
    # 40 and 80; a wei for each rounding.
    bound = leveraged_return(wad("0.5"), -wad("800.5"), wad("1.2") + 1) + 1
    assert bound < due.fills[0].leveraged_return
    marks = within("80", 0), within("800", 0, of="BTC-USD")
    assert due.listing == Listing(("first",), marks, bound, nearest_price=wad("90"))


def test_who_is_cut_off_bankrupt_by_a_loss_is_brought_above_nothing_by_no_deposit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    assert planned(FIRST, BANKRUPT).listing == Listing(("first",), (within("80"),), 0)


def test_who_is_cut_off_bankrupt_with_a_gain_ranks_no_higher_than_a_deposit_can_bring_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten short from 100, and 201 in debt: to count it must be solvent at 90, so with 100 at least."""
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    indebted = account("indebted", "-201", position("short", "10", "100"))
    due = planned(account("first", "0", position("short", "100", "100")), indebted)
    # 0.2 * 40/100, and a wei for each rounding.
    assert due.listing.lowest_return == wad("0.08") + 1


WITH_A_GAIN = "800.000000000000000001"


def edge(margin: str, notional: str = WITH_A_GAIN, *others: Document) -> Document:
    """Ten short from 80, which is the mark, with a wei of gain or none; cross where there is more."""
    own = {"market": ETH, "side": "short", "contracts": "10", "entryNotional": notional}
    return account("edge", margin, own, *others, mode="cross" if others else "isolated")


CRUMB = position("long", TINY, "800", "BTC-USD")  # at 792 it has lost 8 wei


# At 79.2 it has gained 8, which is all it has, and asks for 39.6; at 79.76 that is 2.4 and 39.88. At the very mark a
# gain of a wei comes to nothing, and a wei is for the rounding. A wei more of equity takes a wei off what it may reach.
AT_ONE_PERCENT, AT_THREE_IN_A_THOUSAND, AT_THE_MARK = wad("0.0495"), wad("0.04985"), 1


@pytest.mark.parametrize(
    ("cut_off", "by", "bound"),
    [
        pytest.param(edge("0", "800"), DRIFT, AT_ONE_PERCENT, id="nothing and no gain"),
        pytest.param(edge("0"), DRIFT, AT_ONE_PERCENT - 1, id="a wei and all of it gained"),
        pytest.param(edge(f"-{TINY}"), 0, AT_THE_MARK, id="nothing and a wei gained"),
        pytest.param(edge("0.000000000000000008", WITH_A_GAIN, CRUMB), DRIFT, AT_ONE_PERCENT, id="a wei beside a leg"),
        # At 797.6 the leg has lost 3 wei, so that there are 5.
        pytest.param(
            edge("0.000000000000000007", WITH_A_GAIN, CRUMB),
            WAD * 3 // 1000,
            AT_THREE_IN_A_THOUSAND - 1,
            id="nothing beside a leg",
        ),
    ],
)
def test_only_a_gain_and_not_a_wei_to_hold_it_make_a_return_boundless(
    monkeypatch: pytest.MonkeyPatch, cut_off: Document, by: int, bound: int
) -> None:
    """It is cut off from a round whose first ranks above all that it may reach with a bound."""
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    one = planned(account("first", "-1000", position("short", "100", "100")), cut_off, others=BTC).listing
    assert one.accounts == ("first",)
    assert one.marks[0] == within("80", by)
    assert one.nearest_price == (None if by else wad("90"))
    assert one.lowest_return == bound


def test_a_short_inventory_is_the_mirror_image_to_the_wei_of_what_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth long from 40, which has doubled, and is in debt: to be solvent at 70 it must have 0.1.

    So its return is its margin rate: 0.04 over 0.1 and a wei for the rounding, and another for that of the return.
    """
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    state = snapshot(
        account("first", "0", position("long", "100", "60")),
        account("indebted", "-0.401", position("long", "0.01", "40")),
        markets={ETH: market("80")},
        pools={"eth": pool("-1000", held("short", "100", "70"))},
    )
    [due] = plan(state)
    assert due.listing == Listing(("first",), (within("80", 0),), wad("0.4") + 2, nearest_price=wad("70"))


def barely_due(*accounts: Document, entry: str) -> Plan:
    """A pool that lacks a wei, with 100 long; the ADL price is a wei above mark, or where `entry` has it."""
    inventory = {"market": ETH, "side": "long", "contracts": "100", "entryNotional": entry}
    [due] = plan(
        snapshot(*accounts, markets={ETH: market("80")}, pools={"eth": pool(f"-{TINY}", inventory)}),
    )
    return due


def test_who_is_cut_off_with_a_loss_and_a_wei_to_be_solvent_is_brought_to_next_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One short from 79.95 with 8 in debt: at 79.92 it gains. Its wei makes a loss of nothing, and one is rounded."""
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    due = barely_due(FIRST, account("indebted", "-8", position("short", "1", "79.95")), entry="9000")
    assert due.adl_price == 80 * WAD + 1
    assert due.listing == Listing(("first",), (within("80", 0),), 1, nearest_price=80 * WAD + 1)


def test_where_the_adl_price_is_the_mark_nobody_ranks_above_who_is_bankrupt_with_a_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing at all makes it solvent there. The bound is the largest number that the contracts know."""
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    due = barely_due(FIRST, account("indebted", "-201", position("short", "10", "100")), entry=f"8000.{TINY[2:]}")
    assert due.adl_price == 80 * WAD
    assert due.listing == Listing(("first",), (within("80", 0),), LARGEST, nearest_price=80 * WAD)


def test_where_nobody_can_be_closed_whoever_is_cut_off_must_not_rise_above_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    state = book(BANKRUPT, account("cut-off", "10", position("short", "1", "69.99")))
    for highest, by, nearest in ((0, DRIFT, None), (1, 0, wad("90"))):
        reaching(monkeypatch, **{"cut-off": highest})
        [due] = plan(state)
        assert due.listing == Listing(("bankrupt",), (within("80", by),), highest, nearest)


def test_who_is_cut_off_from_the_fills_keeps_the_round_above_it() -> None:
    shorts = [
        account(f"short-{n:03}", str(40 + 3 * n), position("short", "1", "100")) for n in range(MOST_ISOLATED + 1)
    ]
    state = book(*shorts, contracts=str(MOST_ISOLATED + 1))
    [due] = plan(state)
    cut_off = f"short-{MOST_ISOLATED}"
    assert due.listing.lowest_return == reach(state, cut_off)
    assert due.fills[0].leveraged_return > due.listing.lowest_return > due.fills[-1].leveraged_return


# ------------------------------------------------------------------ marks nearer than the drift


# Ten short from 80.9, with 42 and with 38.1. At 79.76 they have gained 11.4 and ask for 39.88, at 79.92 9.8 and 39.96.
@pytest.mark.parametrize(
    ("margin", "by", "gain", "required", "equity"),
    [("33", WAD * 3 // 1000, "11.4", "39.88", "44.4"), ("29.1", WAD // 1000, "9.8", "39.96", "38.9")],
)
def test_the_marks_are_held_nearer_where_who_is_cut_off_may_rise_too_high(
    monkeypatch: pytest.MonkeyPatch, margin: str, by: int, gain: str, required: str, equity: str
) -> None:
    """To three in a thousand, or one."""
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    riser = account("riser", margin, position("short", "10", "80.9"))
    bound = leveraged_return(wad(gain), -wad("809"), wad(required) * WAD // wad(equity))
    assert planned(FIRST, riser).listing == Listing(("first",), (within("80", by),), bound)


def test_who_may_fall_least_of_those_closed_decides_to_the_wei_how_near_the_marks_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody can be closed as long as it is not below what is asked; a wei more, and the marks are held nearer."""
    monkeypatch.setattr(listing, "MOST_GAS", 200_000)
    second = account("second", "3000", position("short", "50", "100"))
    state = book(FIRST, second, LOW, contracts="150")
    most, least = depth(state, "first"), depth(state, "second")
    assert most > least
    for highest, by in ((least, DRIFT), (most, DRIFT), (most + 1, WAD * 3 // 1000)):
        reaching(monkeypatch, low=highest)
        [due] = plan(state)
        assert [fill.account for fill in due.fills] == ["first", "second"]
        assert due.listing == Listing(("first", "second"), (within("80", by),), highest)


def test_where_no_drift_is_safe_whoever_ranks_first_now_decides_to_the_wei(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the marks are the first can be closed, though not where it falls; a wei more, and only at those themselves."""
    monkeypatch.setattr(listing, "MOST_GAS", 200_000)
    second = account("second", "3000", position("short", "50", "100"))
    state = book(FIRST, second, LOW, contracts="150")
    best = returns(state)["first"]
    assert best > returns(state)["second"]
    for highest, by, nearest in ((best, DRIFT, None), (best + 1, 0, wad("90"))):
        reaching(monkeypatch, low=highest)
        [due] = plan(state)
        assert due.listing == Listing(("first", "second"), (within("80", by),), highest, nearest)


def test_a_smaller_drift_at_which_the_first_may_fall_too_goes_before_a_larger_one_at_which_it_may_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The crowd's best that is cut off rises at 1 % above where the first falls to, but not above where it is."""
    monkeypatch.setattr(listing, "MOST_GAS", 1)
    state = book(FIRST, account("next", "4130", position("short", "100", "100")))
    now = returns(state)["first"]
    assert depth(state, "first") < reach(state, "next") < now
    [due] = plan(state)
    assert due.listing.marks == (within("80", WAD * 3 // 1000),)
    # Where it rises that high at all of them, the smallest will do at which it does not rise above the first.
    state = book(FIRST, account("next", "4014", position("short", "100", "100")))
    [due] = plan(state)
    assert due.listing.marks == (within("80", WAD // 1000),)
    smallest = [returns(moved(state, by)) for by in (-WAD // 1000, WAD // 1000)]
    assert min(each["first"] for each in smallest) < due.listing.lowest_return < returns(state)["first"]
    assert due.listing.lowest_return == max(each["next"] for each in smallest)


def test_at_the_very_mark_whoever_equals_the_last_to_be_closed_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round closes nobody who is no better than the best that is left off."""
    monkeypatch.setattr(listing, "MOST_GAS", 400_000)
    last, spare, twin = (account(name, "460", position("short", "10", "100")) for name in ("m-last", "n-spare", "twin"))
    lows = [account(f"low-{n}", "1000", position("short", "10", "85")) for n in range(2)]
    state = book(FIRST, last, spare, twin, *lows, contracts="110")
    reach_of = listing._reach

    def boundless_within_a_drift(*arguments: Any) -> int | None:
        _, _, one, drift, _ = arguments
        return None if drift and one.id.startswith("low") else reach_of(*arguments)

    reach_is(monkeypatch, boundless_within_a_drift)
    [due] = plan(state)
    assert [fill.account for fill in due.fills] == ["first", "m-last"]
    assert due.listing.accounts == ("first", "m-last", "n-spare", "twin")
    assert due.listing.marks == (within("80", 0),)


# ------------------------------------------------------------------ together

shorts = st.tuples(st.integers(1, 60), st.integers(70, 130), st.integers(0, 300))


@given(st.lists(shorts, min_size=1, max_size=12), st.integers(1, 150), st.integers(-DRIFT, DRIFT))
def test_nobody_left_off_may_reach_the_lowest_return_nor_the_cutoff(
    drawn: list[tuple[int, int, int]], contracts: int, by: int
) -> None:
    """Wherever the marks are within the drift. Between its ends a return may have a maximum, 0.01 % higher at most."""
    accounts = [
        account(f"short-{n:02}", str(margin), position("short", str(size), str(price)))
        for n, (size, price, margin) in enumerate(drawn)
    ]
    state = book(*accounts, contracts=str(contracts))
    elsewhere = returns(moved(state, by))
    for due in plan(state):
        one = due.listing
        [bounds] = one.marks
        assert bounds.lowest <= moved(state, by).markets[ETH].mark_price <= bounds.highest
        assert len(set(one.accounts)) == len(one.accounts)
        assert {fill.account for fill in due.fills} <= set(one.accounts)
        left_off = {each.id for each in state.accounts} - set(one.accounts)
        assert (one.lowest_return == NO_BOUND) == (not left_off)
        if due.fills and left_off:
            assert one.lowest_return < min(fill.leveraged_return for fill in due.fills)
        slack = abs(one.lowest_return) // 10_000 + 1 if left_off else 0
        for name in left_off:
            assert elsewhere[name] <= one.lowest_return + slack
        for fill in due.fills:
            assert elsewhere.get(fill.account, LARGEST) >= one.lowest_return - slack
