"""Pools that back each other: a group of three, whose sum decides what is due, and what redistribution moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from backstop.math.fund import redistribute
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, now, refused
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Item, Side, Trigger
from tests.support.proofs import nothing_changes
from tests.support.stakers import Stakers, fresh, open_group

NINE_HOURS = 9 * 3600
ZERO = "0x" + "0" * 40
WEI = pytest.mark.parametrize("wei", [-1, 0, 1], ids=["sum of a wei", "sum at zero", "sum a wei below"])

Group = list[Desk]


@pytest.fixture(scope="module")
def group(venue: Venue, market: TestMarket) -> Group:
    """Of three: the first has nothing, the others 600 and 400."""
    return open_group(venue, {"A-USD": 0, "B-USD": 600, "C-USD": 400})


def balances(group: Group) -> list[int]:
    """As the fund tells them, by id; each pool says the same of itself."""
    members, found = group[0].fund.group()
    assert members == [each.market.pool for each in group]
    assert found == [each.fund.balanceOf(each.market.pool) for each in group]
    return list(found)


def lose(desk: Desk, amount: int, *, wei: int = 0) -> None:
    """Its pool takes over 100 contracts from 90 that have lost so much and some wei."""
    desk.inherit("icarus", 100, 100, 1000, 90 - Decimal(amount) / 100, wei=wei)


def lapse(group: Group) -> None:
    """What was lost so far is nobody's drawdown any more; prices stay."""
    for each in group:
        each.checkpoint()
    fresh(*group, at=now() + NINE_HOURS)
    for each in group:
        each.checkpoint()


def judged(group: Group) -> list[Any]:
    """What is due in each market, and on what terms."""
    return [(each.backing().drawdownDue, *(tuple(each.terms(side)) for side in Side)) for each in group]


def redistribute_now(desk: Desk, by: str = "stranger") -> Done:
    return act(desk.trader(by), desk.fund.redistribute)


# ---------------------------------------------------------------------- the sum


@WEI
def test_what_the_sum_decides(group: Group, wei: int) -> None:
    """The first has lost 1,000 for longer than the window: the group carries that up to what it has."""
    first = group[0]
    lose(first, 1000, wei=wei)
    lapse(group)
    assert balances(group) == [wad(-1000) - wei, wad(600), wad(400)]
    terms = first.terms(Side.LONG)
    if wei <= 0:
        assert (terms.trigger, terms.compensation, terms.price) == (Trigger.NONE, 0, 0)
        with refused(first.engine.ADLNotDue, market=first.market.id, side=Side.LONG):
            first.deleverage(Side.LONG, [first.trader("whale")])
    else:
        assert (terms.trigger, terms.compensation, terms.price) == (Trigger.DEPLETION, 1, wad(80) + 1)
    before = judged(group)
    if wei < 0:
        with nothing_changes(first.venue), refused(first.fund.RedistributionNotDue):
            redistribute_now(first)
        return
    done = redistribute_now(first)
    assert [
        (each["pool"], each["market"], each["item"], each["amount"]) for each in emitted(done, first.fund.Entered)
    ] == [
        (group[0].market.pool, 0, Item.REDISTRIBUTION, wad(1000)),
        (group[1].market.pool, 0, Item.REDISTRIBUTION, wad(-600)),
        (group[2].market.pool, 0, Item.REDISTRIBUTION, wad(-400)),
    ]
    assert balances(group) == [-wei, 0, 0]
    assert judged(group) == before
    with refused(first.fund.RedistributionNotDue):
        redistribute_now(first)


def test_gifts_are_pro_rata_to_deficits_and_the_last_has_the_remainder(group: Group) -> None:
    """600 over deficits of 300 and a wei, and of 700: 180 and a bit, the rest."""
    first, _, third = group
    third.contribute("0.000001")
    lose(first, 300, wei=1)
    lose(third, 1100)
    lapse(group)
    before = balances(group)
    assert before == [wad(-300) - 1, wad(600), wad(-700) + 10**12]
    gift = wad(600) * (wad(300) + 1) // (wad(1000) + 1 - 10**12)
    assert gift * (wad(1000) + 1 - 10**12) != wad(600) * (wad(300) + 1)
    redistribute_now(first)
    assert balances(group) == [before[0] + gift, 0, before[2] + wad(600) - gift] == redistribute(before)


def test_a_round_redistributes_first(group: Group) -> None:
    """1,500 are lost and 1,000 are there: the round is due for 500, as if somebody had redistributed before."""
    first = group[0]
    lose(first, 1500)
    lapse(group)
    terms = first.terms(Side.LONG)
    assert (terms.trigger, terms.compensation, terms.price) == (Trigger.DEPLETION, wad(500), wad(80))
    done = first.deleverage(Side.LONG, [first.trader("whale")])
    assert [each["amount"] for each in emitted(done, first.fund.Entered) if each["item"] == Item.REDISTRIBUTION] == [
        wad(1000),
        wad(-600),
        wad(-400),
    ]
    assert balances(group) == [0, 0, 0]


def test_both_triggers_are_judged_from_the_balances_after_it(group: Group) -> None:
    """Just after a loss of 1,500: it stands at -500 with a base of 1,000, so drawdown asks for more than depletion."""
    first = group[0]
    lose(first, 1500)
    backing, terms = first.backing(), first.terms(Side.LONG)
    assert (backing.balance, backing.base, backing.loss) == (wad(-1500), wad(1000), wad(1500))
    assert (terms.trigger, terms.compensation) == (Trigger.DRAWDOWN, wad(1250))
    before = judged(group)
    redistribute_now(first)
    assert judged(group) == before


# ---------------------------------------------------------------------- givers


def test_a_giver_s_drawdown_rests_until_the_group_is_whole(group: Group) -> None:
    """The second has lost 40 % itself; while it gives that is not due, before and after; then it is again."""
    first, second, _ = group
    lose(second, 240)
    assert second.backing().drawdownDue
    lose(first, 1000)
    assert balances(group) == [wad(-1000), wad(360), wad(400)]
    assert not second.backing().drawdownDue
    with refused(second.engine.ADLNotDue, market=second.market.id, side=Side.LONG):
        second.deleverage(Side.LONG, [second.trader("whale")])
    redistribute_now(first)
    assert balances(group) == [wad(-240), 0, 0]
    assert (second.backing().base, second.backing().drawdownDue) == (wad(240), False)
    first.price("82.39999999")
    assert (balances(group)[0], second.backing().drawdownDue) == (-(10**12), False)
    first.price("82.4")
    assert (balances(group)[0], second.backing().drawdownDue) == (0, True)


def test_a_sum_of_exactly_zero_leaves_all_whole(group: Group) -> None:
    """Nobody is below zero after the giving, so nobody's trigger rests, and that is so before it as well."""
    first, second, _ = group
    lose(second, 240)
    lose(first, 760)
    assert balances(group) == [wad(-760), wad(360), wad(400)]
    before = judged(group)
    assert second.backing().drawdownDue
    redistribute_now(first)
    assert balances(group) == [0, 0, 0]
    assert judged(group) == before


def test_the_memory_of_a_giver_s_trigger_is_kept(group: Group) -> None:
    """It started, then rested: at 27 % it goes on, where it would not start."""
    first, second, _ = group
    second.inherit("midas", 100, 100, 1000, 88)
    second.checkpoint()
    assert second.backing().drawdownDue
    lose(first, 1000)
    second.price("88.38")
    second.checkpoint()
    assert (second.backing().drawdownDue, second.fund.seen(second.market.id).reason) == (False, Trigger.DRAWDOWN)
    first.price(90)
    assert (second.backing().drawdown, second.backing().drawdownDue) == (wad("0.27"), True)


def test_stakes_and_exits_wait_while_a_member_is_depleted(group: Group) -> None:
    first, second, third = group
    stakers = Stakers(third)
    stakers.stake("ann", 100)
    ripe = stakers.request_exit("ann")
    fresh(first, at=ripe)
    lose(first, 1)
    bob = stakers.fill_purse("bob", 10)
    for desk in (first, second, third):
        with refused(first.fund.PoolDepleted, pool=first.market.pool):
            act(bob, Stakers(desk).shares.deposit, 1, bob.address)
        assert Stakers(desk).shares.maxDeposit(ZERO) == 0
    with refused(first.fund.PoolDepleted, pool=first.market.pool):
        stakers.settle_exit("ann")
    first.price(90)
    with refused(first.fund.PoolDepleted, pool=first.market.pool):  # at zero with inventory
        stakers.settle_exit("ann")
    first.contribute("0.000001")
    act(bob, stakers.shares.deposit, 1, bob.address)
    assert stakers.settle_exit("ann") == tokens(100) - 1


def test_a_stake_may_not_lift_a_depleted_group(group: Group) -> None:
    """Nor does one who would leave find the door open: what a giver has is all asked for."""
    first, _, third = group
    stakers = Stakers(third)
    stakers.stake("ann", 100)
    lose(first, 2000)
    assert (stakers.assets(), stakers.worth("ann")) == (0, 0)
    with refused(first.fund.StakeWhileADLDue, pool=first.market.pool, market=first.market.id):
        act(Stakers(first).fill_purse("bob", 1), Stakers(first).shares.deposit, 1, ZERO)


def test_what_shares_are_worth_while_the_group_carries(group: Group) -> None:
    """1,000 of 1,100 are carried by those who have 600 and 500, pro rata: they have 54 and 45 left, rounded down."""
    first, second, third = group
    for desk in (second, third):
        Stakers(desk).stake("ann", 100)
    first.contribute(100)
    lose(first, 1100)
    assert balances(group) == [wad(-1000), wad(700), wad(500)]
    assert [Stakers(each).assets() for each in group] == [
        0,
        tokens(700) - -(-tokens(7000) // 12),
        tokens(500) - -(-tokens(5000) // 12),
    ]


# ---------------------------------------------------------------------- beginning and end


def test_adl_begins_and_ends_with_the_sum(group: Group) -> None:
    """The first has lost 900 of 1,000 for long; the third's inventory decides whether the others can carry that."""
    first, _, third = group
    fund, market_id = first.fund, first.market.id
    lose(first, 900)
    third.inherit("midas", 100, 100, 1000, 90)
    lapse(group)
    assert fund.seen(market_id).reason == Trigger.NONE
    third.price("88.99999999")
    done = first.checkpoint()
    assert emitted(done, fund.ADLStarted) == [{"market": market_id, "reason": Trigger.DEPLETION, "drawdown": 0}]
    assert fund.seen(market_id).reason == Trigger.DEPLETION
    third.price("89.00000001")
    done = first.checkpoint()
    assert emitted(done, fund.ADLEnded) == [{"market": market_id, "drawdown": 0}]


def test_a_gift_to_any_member_ends_it(group: Group) -> None:
    first, _, third = group
    lose(first, 1100)
    lapse(group)
    assert first.terms(Side.LONG).trigger == Trigger.DEPLETION
    third.contribute(100)
    assert first.terms(Side.LONG).trigger == Trigger.NONE
    third.contribute("0.000001")
    with refused(first.fund.RedistributionNotDue):
        redistribute_now(first)


# ---------------------------------------------------------------------- everybody else


def test_pools_outside_the_group_keep_every_wei(group: Group, venue: Venue) -> None:
    own = open_desk(venue, "OWN-USD", 100)
    shared = open_shared(venue, "S-USD", "T-USD")
    for each in (own, *shared):
        each.contribute(5000)
        each.inherit("midas", 10, 100, 100, 85, against="kraken")

    def standing() -> list[Any]:
        fund = venue.system.fund
        return [
            (
                tuple(fund.pool(pool)),
                tuple(fund.items(pool)),
                fund.balanceOf(pool),
                fund.claim(pool),
                fund.assetsOf(pool),
            )
            for pool in (own.market.pool, shared[0].market.pool)
        ] + judged([own, *shared])

    before = standing()
    lose(group[0], 1500)
    redistribute_now(group[0])
    assert standing() == before
    group[0].deleverage(Side.LONG, [group[0].trader("whale")])
    assert standing() == before


def test_a_giver_with_inventory_is_not_wiped_out(group: Group) -> None:
    """It has given all its cash, but its inventory may still gain: its shares stay."""
    first, second, _ = group
    stakers = Stakers(second)
    stakers.stake("ann", 100)
    second.inherit("midas", 100, 100, 1000, 90)
    lose(first, 2000)
    redistribute_now(first)
    assert (balances(group)[1], second.pool_cash()) == (0, 0)
    with refused(second.fund.SharesNotWorthless, pool=stakers.pool):
        act(second.venue.owner, second.fund.renewShares, stakers.pool)
    # One without any is.
    empty = Stakers(group[2])
    with refused(second.fund.SharesNotWorthless, pool=empty.pool):
        act(second.venue.owner, second.fund.renewShares, empty.pool)


# ---------------------------------------------------------------------- a dead feed of a member


def test_a_dead_feed_of_a_member(group: Group) -> None:
    """It counts at its last price less 0.5 %, as everywhere; ADL by it does not begin, and nobody stakes or leaves.

    100 contracts from 90 at 85 have lost 500, and 42.5 more while the feed is dead.
    """
    first, second, third = group
    first.contribute(1000)
    stakers = Stakers(third)
    stakers.stake("ann", 100)
    ripe = stakers.request_exit("ann")
    fresh(first, at=ripe)
    lose(first, 500)
    act(first.venue.owner, first.market.feed.setAnswer, 0)
    assert balances(group) == [wad("457.5"), wad(600), wad(500)]
    bob = stakers.fill_purse("bob", 10)
    for desk in (second, third):
        with refused(first.fund.StakeWithoutPrice, pool=desk.market.pool, market=first.market.id):
            act(bob, Stakers(desk).shares.deposit, 1, bob.address)
    with refused(first.fund.ExitWithoutPrice, pool=third.market.pool, market=first.market.id):
        stakers.settle_exit("ann")
    first.price(85)
    assert stakers.settle_exit("ann") == tokens(100) - 1
