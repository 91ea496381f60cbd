"""`flag`: who is near liquidation, as anyone may show; and `health`, by which it is judged."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.account_id import isolated_account
from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, refused, wait_until
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.proofs import nothing_changes

HUNDRED = wad(100)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100 where the initial margin, 6 %, is near the maintenance margin, 5 %: E = IM is a rate of 5/6."""
    desk = open_desk(venue, "TIGHT-USD", 100, initial="0.06", maintenance="0.05")
    desk.deposit(desk.trader("whale"), 100_000)
    return desk


def flag(desk: Desk, who: Any) -> Done:
    return act(desk.trader("stranger"), desk.exchange.flag, desk.account(who))


def one_contract(desk: Desk, equity: int, sign: int = 1) -> Any:
    """A contract whose equity at 100, where MM is 5 and IM 6, is this much."""
    desk.price(100 + 20 * sign)
    margin = 30
    trader = desk.open("trader", sign * wad(1), HUNDRED + sign * (wad(margin) - equity), margin)
    desk.price(100)
    assert desk.equity(trader) == equity
    return trader


def not_due(desk: Desk, who: Any, equity: int) -> Any:
    return refused(
        desk.exchange.MarginCallNotDue,
        account=desk.account(who),
        equity=equity,
        maintenanceMargin=wad(5),
        initialMargin=wad(6),
    )


def is_low(desk: Desk, who: Any) -> bool:
    """What a page is told."""
    return bool(desk.lens.account(desk.account(who)).isLow)


# ---------------------------------------------------------------------- when it is due


@pytest.mark.parametrize("sign", [1, -1], ids=["long", "short"])
def test_at_the_warning_rate_and_beyond(desk: Desk, sign: int) -> None:
    """MM / E = 80 % at E = 6.25."""
    trader = one_contract(desk, wad("6.25"), sign)
    with nothing_changes(desk.venue), not_due(desk, trader, wad("6.25")):
        flag(desk, trader)
    assert not is_low(desk, trader)


@pytest.mark.parametrize("sign", [1, -1], ids=["long", "short"])
def test_one_wei_beyond_the_warning_rate(desk: Desk, sign: int) -> None:
    trader = one_contract(desk, wad("6.25") - 1, sign)
    with nothing_changes(desk.venue):
        done = flag(desk, trader)
    assert emitted(done, desk.exchange.MarginCalled) == [
        {
            "account": desk.account(trader),
            "equity": wad("6.25") - 1,
            "maintenanceMargin": wad(5),
            "initialMargin": wad(6),
        }
    ]
    assert len(done.logs) == 1
    assert is_low(desk, trader)


@pytest.mark.parametrize(("equity", "due"), [(wad(6), False), (wad(6) - 1, True)])
def test_below_the_initial_margin_whatever_the_rate(desk: Desk, equity: int, due: bool) -> None:
    """With a warning rate of 1 the rate alone would not be enough before E is below MM."""
    act(desk.venue.owner, desk.exchange.setWarningRate, wad(1))
    trader = one_contract(desk, equity)
    assert is_low(desk, trader) == due
    if due:
        assert len(emitted(flag(desk, trader), desk.exchange.MarginCalled)) == 1
    else:
        with not_due(desk, trader, equity):
            flag(desk, trader)


@pytest.mark.parametrize(("rate", "edge"), [("0.5", "10"), ("0.2", "25")])
def test_the_owner_moves_the_warning_rate(desk: Desk, rate: str, edge: str) -> None:
    trader = desk.open("trader", wad(1), HUNDRED, edge)
    act(desk.venue.owner, desk.exchange.setWarningRate, wad(rate))
    with not_due(desk, trader, wad(edge)):
        flag(desk, trader)
    act(desk.venue.owner, desk.exchange.setWarningRate, wad(rate) - 1)
    assert len(emitted(flag(desk, trader), desk.exchange.MarginCalled)) == 1


@pytest.mark.parametrize("equity", [wad(5), wad(4), 1, 0, -1, -wad(5)])
def test_who_is_liquidated_or_bankrupt_is_flagged_too(desk: Desk, equity: int) -> None:
    trader = one_contract(desk, equity)
    (event,) = emitted(flag(desk, trader), desk.exchange.MarginCalled)
    assert event["equity"] == equity
    assert is_low(desk, trader)


def test_again_and_again(desk: Desk) -> None:
    trader = one_contract(desk, wad(6))
    with nothing_changes(desk.venue):
        for _ in range(2):
            assert len(emitted(flag(desk, trader), desk.exchange.MarginCalled)) == 1


@pytest.mark.parametrize("margin", [0, 100])
def test_an_account_without_positions(desk: Desk, margin: int) -> None:
    saver = desk.trader("saver")
    if margin:
        desk.deposit(saver, margin)
    for who in (desk.account(saver), desk.cross("saver").id):
        held = wad(margin) if who == desk.account(saver) else 0
        with refused(desk.exchange.MarginCallNotDue, account=who, equity=held, maintenanceMargin=0, initialMargin=0):
            flag(desk, who)
        assert not desk.lens.account(who).isLow


# ---------------------------------------------------------------------- by what it is judged


def test_a_cross_account_by_the_sum(desk: Desk, venue: Venue) -> None:
    a, b = open_shared(venue, "A-USD", "B-USD")
    swan = a.cross("swan")
    a.deposit(swan, 201)
    for each in (a, b):
        each.deposit(each.trader("whale"), 10_000)
        each.trade(each.trader("whale"), swan, wad(10), HUNDRED)
    a.price(80)
    b.price(120)
    # The loss of one is the gain of the other: 201 of IM 80 + 120.
    with (
        nothing_changes(venue),
        refused(
            a.exchange.MarginCallNotDue,
            account=swan.id,
            equity=wad(201),
            maintenanceMargin=wad(100),
            initialMargin=wad(200),
        ),
    ):
        flag(a, swan)
    b.price("119.8")
    (event,) = emitted(flag(a, swan), a.exchange.MarginCalled)
    assert (event["equity"], event["initialMargin"]) == (wad(199), wad("199.8"))


def test_funding_that_is_owed_counts(desk: Desk) -> None:
    desk.set_parameters(funding_cap=wad("0.01"))
    desk.price(100)
    hour = desk.priced_at() // 3600 + 1
    desk.price(100, at=3600 * hour)
    trader = desk.trader("trader")
    desk.deposit(trader, "6.75")
    desk.trade(desk.trader("whale"), trader, wad(1), wad("100.5"))
    with not_due(desk, trader, wad("6.25")):
        flag(desk, trader)
    desk.price(100, at=3600 * (hour + 1))
    (event,) = emitted(flag(desk, trader), desk.exchange.MarginCalled)
    assert event["equity"] == wad("5.75")


def test_health_is_what_it_says(desk: Desk) -> None:
    trader = one_contract(desk, wad("6.2"))
    health = desk.exchange.health(desk.account(trader))
    assert tuple(health) == (wad(30), wad("6.2"), wad("-23.8"), wad(5), wad(6))
    state = desk.lens.account(desk.account(trader))
    assert state.health == health
    assert state.marginRate == wad(5) * 10**18 // wad("6.2")


def test_the_margin_rate_of_a_page(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.deposit(saver, 1)
    assert desk.lens.account(desk.account(saver)).marginRate == 0
    assert desk.lens.account(desk.account(one_contract(desk, 0))).marginRate == 2**256 - 1


def test_a_small_margin_rate_is_at_least_a_wei(desk: Desk) -> None:
    saver = desk.trader("saver")
    desk.deposit(saver, 10**6)
    desk.trade(desk.trader("whale"), saver, 1, HUNDRED)
    assert desk.lens.account(desk.account(saver)).marginRate == 1


def test_it_needs_a_price_where_there_is_a_position(desk: Desk) -> None:
    trader, saver = one_contract(desk, wad(6)), desk.trader("saver")
    desk.deposit(saver, 1)
    updated = desk.priced_at()
    wait_until(updated + HEARTBEAT + 1)
    stale = {"market": desk.market.id, "updatedAt": updated, "heartbeat": HEARTBEAT}
    with nothing_changes(desk.venue), refused(desk.price_feed.PriceStale, **stale):
        flag(desk, trader)
    with refused(
        desk.exchange.MarginCallNotDue,
        account=desk.account(saver),
        equity=wad(1),
        maintenanceMargin=0,
        initialMargin=0,
    ):
        flag(desk, saver)
    # A page still shows it, at the last accepted price: 120, as it was opened.
    assert desk.lens.account(desk.account(trader)).health.equity == wad(26)


def test_accounts_that_can_not_be(desk: Desk) -> None:
    who = desk.trader("stranger")
    unlisted = desk.exchange.marketCount() + 1
    malformed = (1).to_bytes(32, "big")
    with refused(desk.exchange.MarketUnlisted, market=unlisted):
        flag(desk, isolated_account(who.address, unlisted))
    with refused(desk.exchange.AccountMalformed, account=malformed):
        flag(desk, malformed)
