"""How far a mark may move: exact at its boundary, on both sides, with stop, other markets and a mutual group."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.math.runway import Footing, Runway, is_depletion_due, is_drawdown_due, runway
from backstop.math.wad import WAD
from backstop.math.wad import parse_amount as wad

PLAIN = Footing(
    mark=wad("95"),
    long=(wad("200"), wad("19000")),
    short=(0, 0),
    result=0,
    peak=0,
    balance=wad("20000"),
    other_losses=0,
    trigger=wad("0.3"),
    stop=wad("0.25"),
    started=False,
)


def test_long_inventory_has_a_way_down_and_none_up() -> None:
    """200 contracts from 95 and 20,000: 6,000 are lost at 65, and all of it just below -5: at no mark."""
    assert runway(PLAIN, up=False) == Runway(wad("65"), None)
    assert runway(PLAIN, up=True) == Runway(None, None)
    poorer = replace(PLAIN, balance=wad("10000"))
    assert runway(poorer, up=False) == Runway(wad("80"), wad("45") - 1)


def test_short_inventory_has_a_way_up_and_none_down() -> None:
    short = replace(PLAIN, long=(0, 0), short=(-wad("200"), -wad("21000")), mark=wad("105"))
    assert runway(short, up=True) == Runway(wad("135"), wad("205") + 1)
    assert runway(short, up=False) == Runway(None, None)


def test_both_sides_of_a_market() -> None:
    """Each side's loss counts, and a gain of the other one does not."""
    both = replace(PLAIN, short=(-wad("100"), -wad("10500")), mark=wad("100"))
    assert runway(both, up=False).drawdown == wad("65")
    assert runway(both, up=True).drawdown == wad("165")


def test_inventory_counts_at_its_bankruptcy_price_where_it_would_gain() -> None:
    """From 120 the mark has to fall to 95 first."""
    assert runway(replace(PLAIN, mark=wad("120")), up=False).drawdown == wad("65")


def test_stop_counts_where_adl_had_started() -> None:
    """At 25 % exactly it has ended, a wei more and it has not."""
    started = replace(PLAIN, started=True)
    reach = runway(started, up=False).drawdown
    assert reach == wad("70") - 1
    assert is_drawdown_due(started, reach)
    assert not is_drawdown_due(started, reach + 1)


def test_what_the_window_has_lost_already() -> None:
    """Half of the 6,000 is lost to closed business: 15 further down instead of 30."""
    fallen = replace(PLAIN, result=-wad("3000"), balance=wad("17000"))
    assert runway(fallen, up=False).drawdown == wad("80")


def test_losses_of_other_markets_are_in_the_base() -> None:
    others = replace(PLAIN, balance=wad("15000"), other_losses=wad("5000"))
    assert runway(others, up=False) == Runway(wad("65"), wad("20") - 1)


def test_due_already() -> None:
    low = replace(PLAIN, mark=wad("60"), result=-wad("7000"), balance=wad("13000"))
    assert runway(low, up=False).drawdown == runway(low, up=True).drawdown == wad("60")
    below = replace(PLAIN, mark=wad("60"), result=-wad("7000"), balance=-1)
    assert runway(below, up=False).depletion == wad("60")


def test_nothing_without_inventory() -> None:
    assert runway(replace(PLAIN, long=(0, 0), balance=-1), up=False) == Runway(None, None)


def test_no_base_is_no_drawdown() -> None:
    assert runway(replace(PLAIN, balance=0), up=False) == Runway(None, wad("95") - 1)


def test_group_stands_for_its_member() -> None:
    """Depleted is only what the group cannot carry, and a member that gives all it has does not count its drawdown."""
    member = replace(PLAIN, balance=wad("2000"), others=(wad("3000"),), place=1)
    assert runway(member, up=False) == Runway(wad("92"), wad("70") - 1)
    giver = replace(PLAIN, balance=wad("2000"), others=(-wad("3000"),), place=0)
    reach = runway(giver, up=False)
    assert not is_drawdown_due(giver, giver.mark)
    assert reach.depletion == wad("85") - 1
    assert is_depletion_due(giver, wad("85") - 1)
    assert not is_depletion_due(giver, wad("85"))


def test_a_member_that_gives_all_it_has_rests() -> None:
    """1,800 are left of 2,000, and it gives them: without that its loss would be all that its base is."""
    giver = replace(PLAIN, balance=wad("2000"), others=(-wad("3000"),))
    assert is_drawdown_due(giver, wad("94")) is False
    assert is_drawdown_due(replace(giver, others=None), wad("94")) is False
    assert is_drawdown_due(replace(giver, others=None), wad("92")) is True


def test_depletion_asks_for_what_to_close() -> None:
    gains = replace(PLAIN, balance=-1)
    assert not is_depletion_due(gains, wad("95"))
    assert is_depletion_due(replace(gains, long=(WAD, wad("95") + 1)), wad("95"))
    assert is_depletion_due(replace(gains, loses_elsewhere=True), wad("95"))


def test_its_place_among_the_members_counts() -> None:
    """5 are given to it and to one that lacks 4; the last of the two has what roundings leave, which is just enough."""
    first = replace(PLAIN, long=(WAD, wad("95") + 1), balance=-3, others=(-4, 5))
    assert is_depletion_due(first, wad("95"))
    assert not is_depletion_due(replace(first, place=1), wad("95"))


def test_inventory_that_was_taken_over_for_nothing() -> None:
    short = replace(PLAIN, long=(0, 0), short=(-wad("200"), 0))
    assert runway(short, up=True).drawdown == wad("125")
    long = replace(PLAIN, long=(wad("200"), 0), balance=-1, loses_elsewhere=True)
    assert runway(long, up=False).depletion == wad("95")


def test_what_inventory_has_lost_already_counts_once() -> None:
    lost = replace(PLAIN, mark=wad("90"), result=-wad("1000"), balance=wad("19000"))
    assert runway(lost, up=False) == Runway(wad("65"), None)


def test_a_group_that_has_a_wei_more_than_nothing_carries_its_member() -> None:
    member = replace(PLAIN, long=(WAD, wad("95") + 1), balance=-4, others=(5,))
    assert not is_depletion_due(member, wad("95"))
    assert is_depletion_due(replace(member, balance=-6), wad("95"))
    # It has no base then: nobody gives before the group as a whole has nothing.
    assert not is_drawdown_due(replace(member, peak=4), wad("95"))


def test_a_drawdown_that_ends_where_the_group_has_nothing_is_found_before_that() -> None:
    """Down to 75 its group has something, and it has nothing to add to what the others have lost.

    At 78.5 it has lost 3,300 of 1,000 and 10,000. At 75 the 3,000 of the other member fill up what it lacks, and 4,000
    of 14,000 are less than 30 %.
    """
    member = replace(PLAIN, balance=wad("1000"), other_losses=wad("10000"), others=(wad("3000"),))
    assert is_drawdown_due(member, wad("75") + 1)
    assert not is_drawdown_due(member, wad("75"))
    assert runway(member, up=False).drawdown == wad("78.5")


SHORT = replace(PLAIN, long=(0, 0), short=(-wad("200"), -wad("21000")), mark=wad("105"))


@pytest.mark.parametrize(("inventory", "up", "due"), [(PLAIN, False, wad("65")), (SHORT, True, wad("135"))])
@pytest.mark.parametrize("spare", [wad("4000"), 100, 0])
def test_a_giver_is_due_until_its_group_is_below_zero(inventory: Footing, up: bool, due: int, spare: int) -> None:
    """Where 6,000 are lost it is due, as long as the group has anything: with 100 wei to spare or none there alone."""
    giver = replace(inventory, others=(spare - wad("14000"),))
    assert runway(giver, up=up).drawdown == due
    beyond = due + (1 if up else -1)
    assert is_drawdown_due(giver, beyond) is (spare > 100)


def test_no_mark_is_below_a_wei() -> None:
    """At a mark of 0 a long from 95 would have lost 19,000; at 1 wei 200 wei less, at 2 wei 400."""
    half = replace(PLAIN, trigger=wad("0.5"), balance=wad("38000"))
    assert runway(half, up=False).drawdown is None
    assert runway(replace(half, balance=wad("38000") - 400), up=False).drawdown == 1


def test_no_mark_is_beyond_128_bits() -> None:
    """Of a wei of contracts a whole of the price is lost for each, up."""
    whole = -(-(2**128) // WAD)
    crumb = replace(PLAIN, long=(0, 0), short=(-1, 0), trigger=wad("0.5"))
    lost = whole - 95
    assert runway(replace(crumb, balance=2 * lost), up=True).drawdown == (whole - 1) * WAD + 1
    assert runway(replace(crumb, balance=2 * lost + 1), up=True).drawdown is None


SIZES = st.integers(0, 10**6 * WAD)
AMOUNTS = st.integers(-(10**7) * WAD, 10**7 * WAD)


@st.composite
def footings(draw: st.DrawFn) -> Footing:
    mark = draw(st.integers(1, 10**5 * WAD))
    sides = []
    for sign in (1, -1):
        size = draw(SIZES)
        sides.append((sign * size, sign * size * draw(st.integers(1, 10**5 * WAD)) // WAD))
    result = draw(AMOUNTS)
    trigger = draw(st.integers(WAD // 20, WAD * 9 // 10))
    return Footing(
        mark=mark,
        long=sides[0],
        short=sides[1] if draw(st.booleans()) else (0, 0),
        result=result,
        peak=result + draw(st.integers(0, 10**6 * WAD)),
        balance=draw(AMOUNTS),
        other_losses=draw(st.integers(0, 10**6 * WAD)),
        trigger=trigger,
        stop=draw(st.integers(WAD // 20, trigger)),
        started=draw(st.booleans()),
        loses_elsewhere=draw(st.booleans()),
        others=draw(st.none() | st.tuples(AMOUNTS) | st.tuples(AMOUNTS, AMOUNTS)),
    )


@settings(deadline=None)
@given(footing=footings(), up=st.booleans(), between=st.lists(st.integers(1, 2**64), max_size=5))
def test_it_is_due_there_and_not_before(footing: Footing, up: bool, between: list[int]) -> None:
    """At the mark that is told it is due, and at none nearer; where none is told, nowhere."""
    reach = runway(footing, up=up)
    step = 1 if up else -1
    for price, is_due in ((reach.drawdown, is_drawdown_due), (reach.depletion, is_depletion_due)):
        if not (footing.long[0] or footing.short[0]):
            assert price is None
            continue
        if price is not None:
            assert is_due(footing, price)
            assert (price - footing.mark) * step >= 0
            if price != footing.mark:
                assert not is_due(footing, price - step)
        far = abs((price if price is not None else (2**100 if up else 1)) - footing.mark)
        for part in between:
            nearer = footing.mark + step * (far * part // 2**65)
            # Where both sides hold inventory, roundings of single wei may lie before it.
            if nearer != price and not (footing.long[0] and footing.short[0]):
                assert not is_due(footing, nearer)


@pytest.mark.parametrize("up", [False, True])
def test_a_crumb_has_no_way_either(up: bool) -> None:
    crumb = replace(PLAIN, long=(1, 95), short=(0, 0))
    assert runway(crumb, up=up) == Runway(None, None)
