"""The guardian's pause: what it stops, for how long, how often, and all that it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.orders import sign
from scripts.stage.venue import Venue, tokens, wad
from tests.support.acting import Done, act, emitted, now, refused, wait_until
from tests.support.deficits import deficit, open_deficit
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Side
from tests.support.omissions import challenge, names, open_queue, rounded
from tests.support.proofs import nothing_changes
from tests.support.stakers import COOLDOWN, Stakers, fresh, open_group

ZERO = "0x" + "0" * 40
DAY = 86_400
MAX_PAUSE, REST = 3 * DAY, 7 * DAY
HUNDRED = wad(100)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: Any) -> Desk:
    """A market at 100, 10x; bull is long 10 and bear short 10, and both have 1,000; idle has 1,000 and no position."""
    desk = open_desk(venue, "CALM-USD", 100, initial="0.1", maintenance="0.05")
    for name in ("bull", "bear", "idle"):
        desk.deposit(desk.trader(name), 1000)
    desk.trade(desk.trader("bear"), desk.trader("bull"), wad(10), HUNDRED)
    act(venue.owner, desk.exchange.setGuardian, desk.trader("guardian").address)
    return desk


def pause(desk: Desk, by: str = "guardian", *, at: int | None = None) -> Done:
    return act(desk.trader(by), desk.exchange.pause, at=at)


def end_pause(desk: Desk, who: Any) -> Done:
    return act(who, desk.exchange.endPause)


# ---------------------------------------------------------------------- who, how long, how often


def test_a_guardian_is_set(desk: Desk) -> None:
    heir = desk.trader("heir").address
    done = act(desk.venue.owner, desk.exchange.setGuardian, heir)
    assert emitted(done, desk.exchange.GuardianSet) == [{"guardian": heir.lower()}]
    assert desk.exchange.guardian() == heir
    with refused(desk.exchange.CallerNotGuardian, caller=desk.trader("guardian").address):
        pause(desk)
    act(desk.venue.owner, desk.exchange.setGuardian, ZERO)
    for name in ("heir", "guardian"):
        with refused(desk.exchange.CallerNotGuardian, caller=desk.trader(name).address):
            pause(desk, name)


def test_a_pause_has_its_time(desk: Desk) -> None:
    assert (desk.exchange.MAX_PAUSE(), desk.exchange.PAUSE_REST()) == (MAX_PAUSE, REST)
    assert desk.exchange.pausedUntil() == 0
    until = now() + 60 + MAX_PAUSE
    done = pause(desk, at=until - MAX_PAUSE)
    assert emitted(done, desk.exchange.Paused) == [{"until": until}]
    assert desk.exchange.pausedUntil() == until


def test_it_ends_by_itself(desk: Desk) -> None:
    pause(desk)
    until = desk.exchange.pausedUntil()
    bull, idle = desk.trader("bull"), desk.trader("idle")
    fresh(desk, at=until - 2)
    made = desk.order(idle, -wad(1), HUNDRED, expiry=until + DAY)
    taken = desk.order(bull, wad(1), HUNDRED, expiry=until + DAY)
    signatures = desk.signed(made, idle), desk.signed(taken, bull)
    with refused(desk.exchange.NewRiskPaused, account=desk.account(idle), until=until):
        desk.settle(made, taken, wad(1), signatures, by=idle, at=until - 1)
    desk.settle(made, taken, wad(1), signatures, by=idle, at=until)
    assert desk.holding(idle).size == -wad(1)


@pytest.mark.parametrize("by", ["guardian", "owner"])
def test_it_is_ended_before(desk: Desk, by: str) -> None:
    who = desk.venue.owner if by == "owner" else desk.trader("guardian")
    with refused(desk.exchange.NotPaused):
        end_pause(desk, who)
    pause(desk)
    done = end_pause(desk, who)
    assert emitted(done, desk.exchange.PauseEnded) == [{"by": who.address.lower()}]
    assert desk.exchange.pausedUntil() == done.timestamp
    desk.trade(desk.trader("idle"), desk.trader("bull"), wad(1), HUNDRED)
    with refused(desk.exchange.NotPaused):
        end_pause(desk, who)


@pytest.mark.parametrize("ended", [False, True])
def test_pauses_are_not_chained(desk: Desk, ended: bool) -> None:
    """Not during one, nor until it has been over for a week, however it ended."""
    pause(desk)
    if ended:
        end_pause(desk, desk.trader("guardian"))
    rests = desk.exchange.pausedUntil() + REST
    assert rests == now() + (0 if ended else MAX_PAUSE) + REST
    for moment in (now() + 1, desk.exchange.pausedUntil() + 1, rests - 1):
        with refused(desk.exchange.PauseRests, until=rests):
            pause(desk, at=moment)
    assert pause(desk, at=rests).timestamp == rests
    assert desk.exchange.pausedUntil() == rests + MAX_PAUSE


def test_nor_by_another_guardian(desk: Desk) -> None:
    """Who replaces the guardian does not end a pause, nor the rest after it."""
    pause(desk)
    until = desk.exchange.pausedUntil()
    act(desk.venue.owner, desk.exchange.setGuardian, desk.trader("heir").address)
    assert desk.exchange.pausedUntil() == until
    with refused(desk.exchange.PauseRests, until=until + REST):
        pause(desk, "heir")
    with refused(desk.exchange.CallerNotGuardian, caller=desk.trader("guardian").address):
        end_pause(desk, desk.trader("guardian"))
    end_pause(desk, desk.trader("heir"))


# ---------------------------------------------------------------------- what it stops


# Who takes how many contracts from whom, and who of them is refused: the maker is judged first.
STOPPED = {
    "both open": ("idle", "other", 1, "idle"),
    "the maker opens, the taker reduces": ("idle", "bear", 1, "idle"),
    "the taker opens, the maker reduces": ("bull", "idle", 1, "idle"),
    "both grow": ("bear", "bull", 1, "bear"),
    "the taker grows, the maker reduces": ("bull", "small", 1, "small"),
    "the maker flips": ("bull", "bear", 11, "bull"),
    "the taker flips": ("bull", "small", -10, "small"),
}


@pytest.fixture
def seated(desk: Desk) -> Desk:
    """Beside the others small is long 1 against bear, and other has 1,000."""
    desk.deposit(desk.trader("other"), 1000)
    desk.deposit(desk.trader("small"), 1000)
    desk.trade(desk.trader("bear"), desk.trader("small"), wad(1), HUNDRED)
    return desk


@pytest.mark.parametrize("case", STOPPED)
def test_new_risk_of_either_side(seated: Desk, case: str) -> None:
    maker, taker, contracts, culprit = STOPPED[case]
    desk = seated
    if case == "the taker flips":  # which the maker must only reduce by
        maker = "bear"
    pause(desk)
    with (
        nothing_changes(desk.venue),
        refused(
            desk.exchange.NewRiskPaused, account=desk.account(desk.trader(culprit)), until=desk.exchange.pausedUntil()
        ),
    ):
        desk.trade(desk.trader(maker), desk.trader(taker), wad(contracts), HUNDRED)
    end_pause(desk, desk.trader("guardian"))
    desk.trade(desk.trader(maker), desk.trader(taker), wad(contracts), HUNDRED)


@pytest.mark.parametrize("contracts", [1, 10])
def test_who_only_reduces_goes_on(desk: Desk, contracts: int) -> None:
    """In part, and whole."""
    pause(desk)
    desk.trade(desk.trader("bull"), desk.trader("bear"), wad(contracts), HUNDRED)
    assert desk.holding(desk.trader("bull")).size == wad(10 - contracts) == -desk.holding(desk.trader("bear")).size


def test_of_a_batch_only_new_risk_is_left_out(desk: Desk) -> None:
    pause(desk)
    pairs = []
    for maker, taker in (("idle", "bull"), ("bull", "bear")):
        made = desk.order(desk.trader(maker), -wad(1), HUNDRED)
        taken = desk.order(desk.trader(taker), wad(1), HUNDRED)
        signatures = [
            sign(each, desk.venue.domain, desk.trader(name)) for each, name in ((made, maker), (taken, taker))
        ]
        pairs.append((made.values(), signatures[0], taken.values(), signatures[1], wad(1)))
    done = act(desk.trader("keeper"), desk.exchange.settleBatch, pairs)
    assert [each["index"] for each in emitted(done, desk.exchange.PairRefused)] == [0]
    assert len(emitted(done, desk.exchange.Settled)) == 1


def test_a_cross_account_is_judged_by_its_leg(venue: Venue, desk: Desk) -> None:
    """That it has other positions is no reason to let it open one, nor not to let it close one."""
    first, second = open_shared(venue, "LEFT-USD", "RIGHT-USD")
    cross = first.cross("octopus")
    first.deposit(cross, 1000)
    for each in (first, second):
        each.deposit(each.trader("whale"), 1000)
    first.trade(first.trader("whale"), cross, wad(1), HUNDRED)
    pause(desk)
    with refused(desk.exchange.NewRiskPaused, account=cross.id, until=desk.exchange.pausedUntil()):
        second.trade(cross, second.trader("whale"), -wad(1), HUNDRED)
    first.trade(first.trader("whale"), cross, -wad(1), HUNDRED)


def test_no_new_stakes(desk: Desk) -> None:
    stakers = Stakers(desk)
    stakers.stake("early", 100)
    pause(desk)
    with refused(desk.fund.StakeWhilePaused, pool=desk.market.pool, until=desk.exchange.pausedUntil()):
        stakers.stake("late", 100)
    assert (desk.fund.maxStake(desk.market.pool), stakers.shares.maxDeposit(desk.trader("late").address)) == (0, 0)
    end_pause(desk, desk.trader("guardian"))
    stakers.stake("late", 100)


# ---------------------------------------------------------------------- what it leaves alone


def test_money_comes_and_goes(desk: Desk) -> None:
    bull, exchange = desk.trader("bull"), desk.exchange
    made = desk.order(bull, wad(1), HUNDRED)
    pause(desk)
    desk.deposit(bull, 10)
    act(bull, exchange.withdraw, desk.account(bull), tokens(5), bull.address)
    act(bull, exchange.transfer, desk.account(bull), desk.account(bull, 1), tokens(5))
    desk.contribute(10)
    act(bull, exchange.cancel, made.values())
    act(bull, exchange.cancelAll)
    for function in (exchange.accrue, exchange.sweep, desk.fund.checkpoint):
        act(desk.trader("keeper"), function, desk.market.id)


def test_a_position_is_liquidated_onto_one_that_grows(desk: Desk) -> None:
    icarus = desk.open("icarus", wad(10), HUNDRED, 100, against="bear")
    desk.price(94)
    pause(desk)
    desk.liquidate(icarus, by=desk.trader("idle"))
    assert desk.holding(desk.trader("idle")).size > 0


def test_takeover_and_the_sale_of_inventory(desk: Desk) -> None:
    icarus = desk.open("icarus", wad(10), HUNDRED, 100, against="bear")
    desk.contribute(1000)
    desk.price(89)
    pause(desk)
    desk.take_over(icarus)
    desk.buy(Side.LONG, wad(1), by=desk.trader("idle"))
    assert desk.holding(desk.trader("idle")).size == wad(1)
    assert desk.inventory(Side.LONG)[0] == wad(9)


def test_rounds_and_their_challenge(venue: Venue, desk: Desk) -> None:
    """Ant is first in rank; a keeper that leaves it out during a pause pays for it during the same pause."""
    queue = open_queue(venue)
    pause(desk)
    number = rounded(queue, "bee cat dog")
    assert queue.holding(names(queue, "bee")[0]).size == 0
    challenge(queue, number, names(queue, "ant")[0])
    cheater = queue.trader("keeper")
    act(cheater, queue.book.requestBond, 1)
    assert queue.book.claimable(queue.trader("hunter").address) > 0
    act(queue.trader("hunter"), queue.book.claim, queue.trader("hunter").address)


def test_exits_of_stakers(desk: Desk) -> None:
    """Asked for before or during it, and paid by anyone."""
    stakers = Stakers(desk)
    for name in ("early", "late"):
        stakers.stake(name, 100)
    ripe = stakers.request_exit("early")
    wait_until(ripe - DAY)
    pause(desk)
    stakers.request_exit("late")
    fresh(desk, at=ripe)
    assert stakers.settle_exit("early", at=ripe + 1) == tokens(100)
    assert now() < desk.exchange.pausedUntil() < stakers.exit_of("late").ripeAt + COOLDOWN


def test_a_group_carries_its_own(venue: Venue, desk: Desk) -> None:
    """The sum of two pools is below zero: what one has goes to the other."""
    rich, poor = open_group(venue, {"RICH-USD": 5, "POOR-USD": 0})
    poor.inherit("icarus", 10, 100, 10, 98)
    pause(desk)
    act(desk.trader("keeper"), desk.fund.redistribute)
    assert rich.pool_cash() == 0
    assert poor.pool_cash() == wad(5)


def test_a_deficit_is_repaid_and_shared(venue: Venue, desk: Desk) -> None:
    desk = open_desk(venue, "DEEP-USD", 100)
    desk.deposit(desk.trader("idle"), 1000)
    open_deficit(desk, 1000)
    whole = deficit(desk)
    assert whole > 0
    pause(desk)
    donor = desk.trader("donor")
    desk.fill_purse(donor, 100)
    act(donor, desk.fund.repay, desk.market.pool, tokens(100))
    assert deficit(desk) == whole - wad(100)
    idle = desk.trader("idle")
    act(idle, desk.exchange.withdraw, desk.account(idle), tokens(100), idle.address)
    assert 0 < desk.token.balanceOf(idle.address) < tokens(100)
