"""An outage of the L2's sequencer in which prices gap: nobody acts before all could, and then ADL runs to its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from ape import project

from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import act, emitted, now, refused, wait_until
from tests.support.desk import FLAT, Account, Desk, open_desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes

UP, DOWN = 0, 1
GRACE = 3600
# At 80 icarus was bankrupt at 88.75 and the pool has lost 7,000 of 20,000: 2,000 are due, and the price is 82.5.
# dove is below its maintenance margin there, but can be helped; owl is long too, and flat enough.
BOOK = """
    hawk    -300 100  3000
    swift   -600  90  5400
    whale    300 100 60000
    icarus   800  90  1000
    dove      10 100   220
    owl       -5 100   500
    heron     -5 100   500
    crow    -200  90  6000
"""


class Outage:
    """The sequencer's feed and the calls that need a price."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.owner = desk, desk.venue.owner
        self.feed = self.owner.deploy(project.MockAggregator, 0, UP)
        act(self.owner, desk.price_feed.setSequencer, self.feed.address, GRACE)
        self._report(UP, now() - 2 * GRACE)

    def _report(self, status: int, since: int) -> None:
        act(self.owner, self.feed.setRound, 1, status, since, 1)

    def begins(self) -> None:
        self._report(DOWN, now())

    def ends(self) -> int:
        """When it is up again."""
        since = now()
        self._report(UP, since)
        return since

    def down(self) -> AbstractContextManager[None]:
        return refused(self.desk.price_feed.SequencerDown)

    def grace(self, since: int) -> AbstractContextManager[None]:
        return refused(self.desk.price_feed.SequencerGrace, startedAt=since, grace=GRACE)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The book at 90, its price accepted: nobody is in need."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    desk.seat(BOOK)
    act(desk.trader("keeper"), desk.price_feed.accept, desk.market.id)
    return desk


@pytest.fixture
def outage(desk: Desk) -> Outage:
    return Outage(desk)


def nobody_acts(desk: Desk, reason: Callable[[], AbstractContextManager[None]]) -> None:
    """Trades, withdrawals and liquidations have no price; at the last accepted one nothing is due."""
    whale, hawk, dove, icarus = (desk.trader(name) for name in ("whale", "hawk", "dove", "icarus"))
    with nothing_changes(desk.venue):
        with reason():
            desk.trade(whale, hawk, wad(1), wad(80))
        with reason():
            act(whale, desk.exchange.withdraw, desk.account(whale), 1, whale.address)
        with reason():
            desk.liquidate(dove, by=whale)
        with refused(
            desk.exchange.TakeoverNotDue,
            account=desk.account(icarus),
            equity=wad(1000),
            maintenanceMargin=wad(360),
        ):
            desk.take_over(icarus)
        with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
            desk.deleverage(Side.LONG, [hawk])


def test_after_an_outage_and_a_gap_the_grace_rule_holds_and_adl_completes(desk: Desk, outage: Outage) -> None:
    hawk, swift, icarus, dove, crow = (desk.trader(name) for name in ("hawk", "swift", "icarus", "dove", "crow"))
    outage.begins()
    desk.price(80)
    nobody_acts(desk, outage.down)
    wait_until(now() + 5 * GRACE)
    since = outage.ends()
    desk.price(80)

    # Up again, but not for all yet: who is in need has the time to help themselves, and does.
    nobody_acts(desk, lambda: outage.grace(since))
    desk.deposit(dove, 100)
    desk.price(80, at=since + GRACE - 100)
    with outage.grace(since):
        desk.trade(desk.trader("whale"), hawk, wad(1), wad(80), at=since + GRACE)

    # The first second behind it: takeover at the gapped price, and the rounds to the end.
    (taken,) = emitted(desk.take_over(icarus, at=since + GRACE + 1), desk.exchange.TakenOver)
    assert (taken["mark"], taken["equity"]) == (wad(80), wad(-7000))
    assert desk.holding(icarus) == FLAT
    assert desk.backing().drawdown == wad("0.35")
    done = desk.deleverage(Side.LONG, [crow, swift, hawk])
    assert {each["price"] for each in emitted(done, desk.engine.Deleveraged)} == {wad("82.5")}
    assert desk.inventory(Side.LONG) == (0, 0)
    assert emitted(done, desk.fund.ADLEnded) == [{"market": desk.market.id, "drawdown": wad("0.25")}]
    assert (desk.backing().balance, desk.backing().drawdownDue) == (wad(15_000), False)
    assert desk.holding(hawk) == Account(0, 0, wad(8250))
    # Who was helped in time is no longer due; 10 from 100 at 80 with 320 have 120.
    with refused(
        desk.exchange.LiquidationNotDue, account=desk.account(dove), equity=wad(120), maintenanceMargin=wad(4)
    ):
        desk.liquidate(dove, by=desk.trader("whale"))


def test_what_was_due_before_an_outage_waits_for_its_end(desk: Desk, outage: Outage) -> None:
    """Taken over before, deleveraged after: a round has no price meanwhile, and none in the grace period."""
    hawk, swift = desk.trader("hawk"), desk.trader("swift")
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    outage.begins()
    with nothing_changes(desk.venue), outage.down():
        desk.deleverage(Side.LONG, [hawk, swift])
    since = outage.ends()
    desk.price(80, at=since + GRACE - 100)
    with outage.grace(since):
        desk.deleverage(Side.LONG, [hawk, swift], at=since + GRACE)
    desk.deleverage(Side.LONG, [hawk, swift], at=since + GRACE + 1)
    assert desk.inventory(Side.LONG) == (0, 0)
    assert desk.backing().drawdown == wad("0.25")


def test_an_outage_alone_makes_nothing_due(desk: Desk, outage: Outage) -> None:
    """Prices that come back to where they were leave everybody as they were, whatever they did meanwhile."""
    outage.begins()
    desk.price(40)
    wait_until(now() + GRACE)
    since = outage.ends()
    desk.price(90, at=since + GRACE - 10)
    wait_until(since + GRACE + 1)
    with refused(
        desk.exchange.TakeoverNotDue,
        account=desk.account(desk.trader("icarus")),
        equity=wad(1000),
        maintenanceMargin=wad(360),
    ):
        desk.take_over(desk.trader("icarus"))
    assert desk.backing().loss == 0
