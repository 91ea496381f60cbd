"""When the drawdown of a market makes ADL due: `InsuranceFund.backing`, to the wei."""

from __future__ import annotations

import pytest

from backstop.deployment.pool_terms import PoolKind
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import act
from tests.support.desk import Desk, create_pool, open_desk
from tests.support.enums import Side, Trigger

# 1,000 contracts opened at 100 with a margin of 1,000, so that each unit beyond 99 or 101 costs the pool 1,000.
SIDES = pytest.mark.parametrize("direction", [1, -1], ids=["long", "short"])
WEI = pytest.mark.parametrize("wei", [-1, 0, 1], ids=["a wei below", "at it", "a wei above"])


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A pool of 20,000."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    return desk


def inherit(desk: Desk, direction: int, *, wei: int = 0) -> None:
    """The pool inherits the contracts while they are worth what it pays for them, plus or minus a wei."""
    desk.inherit("icarus", direction * 1000, 100, 1000, 100 - direction, wei=wei)


def lose(desk: Desk, direction: int, thousands: int) -> None:
    """The price at which the inventory has lost so much."""
    desk.price(100 - direction * (1 + thousands))


@SIDES
@WEI
def test_trigger(desk: Desk, direction: int, wei: int) -> None:
    """30 % of 20,000 are 6,000."""
    inherit(desk, direction, wei=wei)
    lose(desk, direction, 6)
    backing = desk.backing()
    assert backing.loss == wad(6000) + wei
    assert (backing.base, backing.balance, backing.pnl) == (wad(20_000), wad(14_000) - wei, wad(-6000) - wei)
    assert backing.drawdownDue is (wei >= 0)
    assert not backing.started
    terms = desk.terms(Side.LONG if direction > 0 else Side.SHORT)
    assert terms.trigger == (Trigger.NONE if wei < 0 else Trigger.DRAWDOWN)
    assert terms.compensation == (0 if wei < 0 else wad(1000) + wei)


@SIDES
@WEI
def test_stop(desk: Desk, direction: int, wei: int) -> None:
    """Once started it goes on above 25 %, which is 5,000; the target is there too, so the last wei is the price."""
    side = Side.LONG if direction > 0 else Side.SHORT
    inherit(desk, direction, wei=wei)
    lose(desk, direction, 7)
    desk.checkpoint()
    assert desk.backing().started
    lose(desk, direction, 5)
    assert desk.backing().drawdownDue is (wei > 0)
    terms = desk.terms(side)
    assert terms.compensation == max(0, wei)
    if wei > 0:
        mark = wad(100 - 6 * direction)
        assert terms.price == terms.executionPrice == mark + direction


@SIDES
def test_between_stop_and_trigger_without_a_start(desk: Desk, direction: int) -> None:
    inherit(desk, direction)
    desk.price(str(100 - direction * 6.99999999))
    assert not desk.backing().drawdownDue
    assert desk.terms(Side.LONG if direction > 0 else Side.SHORT).trigger == Trigger.NONE


@pytest.mark.parametrize(
    ("trigger", "stop", "loss"), [("0.05", "0.05", 1), ("0.9", "0.05", 18), ("0.9", "0.9", 18), ("0.35", "0.3", 7)]
)
@WEI
def test_every_trigger(desk: Desk, trigger: str, stop: str, loss: int, wei: int) -> None:
    bounds = wad(trigger), wad(stop), wad(stop)
    act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, *bounds)
    inherit(desk, 1, wei=wei)
    lose(desk, 1, loss)
    assert desk.backing().drawdownDue is (wei >= 0)


def test_the_drawdown_shown_is_floored(desk: Desk) -> None:
    inherit(desk, 1, wei=-1)
    lose(desk, 1, 6)
    assert desk.backing().drawdown == wad("0.3") - 1
    desk.price(99)
    desk.contribute(1000)
    lose(desk, 1, 2)
    assert desk.backing().drawdown == (wad(2000) - 1) * 10**18 // wad(21_000) == wad("0.095238095238095238")


def test_loss_counts_from_the_peak(desk: Desk) -> None:
    """A result of +2,000 that somebody sampled; the loss from there is 6,000 when the market itself is 4,000 down."""
    inherit(desk, 1)
    desk.contribute(2000, to_market=True)
    desk.checkpoint()
    lose(desk, 1, 6)
    backing = desk.backing()
    assert (backing.pnl, backing.maxPnl, backing.loss) == (wad(-4000), wad(2000), wad(6000))
    assert (backing.base, backing.drawdownDue) == (wad(22_000), False)
    lose(desk, 1, 7)
    assert desk.backing().drawdownDue


def test_a_gain_of_the_other_side_does_not_make_up_for_a_loss(desk: Desk) -> None:
    """Long and short of a market are never netted: what the short would earn counts nothing until it is closed."""
    inherit(desk, 1)
    desk.inherit("midas", -1000, 90, 1000, 91, against="kraken")
    desk.price(90)
    backing = desk.backing()
    assert (backing.longLoss, backing.shortLoss) == (wad(9000), 0)
    assert backing.loss == wad(9000)


def test_both_sides_lose(desk: Desk) -> None:
    """Long from 99 and short from 91: at 95 either has lost 4,000."""
    inherit(desk, 1)
    desk.inherit("midas", -1000, 90, 1000, 91, against="kraken")
    desk.price(95)
    backing = desk.backing()
    assert (backing.longLoss, backing.shortLoss, backing.loss) == (wad(4000), wad(4000), wad(8000))
    assert backing.balance == wad(12_000)


def test_an_empty_pool_has_no_drawdown(venue: Venue) -> None:
    empty = open_desk(venue, "LUNA-USD", 100)
    inherit(empty, 1)
    lose(empty, 1, 50)
    backing = empty.backing()
    assert (backing.balance, backing.base, backing.drawdown) == (wad(-50_000), 0, 0)
    assert (backing.loss, backing.drawdownDue) == (wad(50_000), False)


@WEI
def test_a_base_of_next_to_nothing(venue: Venue, wei: int) -> None:
    """One unit of the token is base enough for a drawdown of very much."""
    poor = open_desk(venue, "LUNA-USD", 100)
    poor.contribute("0.000001")
    inherit(poor, 1, wei=wei)
    lose(poor, 1, 1)
    backing = poor.backing()
    assert (backing.base, backing.drawdownDue) == (10**12, True)
    assert backing.drawdown == (wad(1000) + wei) * 10**18 // 10**12


# ---------------------------------------------------------------------- pools of several markets


def shared(venue: Venue, *names: str) -> list[Desk]:
    """Markets of one new pool that holds 20,000."""
    pool = create_pool(venue, "majors", PoolKind.SHARED)
    desks = [open_desk(venue, name, 100, pool=pool) for name in names]
    desks[0].contribute(20_000)
    return desks


def test_markets_of_a_pool_share_its_base(venue: Venue) -> None:
    """4,000 and 5,000 lost of 20,000: together 45 %, but neither is at 30 %."""
    first, second = shared(venue, "A-USD", "B-USD")
    for each, thousands in ((first, 4), (second, 5)):
        inherit(each, 1)
        lose(each, 1, thousands)
    assert [each.backing().drawdown for each in (first, second)] == [wad("0.2"), wad("0.25")]
    for each in (first, second):
        backing = each.backing()
        assert (backing.balance, backing.base, backing.drawdownDue) == (wad(11_000), wad(20_000), False)


@WEI
def test_one_market_of_a_pool_is_due(venue: Venue, wei: int) -> None:
    first, second = shared(venue, "A-USD", "B-USD")
    inherit(first, 1)
    lose(first, 1, 4)
    inherit(second, -1, wei=wei)
    lose(second, -1, 6)
    assert [each.backing().drawdownDue for each in (first, second)] == [False, wei >= 0]
    assert first.terms(Side.LONG).trigger == Trigger.NONE
    assert second.terms(Side.SHORT).compensation == (wad(1000) + wei if wei >= 0 else 0)


def test_a_pool_knows_nothing_of_another(desk: Desk, venue: Venue) -> None:
    """Market B is ruined: the pool of market A is as it was."""
    inherit(desk, 1)
    lose(desk, 1, 5)
    before = desk.backing(), desk.fund.pool(desk.market.pool), desk.fund.claim(desk.market.pool)
    other = open_desk(venue, "LUNA-USD", 100)
    other.contribute(1000)
    other.inherit("phaethon", 1000, 100, 1000, 99, against="kraken")
    other.price(1)
    other.checkpoint()
    assert (desk.backing(), desk.fund.pool(desk.market.pool), desk.fund.claim(desk.market.pool)) == before
