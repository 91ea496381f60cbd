"""The bankrupt of a market that has ended come first, so that everybody gets the same in any order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.endings import HUNDRED, close, open_ending, settle, traders, undone, wait_for_settlement
from tests.support.acting import emitted, refused
from tests.support.deficits import deficit, withdraw
from tests.support.desk import Desk
from tests.support.enums import Side, Trigger
from tests.support.proofs import assert_proofs, nothing_changes


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 10x, mmf 5 %, in a pool of its own that is empty."""
    return open_ending(venue)


RUIN = """
    ruin   10  100 100
    hawk   10  100 500
    dove  -10  100 900
    kite  -10  100 700
"""


@pytest.fixture
def ruined(desk: Desk) -> Desk:
    """Ruin is long 10 from 100 with 100, hawk long 10 with 500, dove and kite short; the mark is 85, the loss 50."""
    desk.seat(RUIN)
    desk.price("85")
    return desk


# What the pool has: enough; too little for its drawdown; nothing.
POOLS = {"borne by the pool": 1000, "a drawdown of 50 %": 100, "nothing in the pool": 0}


@pytest.mark.parametrize("capital", POOLS.values(), ids=list(POOLS))
def test_everybody_gets_the_same_in_every_order(ruined: Desk, capital: int) -> None:
    """Whoever comes first, and whether ruin is taken over before or in the same call: all end the same, to the wei."""
    desk = ruined
    if capital:
        desk.contribute(capital)
    close(desk)
    wait_for_settlement(desk)
    everybody = traders(desk, "ruin hawk dove kite")
    ends = set()
    for order in permutations(everybody):
        with undone():
            settle_one_by_one(desk, order)
            ends.add((*(desk.holding(each) for each in everybody), desk.pool_cash()))
            assert_proofs(desk.venue)
    if capital == 1000:
        ((*held, cash),) = ends
        assert [each.margin for each in held] == [0, wad(350), wad(1050), wad(850)]
        assert cash == wad(950)
        return
    # Who was settled before ruin was taken over has left the queue: see the next test. All who wait get the same.
    waiting = set()
    for order in permutations(everybody[1:]):
        with undone():
            desk.take_over(everybody[0])
            settle_one_by_one(desk, order)
            waiting.add((*(desk.holding(each) for each in everybody), desk.pool_cash()))
    assert len(waiting) == 1
    ((*held, cash),) = waiting
    target = capital - min(50, capital // 4) if capital else 0
    given = 50 - (capital - target)
    assert cash == wad(target)
    assert held[1].margin == wad(350)
    assert sum(each.margin for each in held[2:]) == wad(1900 - given)


def settle_one_by_one(desk: Desk, order: Sequence[Any]) -> None:
    """In this order; where a round is due it comes first, by a keeper that lists all who hold the other side."""
    for who in order:
        deleverage_if_due(desk)
        settle(desk, who)
    deleverage_if_due(desk)
    settle(desk)
    assert desk.open_interest() == 0


def deleverage_if_due(desk: Desk) -> None:
    for side in Side:
        if desk.terms(side).trigger:
            count, market = desk.exchange.accountCount(desk.market.id), desk.market.id
            sizes = {
                account: desk.exchange.position(account, market).size
                for account in (desk.exchange.accountAt(market, i) for i in range(count))
            }
            desk.deleverage(
                side, [account for account, size in sizes.items() if size and (size > 0) is (side is Side.SHORT)]
            )


def test_nobody_is_settled_while_a_round_is_due(venue: Venue, ruined: Desk) -> None:
    """Who has the profit cannot leave with it: the round comes first, and takes from the first in rank."""
    desk = ruined
    ruin, hawk, dove, kite = traders(desk, "ruin hawk dove kite")
    close(desk)
    desk.take_over(ruin)
    assert desk.terms(Side.LONG).trigger == Trigger.DEPLETION
    wait_for_settlement(desk)
    for who in ((dove,), (kite, dove), (hawk,), ()):
        with nothing_changes(venue), refused(desk.exchange.SettlementWaits, market=desk.market.id):
            settle(desk, *who)
    desk.deleverage(Side.LONG, [kite, dove])
    settle(desk, dove, kite, hawk)
    assert desk.open_interest() == 0
    assert [desk.holding(each).margin for each in (ruin, hawk, dove, kite)] == [0, wad(350), wad(1050), wad(800)]


def test_the_bankrupt_of_a_call_are_taken_over_and_the_others_wait(ruined: Desk) -> None:
    """The takeover stands although it is what makes the round due."""
    desk = ruined
    ruin, hawk, dove = traders(desk, "ruin hawk dove")
    close(desk)
    wait_for_settlement(desk)
    done = settle(desk, dove, ruin, hawk)
    assert len(emitted(done, desk.exchange.TakenOver)) == 1
    assert not emitted(done, desk.exchange.PositionSettled)
    assert (desk.holding(ruin).size, desk.holding(ruin).margin) == (0, 0)
    assert desk.holding(dove).size == -wad(10)
    with refused(desk.exchange.SettlementWaits, market=desk.market.id):
        settle(desk, dove)


def test_what_is_netted_at_a_loss_is_a_deficit(ruined: Desk) -> None:
    """Kite left while ruin lay there: what ruin lacks is not asked of dove, against whom hawk stands."""
    desk = ruined
    ruin, hawk, dove, kite = traders(desk, "ruin hawk dove kite")
    close(desk)
    wait_for_settlement(desk)
    settle(desk, kite)
    settle(desk, ruin)
    assert (desk.inventory(Side.LONG), desk.inventory(Side.SHORT)) == ((0, 0), (0, 0))
    assert deficit(desk) == wad(50)
    settle(desk, dove, hawk)
    assert [desk.holding(each).margin for each in (hawk, dove, kite)] == [wad(350), wad(1050), wad(850)]


def test_what_is_left_is_a_deficit_that_all_share(desk: Desk) -> None:
    """Ruin owes 500; who gained by it has left before the end, and who stands there in their place has 30.

    The round takes those 30, and the rest is open: whatever the order of withdrawals, each gets the same part.
    """
    ruin, fox, heir = traders(desk, "ruin fox heir")
    saver, other = traders(desk, "saver other")
    for who, margin in ((ruin, 100), (fox, 1000), (heir, 50), (saver, 3000), (other, 500)):
        desk.deposit(who, margin)
    desk.trade(fox, ruin, wad(10), HUNDRED)
    desk.price("50")
    desk.trade(heir, fox, wad(10), wad(50))
    close(desk)
    desk.take_over(ruin)
    wait_for_settlement(desk)
    with refused(desk.exchange.SettlementWaits, market=desk.market.id):
        settle(desk, heir)
    desk.deleverage(Side.LONG, [heir])
    settle(desk)
    assert desk.open_interest() == 0
    whole = deficit(desk)
    assert whole == wad(350)
    owners = (fox, heir, saver, other)
    claims = [desk.holding(each).margin for each in owners]
    paid = set()
    for order in permutations(range(len(owners))):
        with undone():
            got = dict.fromkeys(range(len(owners)), 0)
            for i in order:
                before = desk.token.balanceOf(owners[i].address)
                if claims[i]:
                    withdraw(desk, owners[i], claims[i] // 10**12)
                got[i] = desk.token.balanceOf(owners[i].address) - before
            paid.add(tuple(got[i] for i in range(len(owners))))
    # To a unit of the token for each withdrawal, by which a rate is rounded down.
    for i in range(len(owners)):
        parts = [each[i] for each in paid]
        assert max(parts) - min(parts) <= len(owners)
        assert all(part <= claims[i] // 10**12 for part in parts)
    assert all(sum(each) <= sum(claims) // 10**12 - whole // 10**12 + len(owners) for each in paid)


def test_what_netting_makes_good_is_asked_of_nobody(desk: Desk) -> None:
    """The pool is short 10 from 110 and long 10 from 90: at 80 it has 200, though depleted by the longs alone."""
    bull, ruin, hawk, lark = traders(desk, "bull ruin hawk lark")
    take_over_both_sides(desk, wad(10), wad(10))
    close(desk)
    desk.take_over(ruin)
    assert desk.terms(Side.LONG).trigger == Trigger.DEPLETION
    wait_for_settlement(desk)
    settle(desk, hawk, lark)
    assert [desk.holding(each).margin for each in (bull, ruin, hawk, lark)] == [0, 0, wad(1100), wad(700)]
    assert (desk.open_interest(), desk.pool_cash()) == (0, wad(200))
    assert_proofs(desk.venue)


def test_what_was_netted_stands_while_the_rest_waits_for_a_round(venue: Venue, desk: Desk) -> None:
    """Short 5 and long 20: the 5 bring 100, of the other 15 the 150 that they lose are 50 more than there is."""
    ruin, hawk, lark = traders(desk, "ruin hawk lark")
    take_over_both_sides(desk, wad(5), wad(20))
    close(desk)
    desk.take_over(ruin)
    assert desk.terms(Side.LONG).compensation == wad(200)
    wait_for_settlement(desk)
    done = settle(desk, hawk)
    assert [each["contracts"] for each in emitted(done, desk.fund.InventoryNetted)] == [wad(5)]
    assert desk.holding(hawk).size == -wad(20)
    assert (desk.inventory(Side.LONG)[0], desk.inventory(Side.SHORT)[0]) == (wad(15), 0)
    assert desk.terms(Side.LONG).compensation == wad(50)
    with nothing_changes(venue), refused(desk.exchange.SettlementWaits, market=desk.market.id):
        settle(desk, hawk)
    desk.deleverage(Side.LONG, [hawk])
    settle(desk, hawk, lark)
    # The price of the round is rounded for the pool: 1 for each of its 15 contracts at most.
    assert desk.holding(hawk).margin == wad(1250) - desk.pool_cash()
    assert 0 <= desk.pool_cash() <= 15


def take_over_both_sides(desk: Desk, short: int, long: int) -> None:
    """An empty pool is short from 110, ruin is long from 100 with a tenth; hawk and lark stand against them. At 80."""
    bull, ruin, hawk, lark = traders(desk, "bull ruin hawk lark")
    for who, margin in ((bull, short // 10**17), (ruin, long // 10**17), (hawk, 900), (lark, 900)):
        desk.deposit(who, margin)
    desk.trade(lark, bull, -short, HUNDRED)
    desk.price("107.6")
    desk.take_over(bull)
    desk.price(100)
    desk.trade(hawk, ruin, long, HUNDRED)
    desk.price(80)
