"""A market that has ended beside others: of one pool, and in one cross account."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.adl.ranking import rank
from backstop.chain.snapshot import read_chain
from backstop.keeper.duties import take_overs
from backstop.keeper.liquidations import weak_accounts
from backstop.math.liquidation import contracts_to_restore
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.contracts.endings import HUNDRED, close, open_ending, settle, state_of, traders, wait_for_settlement
from tests.support.acting import emitted, refused
from tests.support.deficits import withdraw
from tests.support.desk import Desk, open_shared
from tests.support.enums import Side, Trigger
from tests.support.proofs import assert_proofs, nothing_changes
from tests.support.stakers import fresh


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 10x, mmf 5 %, in a pool of its own that is empty."""
    return open_ending(venue)


@pytest.fixture(scope="module")
def pair(venue: Venue, desk: Desk) -> list[Desk]:
    """Two markets at 100, 10x, in a shared pool of 1,000."""
    desks = open_shared(venue, "ENDS-USD", "LASTS-USD")
    desks[0].contribute(1000)
    for each in desks:
        each.deposit(each.trader("whale"), 10_000)
    return desks


def test_the_other_markets_of_a_pool_go_on(venue: Venue, pair: list[Desk]) -> None:
    ends, lasts = pair
    hawk = ends.open("hawk", wad(10), HUNDRED, 500)
    lark = lasts.open("lark", wad(10), HUNDRED, 500)
    ends.price("110")
    close(ends)
    wait_for_settlement(ends)
    fresh(lasts)
    before = tuple(lasts.exchange.market(lasts.market.id)), lasts.backing(), lasts.holding(lark)
    settle(ends, hawk, ends.trader("whale"))
    assert (tuple(lasts.exchange.market(lasts.market.id)), lasts.backing(), lasts.holding(lark)) == before
    assert ends.holding(hawk).margin == wad(600)
    lasts.trade(lasts.trader("whale"), lark, -wad(10), HUNDRED)
    assert lasts.open_interest() == ends.open_interest() == 0


def test_a_cross_account_keeps_its_other_legs(pair: list[Desk]) -> None:
    """Its equity is the same before and after; with the other feed dead it is judged at the last price there."""
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 500)
    for each, contracts in ((ends, 10), (lasts, -5)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    ends.price("104")
    close(ends)
    wait_for_settlement(ends)  # the other feed is dead by now
    equity = ends.exchange.health(squid.id).equity
    assert equity == wad(540)
    settle(ends, squid)
    assert ends.exchange.health(squid.id).equity == equity
    assert ends.holding(squid).size == 0
    assert lasts.holding(squid).size == -wad(5)
    assert (ends.exchange.market(ends.market.id).crossHolders, lasts.exchange.market(lasts.market.id).crossHolders) == (
        0,
        1,
    )
    fresh(lasts)
    lasts.trade(lasts.trader("whale"), squid, wad(5), HUNDRED)
    withdraw(ends, squid, tokens(540))


def test_a_bankrupt_cross_account_is_taken_over_whole(pair: list[Desk]) -> None:
    """The loss is in the market that goes on; the leg of the ended one passes to the pool with it."""
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 300)
    for each, contracts in ((ends, 10), (lasts, 10)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    close(ends)
    wait_for_settlement(ends)
    lasts.price("60")
    done = settle(ends, squid)
    assert [each["market"] for each in emitted(done, ends.exchange.TakenOver)] == [ends.market.id, lasts.market.id]
    assert ends.inventory(Side.LONG)[0] == lasts.inventory(Side.LONG)[0] == wad(10)


def test_a_cross_account_is_judged_by_the_legs_that_move(venue: Venue, pair: list[Desk]) -> None:
    """While it has equity the ended leg asks for no takeover; the other one does, and takes both with it."""
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 300)
    for each, contracts in ((ends, 10), (lasts, 10)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    close(ends)
    lasts.price("74")  # an equity of 40, MM of 50 and 37
    error = {"account": squid.id, "equity": wad(40), "maintenanceMargin": wad(37)}
    with nothing_changes(venue), refused(ends.exchange.TakeoverNotDue, **error):
        ends.take_over(squid)
    assert not take_overs(read_chain(venue.endpoint, venue.deployment))
    with refused(ends.exchange.MarketClosed, market=ends.market.id):
        ends.liquidate(squid, by=ends.trader("whale"))
    lasts.price("71.8")  # 18, and half of 35.9 is 17.95
    with refused(ends.exchange.TakeoverNotDue, account=squid.id, equity=wad(18), maintenanceMargin=wad("35.9")):
        ends.take_over(squid)
    lasts.price("71.7")  # 17, and half of 35.85 is 17.925
    assert len(take_overs(read_chain(venue.endpoint, venue.deployment))) == 1
    ends.take_over(squid)
    assert ends.inventory(Side.LONG)[0] == wad(10)


def test_an_ended_leg_gets_nobody_liquidated_elsewhere(venue: Venue, pair: list[Desk]) -> None:
    """Squid has 80 where the leg that moves asks for 39: not due, although the ended one would ask for 50 more."""
    ends, lasts = pair
    squid = open_two_legs(ends, lasts)
    close(ends)
    whale = lasts.trader("whale")
    lasts.price("78")
    with (
        nothing_changes(venue),
        refused(ends.exchange.LiquidationNotDue, account=squid.id, equity=wad(80), maintenanceMargin=wad(39)),
    ):
        lasts.liquidate(squid, by=whale)
    state = state_of(lasts)
    assert not weak_accounts(state)
    # 300 - 10 * (100 - p) = 0.05 * 10 * p, in the lens and in the queue.
    ended, open_leg = ends.lens.account(squid.id).legs
    assert (ended.liquidationPrice, open_leg.liquidationPrice) == (0, -(-wad(700) * 2 // 19))
    places = [rank(state.snapshot, each.market.name, "long")[0].liquidation_price for each in pair]
    assert places == [None, open_leg.liquidationPrice]


def test_a_liquidation_restores_what_the_open_legs_ask_for(pair: list[Desk]) -> None:
    """At 73 squid has 30: 6.5 below the MM of the leg that moves, and 43 below its IM. The keeper says the same."""
    ends, lasts = pair
    lasts.set_parameters(liquidation_discount=wad("0.01"), liquidation_fee=wad("0.01"))
    squid = open_two_legs(ends, lasts)
    close(ends)
    lasts.price("73")
    (weak,) = weak_accounts(state_of(lasts))
    assert (weak.equity, weak.maintenance_margin, weak.shortfall) == (wad(30), wad("36.5"), wad(43))
    (leg,) = weak.legs
    assert (leg.market, leg.size) == (lasts.market.name, wad(10))
    # By the part of the equity that a takeover would give the leg: 36.5 of 86.5.
    assert leg.share == wad(30) * wad("36.5") // wad("86.5")
    needed = contracts_to_restore(wad(10), wad(73), wad(43), wad("0.1"), wad("0.02"))
    assert wad(7) < needed < wad(8)
    lasts.liquidate(squid, by=lasts.trader("whale"))
    assert lasts.holding(squid).size == wad(10) - needed
    assert ends.exchange.health(squid.id).equity == wad(30) - leg.share * needed // wad(10)


def open_two_legs(ends: Desk, lasts: Desk) -> Any:
    """Squid's cross account with 300, long 10 from 100 in both markets."""
    squid = ends.cross("squid")
    ends.deposit(squid, 300)
    for each in (ends, lasts):
        each.trade(each.trader("whale"), squid, wad(10), HUNDRED)
    return squid


def test_a_settlement_exempts_nobody_from_a_challenge_elsewhere(pair: list[Desk]) -> None:
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 500)
    for each, contracts in ((ends, 10), (lasts, -5)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    close(ends)
    wait_for_settlement(ends)
    before = ends.exchange.crossAccount(squid.id).riskTime
    settle(ends, squid)
    assert ends.holding(squid).size == 0
    assert ends.exchange.crossAccount(squid.id).riskTime == before


@pytest.mark.parametrize("first", ["hawk", "dove"])
def test_what_stands_against_the_settled_is_not_asked_of_the_others(pair: list[Desk], first: str) -> None:
    """The pool bore what ruin lacked: whoever was settled against it, the other one pays nothing for a later loss."""
    ends, lasts = pair
    lose_in_the_ended(ends, lasts)
    settle(ends, ends.trader(first))
    lasts.price("80")
    lasts.take_over(lasts.trader("gull"))
    assert ends.fund.balanceOf(ends.market.pool) < 0
    assert ends.terms(Side.LONG).trigger == Trigger.NONE
    settle(ends, *traders(ends, "lark hawk dove"))
    assert [ends.holding(each).margin for each in traders(ends, "hawk dove")] == [wad(1200), wad(1200)]
    assert ends.open_interest() == 0
    lasts.deleverage(Side.LONG, [lasts.trader("whale")])
    assert_proofs(ends.venue)


def test_of_those_who_wait_a_round_takes_from_the_first_in_rank(pair: list[Desk]) -> None:
    """Nobody was settled against what the pool took over: the loss of another market makes a round due in both."""
    ends, lasts = pair
    lose_in_the_ended(ends, lasts)
    lasts.price("80")
    lasts.take_over(lasts.trader("gull"))
    with refused(ends.exchange.SettlementWaits, market=ends.market.id):
        settle(ends, *traders(ends, "lark hawk dove"))
    ends.deleverage(Side.LONG, traders(ends, "hawk dove"))
    lasts.deleverage(Side.LONG, [lasts.trader("whale")])
    settle(ends, *traders(ends, "lark hawk dove"))
    lower, upper = sorted(ends.holding(each).margin for each in traders(ends, "hawk dove"))
    assert lower < upper == wad(1200)
    assert_proofs(ends.venue)


SHORTS = """
    ruin   10  100 100
    lark   10  100 900
    hawk  -10  100 900
    dove  -10  100 900
"""


def lose_in_the_ended(ends: Desk, lasts: Desk) -> None:
    """Of the pool's 1,000 ruin has cost 200, which is no reason for a round; gull is long 100 in the other market."""
    ends.seat(SHORTS)
    lasts.deposit(lasts.trader("gull"), 1000)
    lasts.trade(lasts.trader("whale"), lasts.trader("gull"), wad(100), HUNDRED)
    ends.price("70")
    close(ends)
    ends.take_over(ends.trader("ruin"))
    wait_for_settlement(ends)
    fresh(lasts)
    assert not ends.backing().drawdownDue
