"""Cross accounts: which markets they may hold, one margin for all of them, withdrawal, liquidation."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, later, refused, wait_until
from tests.support.desk import FLAT, Account, Cross, Desk, open_shared
from tests.support.proofs import nothing_changes

TEN = wad(10)
HUNDRED = wad(100)


@pytest.fixture
def majors(venue: Venue) -> list[Desk]:
    """Three markets at 100, 10x, mmf 5 %, of one shared pool; in each of them whale trades with everybody."""
    desks = open_shared(venue, "A-USD", "B-USD", "C-USD")
    for each in desks:
        each.deposit(each.trader("whale"), 100_000)
    return desks


def legs_of(desk: Desk, cross: Cross) -> list[int]:
    """The markets of a cross account, as the exchange lists them."""
    word = desk.exchange.crossAccount(cross.id).legs
    return [word >> 16 * i & 0xFFFF for i in range(16) if word >> 16 * i]


def take(desk: Desk, who: Any, contracts: int, price: int = HUNDRED) -> None:
    """Somebody takes signed contracts from whale."""
    desk.trade(desk.trader("whale"), who, contracts, price)


# ---------------------------------------------------------------------- which markets


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_legs_are_kept_in_market_order(majors: list[Desk], order: tuple[int, ...]) -> None:
    swan = majors[0].cross("swan")
    majors[0].deposit(swan, 300)
    for i in order:
        take(majors[i], swan, TEN)
    assert legs_of(majors[0], swan) == [each.market.id for each in majors]
    for i in order:
        take(majors[i], swan, -TEN)
        assert majors[i].market.id not in legs_of(majors[0], swan)
    assert legs_of(majors[0], swan) == []
    assert majors[0].holding(swan) == Account(0, 0, wad(300))


def test_sixteen_markets(venue: Venue) -> None:
    desks = open_shared(venue, *(f"M{i}-USD" for i in range(16)))
    swan = desks[0].cross("swan")
    desks[0].deposit(swan, 16 * 10)
    for each in reversed(desks):
        each.deposit(each.trader("whale"), 1000)
        take(each, swan, wad(1))
    assert legs_of(desks[0], swan) == [each.market.id for each in desks]
    health = desks[0].exchange.health(swan.id)
    assert (health.equity, health.initialMargin, health.maintenanceMargin) == (wad(160), wad(160), wad(80))
    # A pool has no seventeenth, so it is one of another pool.
    (other,) = open_shared(venue, "X-USD")
    other.deposit(other.trader("whale"), 1000)
    desks[0].deposit(swan, 10)
    with nothing_changes(venue), refused(other.exchange.LegsExceeded, account=swan.id, most=16):
        take(other, swan, wad(1))
    # The first, the last and one between.
    for i in (0, 15, 7):
        take(desks[i], swan, -wad(1))
    assert legs_of(desks[0], swan) == [each.market.id for i, each in enumerate(desks) if i not in (0, 15, 7)]


def test_a_market_of_another_pool(majors: list[Desk], venue: Venue) -> None:
    (other,) = open_shared(venue, "X-USD")
    swan = other.cross("swan")
    other.deposit(swan, 300)
    other.deposit(other.trader("whale"), 1000)
    take(majors[0], swan, TEN)
    with (
        nothing_changes(venue),
        refused(other.exchange.LegOfOtherPool, account=swan.id, market=other.market.id, pool=other.market.pool),
    ):
        take(other, swan, TEN)
    # Once it holds nothing it may choose again.
    take(majors[0], swan, -TEN)
    take(other, swan, TEN)
    assert legs_of(other, swan) == [other.market.id]


def test_a_market_whose_pool_stands_behind_it_alone(majors: list[Desk], venue: Venue, market: TestMarket) -> None:
    alone = Desk(venue, market)
    swan = alone.cross("swan")
    alone.deposit(swan, 300)
    alone.deposit(alone.trader("whale"), 1000)
    for held in (0, 1):
        if held:
            take(majors[0], swan, TEN)
        with nothing_changes(venue), refused(alone.exchange.MarketIsolatedOnly, market=market.id):
            take(alone, swan, TEN)


def test_isolated_accounts_trade_in_a_shared_pools_markets_too(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = a.trader("swan")
    a.deposit(swan, 100)
    take(a, swan, TEN)
    assert a.holding(swan) == Account(TEN, wad(1000), wad(100))
    assert b.holding(swan) == FLAT


def test_a_flip_keeps_the_leg(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = a.cross("swan")
    a.deposit(swan, 300)
    take(b, swan, TEN)
    take(a, swan, TEN)
    take(a, swan, -2 * TEN)
    assert legs_of(a, swan) == [a.market.id, b.market.id]
    assert a.holding(swan) == Account(-TEN, wad(-1000), wad(300))


def test_listed_once_and_in_each_market(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan, second = a.cross("swan"), a.cross("swan", 1)
    for who in (swan, second, swan):
        a.deposit(who, 100)
    take(a, swan, wad(1))
    take(b, swan, wad(1))
    take(b, swan, -wad(1))
    take(b, swan, wad(1))
    rows = a.lens.crossAccounts(0, 10)
    assert [(bytes(row.account), row.margin) for row in rows] == [(swan.id, wad(200)), (second.id, wad(100))]
    assert [bytes(row.account) for row in a.lens.crossAccounts(1, 10)] == [second.id]
    assert a.lens.crossAccounts(2, 10) == []
    for each in (a, b):
        listed = [bytes(row.account) for row in each.lens.accounts(each.market.id, 0, 10)]
        assert listed == [each.account(each.trader("whale")), swan.id]


# ---------------------------------------------------------------------- one margin


def test_margin_is_shared(majors: list[Desk]) -> None:
    """200 carry 10 contracts of each of two markets, and not a wei more of a third."""
    a, b, c = majors
    swan = a.cross("swan")
    a.deposit(swan, 200)
    take(a, swan, TEN)
    take(b, swan, -TEN)
    assert (a.holding(swan), b.holding(swan)) == (
        Account(TEN, wad(1000), wad(200)),
        Account(-TEN, -wad(1000), wad(200)),
    )
    with (
        nothing_changes(a.venue),
        refused(a.exchange.InitialMarginInsufficient, account=swan.id, equity=wad(200), required=wad(200) + 10),
    ):
        take(c, swan, 1 * 1)
    assert a.exchange.position(swan.id, a.market.id).margin == 0
    assert a.exchange.crossAccount(swan.id).margin == wad(200)


def test_profit_of_one_leg_opens_another(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = a.cross("swan")
    a.deposit(swan, 100)
    take(a, swan, TEN)
    a.price(120)
    # E = 300, IM = 120 of A: 180 for 18 of B.
    with refused(a.exchange.InitialMarginInsufficient, account=swan.id, equity=wad(300), required=wad(301)):
        take(b, swan, wad("18.1"))
    take(b, swan, wad(18))
    health = a.exchange.health(swan.id)
    assert tuple(health) == (wad(100), wad(300), 0, wad(150), wad(300))


def test_a_loss_of_one_leg_binds_the_others(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = a.cross("swan")
    a.deposit(swan, 250)
    take(a, swan, TEN)
    take(b, swan, TEN)
    a.price(90)
    # E = 150, IM = 90 + 100: nothing may grow, and whatever shrinks must not worsen the margin rate.
    with refused(a.exchange.InitialMarginInsufficient, account=swan.id, equity=wad(150), required=wad("190.1")):
        take(b, swan, wad("0.01"))
    take(b, swan, -wad(5))
    health = a.exchange.health(swan.id)
    assert tuple(health) == (wad(250), wad(150), wad(-100), wad(70), wad(140))


def test_reducing_a_leg_must_not_worsen_the_whole_accounts_margin_rate(majors: list[Desk]) -> None:
    """A small leg sold far below mark costs more than the margin that it frees."""
    a, b, _ = majors
    swan = a.cross("swan")
    a.deposit(swan, 150)
    take(a, swan, TEN)
    take(b, swan, wad(1))
    # MM/E is 55/150. Without the leg MM is 50: E may fall to 136.36…, so the contract may be sold at 86.37, not 86.36.
    worse = {"account": swan.id, "equity": wad("136.36"), "maintenanceMargin": wad(50)}
    with nothing_changes(a.venue), refused(a.exchange.MarginRateWorse, **worse):
        take(b, swan, -wad(1), wad("86.36"))
    take(b, swan, -wad(1), wad("86.37"))
    assert legs_of(a, swan) == [a.market.id]


def test_who_is_bankrupt_in_sum_trades_in_no_market(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = a.cross("swan")
    a.deposit(swan, 200)
    take(a, swan, TEN)
    take(b, swan, TEN)
    a.price(80)
    for each in majors:
        with refused(a.exchange.AccountBankrupt, account=swan.id, equity=0):
            take(each, swan, -wad(1), each.mark())


# ---------------------------------------------------------------------- withdrawal


def test_profit_of_no_leg_is_withdrawn_and_losses_of_all_count(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = a.cross("swan")
    a.deposit(swan, 300)
    take(a, swan, TEN)
    take(b, swan, TEN)
    a.price(110)
    b.price(95)
    # 300 - 50 of loss, less IM 110 + 95; the profit of 100 stays.
    with (
        nothing_changes(a.venue),
        refused(a.exchange.MarginInsufficient, account=swan.id, available=wad(205) - 10**12, required=wad(205)),
    ):
        act(swan, a.exchange.withdraw, swan.id, tokens(45) + 1, swan.address)
    later()
    done = act(swan, a.exchange.withdraw, swan.id, tokens(45), swan.address)
    assert emitted(done, a.exchange.Withdrawn) == [
        {"account": swan.id, "recipient": swan.address.lower(), "amount": tokens(45)}
    ]
    assert a.exchange.crossAccount(swan.id).margin == wad(255)
    assert a.exchange.crossAccount(swan.id).riskTime == done.timestamp


def test_a_flat_account_is_withdrawn_from_to_the_last_unit(majors: list[Desk]) -> None:
    a, *_ = majors
    swan = a.cross("swan")
    a.deposit(swan, 300)
    act(swan, a.exchange.withdraw, swan.id, tokens(300), swan.address)
    assert a.exchange.crossAccount(swan.id).margin == 0
    assert a.token.balanceOf(swan.address) == tokens(300)


def test_nobody_else_withdraws(majors: list[Desk]) -> None:
    a, *_ = majors
    swan, thief = a.cross("swan"), a.trader("thief")
    a.deposit(swan, 300)
    with nothing_changes(a.venue), refused(a.exchange.NotAccountOwner, account=swan.id, caller=thief.address):
        act(thief, a.exchange.withdraw, swan.id, 1, thief.address)


# ---------------------------------------------------------------------- liquidation


def sinking(majors: list[Desk], other: int = 5) -> Cross:
    """Long 10 of A, now at 91.5, and 5 of B, from 100 on 150: E = 65 of MM 45.75 + 25 and IM 91.5 + 50."""
    a, b, _ = majors
    swan = a.cross("swan")
    a.deposit(swan, 100 + 10 * other)
    take(a, swan, TEN)
    take(b, swan, wad(other))
    for each in (a, b):
        each.deposit(each.trader("liquidator"), 10_000)
    a.price("91.5")
    return swan


def test_it_is_due_by_the_sum(majors: list[Desk]) -> None:
    """E = 10 p - 850 and MM = 25 + p / 2 meet at 92.105263157…; A alone has lost nearly 80 of 150 there."""
    a, b, _ = majors
    swan = sinking(majors)
    a.price("92.10526316")
    due = {"account": swan.id, "equity": wad("71.0526316"), "maintenanceMargin": wad("71.05263158")}
    for each in (a, b):
        with nothing_changes(a.venue), refused(a.exchange.LiquidationNotDue, **due):
            each.liquidate(swan, by=each.trader("liquidator"))
    a.price("92.10526315")
    b.liquidate(swan, 1, by=b.trader("liquidator"))
    a.liquidate(swan, 1, by=a.trader("liquidator"))


@pytest.mark.parametrize("leg", [0, 1], ids=["the losing leg", "the other leg"])
def test_either_leg_may_be_liquidated(majors: list[Desk], leg: int) -> None:
    a, b, _ = majors
    swan = sinking(majors)
    each = majors[leg]
    before = a.exchange.health(swan.id)
    assert (before.equity, before.maintenanceMargin, before.initialMargin) == (wad(65), wad("70.75"), wad("141.5"))
    (event,) = emitted(each.liquidate(swan, by=each.trader("liquidator")), a.exchange.Liquidated)
    mark = each.mark()
    # ceil((141.5 - 65) / (mark * (0.1 - 0.025))), at most the leg.
    shortfall = before.initialMargin - before.equity
    needed = min(-(-shortfall * 1000 * 10**18 // (mark * 75)), (TEN, wad(5))[leg])
    assert (event["market"], event["size"], event["mark"]) == (each.market.id, needed, mark)
    # The penalty is 2.5 % of the notional, or what is closed of the leg's share of the equity.
    held = (TEN, wad(5))[leg]
    share = before.equity * (mark * held // 10**18 // 20) // before.maintenanceMargin
    penalty = min(needed * mark // 40 // 10**18, share * needed // held)
    assert event["discount"] + event["fee"] == penalty
    after = a.exchange.health(swan.id)
    assert after.equity == before.equity - penalty
    # Neither leg alone is enough, so it is closed whole.
    assert needed == held
    assert legs_of(a, swan) == [(b, a)[leg].market.id]
    assert each.holding(each.trader("liquidator")).size == needed
    # Never worse: MM'/E' <= MM/E.
    assert after.maintenanceMargin * before.equity <= before.maintenanceMargin * after.equity


def test_a_liquidation_of_the_losing_leg_restores_the_accounts_initial_margin(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = sinking(majors, other=2)
    a.price("92.5")
    before = a.exchange.health(swan.id)
    assert (before.equity, before.maintenanceMargin, before.initialMargin) == (wad(45), wad("56.25"), wad("112.5"))
    (event,) = emitted(a.liquidate(swan, by=a.trader("liquidator")), a.exchange.Liquidated)
    # 67.5 / (92.5 * 0.075) = 9.72972972972972972972…, up; 2.5 % of 900 is 22.5.
    assert event["size"] == wad("9.72972972972972973")
    after = a.exchange.health(swan.id)
    assert (after.equity, after.initialMargin) == (wad("22.5"), wad("22.5") - 2)
    assert legs_of(a, swan) == [a.market.id, b.market.id]


def test_a_leg_that_it_does_not_hold(majors: list[Desk]) -> None:
    *_, c = majors
    swan = sinking(majors)
    c.deposit(c.trader("liquidator"), 100)
    with nothing_changes(c.venue), refused(c.exchange.PositionMissing, account=swan.id):
        c.liquidate(swan, by=c.trader("liquidator"))


def test_onto_a_cross_account(majors: list[Desk]) -> None:
    a, *_ = majors
    swan, crow = sinking(majors), a.cross("crow")
    a.deposit(crow, 500)
    (event,) = emitted(a.liquidate(swan, by=crow), a.exchange.Liquidated)
    assert event["liquidator"] == crow.id
    assert a.holding(crow) == Account(event["size"], event["value"], wad(500))
    assert legs_of(a, crow) == [a.market.id]


def test_not_onto_itself_but_onto_another_of_its_owner(majors: list[Desk]) -> None:
    a, *_ = majors
    swan, second = sinking(majors), a.cross("swan", 1)
    with nothing_changes(a.venue), refused(a.exchange.LiquidationOfSelf, account=swan.id):
        a.liquidate(swan, by=swan)
    a.deposit(second, 500)
    before = a.exchange.health(swan.id).equity + a.exchange.health(second.id).equity
    (event,) = emitted(a.liquidate(swan, by=second), a.exchange.Liquidated)
    after = a.exchange.health(swan.id).equity + a.exchange.health(second.id).equity
    assert -event["fee"] - 2 <= after - before <= -event["fee"]


def test_inventory_is_bought_onto_a_cross_account(majors: list[Desk]) -> None:
    a, b, _ = majors
    a.inherit("icarus", 10, 100, 100, 91, against="kraken")
    crow = a.cross("crow")
    a.deposit(crow, 300)
    take(b, crow, TEN)
    done = a.buy(0, by=crow)  # type: ignore[arg-type]
    (event,) = emitted(done, a.exchange.InventoryBought)
    assert (event["buyer"], event["size"]) == (crow.id, TEN)
    assert a.holding(crow) == Account(TEN, event["value"], wad(300))
    assert legs_of(a, crow) == [a.market.id, b.market.id]


# ---------------------------------------------------------------------- a dead feed of one leg


def test_a_dead_leg_stops_what_its_owner_and_liquidators_do(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = sinking(majors)
    updated = b.priced_at()
    wait_until(updated + 3601)
    a.price("91.5")
    stale = {"market": b.market.id, "updatedAt": updated, "heartbeat": 3600}
    for attempt in (
        lambda: take(a, swan, -wad(1), wad("91.5")),
        lambda: act(swan, a.exchange.withdraw, swan.id, 1, swan.address),
        lambda: act(swan, a.exchange.transfer, swan.id, a.account(swan.signer), 1),
        lambda: a.liquidate(swan, by=a.trader("liquidator")),
        lambda: act(a.trader("keeper"), a.exchange.flag, swan.id),
        lambda: take(b, swan, -wad(1)),
    ):
        with nothing_changes(a.venue), refused(a.price_feed.PriceStale, **stale):
            attempt()
    # More margin is always welcome.
    a.deposit(swan, 1)


def test_a_dead_feed_where_it_holds_nothing_stops_nothing(majors: list[Desk]) -> None:
    a, b, c = majors
    swan = sinking(majors)
    wait_until(c.priced_at() + 3601)
    a.price("91.5")
    b.price(100)
    a.liquidate(swan, wad(1), by=a.trader("liquidator"))
    take(b, swan, -wad(1))
