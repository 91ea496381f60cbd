"""Money in and out of a pool as a weapon: it makes no ADL due, and ends none for less than others are spared."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import RefusedError, act, emitted, imagine, now, refused, wait_until
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Side, Trigger
from tests.support.stakers import COOLDOWN, DAY, MAX_WAIT, SCALE, Stakers, fresh


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 100, 100x; a pool of 20,000 that took over 1,000 long contracts from 99: a unit of price is 1,000."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(20_000)
    desk.inherit("icarus", 1000, 100, 1000, 99)
    return desk


@pytest.fixture
def holders(desk: Desk) -> Stakers:
    return Stakers(desk)


def is_due(desk: Desk) -> bool:
    return any(desk.terms(side).trigger != Trigger.NONE for side in Side)


# ---------------------------------------------------------------------- exits


@pytest.mark.parametrize("seed", range(3))
def test_exits_never_make_adl_due(venue: Venue, market: TestMarket, seed: int) -> None:
    """Two markets of a pool, holders who all want out, prices that wander: whoever may leave leaves nothing due."""
    dice = random.Random(seed)
    desks = open_shared(venue, "A-USD", "B-USD", initial="0.01", maintenance="0.005")
    holders = Stakers(desks[0])
    names = [f"staker {i}" for i in range(6)]
    for name in names:
        holders.stake(name, dice.choice((10, 500, 3000)))
    if dice.random() < 0.5:
        desks[0].contribute(100)
    ripe = max(holders.request_exit(name) for name in names)
    fresh(*desks, at=ripe - 100)
    desks[0].inherit("icarus", 100, 100, 100, 99)
    desks[1].inherit("midas", -100, 100, 100, 101)
    wait_until(max(ripe, now()))
    paid = waited = 0
    for _ in range(30):
        desks[0].price(f"{99 - dice.choice((0, 0.001, 0.05, 0.2, 0.4)):.8f}")
        desks[1].price(f"{101 + dice.choice((0, 0.001, 0.05, 0.2, 0.4)):.8f}")
        if dice.random() < 0.3:
            dice.choice(desks).checkpoint()
        open_ = [name for name in names if holders.exit_of(name).shares]
        if not open_:
            break
        before = [is_due(each) for each in desks]
        try:
            holders.settle_exit(dice.choice(open_))
        except RefusedError:
            waited += 1
            continue
        paid += 1
        assert [is_due(each) for each in desks] == before == [False, False]
        for each in desks:
            state = each.backing()
            assert state.loss * 100 <= state.base
    assert now() < ripe + MAX_WAIT
    assert paid
    assert waited


def test_the_last_exit_leaves_the_gate_shut_for_a_loss_of_a_wei(holders: Stakers, desk: Desk) -> None:
    """Whatever the trigger is set to, 5 % at least: a hundredth is far from it."""
    act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, *[wad("0.05")] * 3)
    holders.stake("ann", 30_000)
    ripe = holders.request_exit("ann")
    fresh(desk, at=ripe - 10)
    desk.price("98.8")
    wait_until(max(ripe, now()))
    assert desk.backing().loss == wad(200)
    # After it the base would be 20,000 and a bit, of which 200 are 1 %.
    assert holders.settle_exit("ann") <= tokens(30_000)
    state = desk.backing()
    assert state.drawdown <= wad("0.01")
    assert not is_due(desk)


# ---------------------------------------------------------------------- stakes


def test_a_flash_stake_does_not_come_out_again(holders: Stakers, desk: Desk) -> None:
    """Staked and asked for in a block: it stays for the cooldown, and bears what is lost meanwhile."""
    eve = holders.fill_purse("eve", 10_000)
    holders.stake("eve", 10_000)
    ripe = holders.request_exit("eve")
    for method, arguments in (
        (holders.shares.redeem, (1, eve.address, eve.address)),
        (holders.shares.settleRedeem, (eve.address,)),
    ):
        with refused(holders.shares.ExitUnripe, owner=eve.address, ripeAt=ripe):
            imagine(eve, method, *arguments)
    assert ripe - now() == COOLDOWN


def test_a_stake_cannot_end_adl(holders: Stakers, desk: Desk) -> None:
    """At 7,000 lost of 20,000 a stake of 8,000 would do; it is refused, seen or not."""
    eve = holders.fill_purse("eve", 100_000)
    desk.price(92)
    assert is_due(desk)
    for _ in range(2):
        with refused(desk.fund.StakeWhileADLDue, pool=holders.pool, market=desk.market.id):
            act(eve, holders.shares.deposit, tokens(8000), eve.address)
        desk.checkpoint()


def test_a_stake_before_a_loss_bears_it(holders: Stakers, desk: Desk) -> None:
    """Who deepens the pool so that nothing becomes due bears a part of the loss, and cannot leave before."""
    holders.stake("eve", 20_000)
    ripe = holders.request_exit("eve")
    desk.price(92)  # 35 % of 20,000, but 17.5 % of 40,000
    assert not is_due(desk)
    fresh(desk, at=ripe)
    with pytest.raises(RefusedError, match="ExitWaits"):
        holders.settle_exit("eve")
    fresh(desk, at=ripe + MAX_WAIT - 1)
    paid = holders.settle_exit("eve", by="eve", at=ripe + MAX_WAIT)
    assert tokens(20_000) - paid > tokens(3000)


# ---------------------------------------------------------------------- gifts


def least_gift_that_ends_it(desk: Desk, *, named: bool) -> int:
    """Token units; ADL is due for a round but not sampled yet, and a round would take `compensation`."""
    state = desk.backing()
    need = state.loss - state.base // 4 if named else state.loss * 4 - state.base
    return -(-need // SCALE)


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("thousands", ["6", "6.5", "8", "15", "19.999"])
def test_a_gift_that_ends_adl_costs_at_least_what_it_spares(desk: Desk, named: bool, thousands: str) -> None:
    """A unit less and it goes on. A gift that names the market costs as much; one that does not, four times that."""
    desk.price(99 - Decimal(thousands))
    compensation = desk.terms(Side.LONG).compensation
    assert compensation == wad(Decimal(thousands) * 1000 - 5000)
    gift = least_gift_that_ends_it(desk, named=named)
    assert gift * SCALE >= compensation * (1 if named else 4)
    desk.contribute(Decimal(gift - 1) / 10**6, to_market=named)
    assert is_due(desk)
    desk.contribute("0.000001", to_market=named)
    assert not is_due(desk)


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_a_gift_writes_down_first_what_is_due(desk: Desk, named: bool) -> None:
    """To get back below the trigger, which was never sampled, is not enough: it is measured by stop."""
    desk.price("92.9")  # 6,100 of 20,000
    assert (is_due(desk), desk.backing().started) == (True, False)
    donor = desk.trader("donor")
    desk.fill_purse(donor, 1000)
    done = act(donor, desk.fund.contribute, desk.market.pool, desk.market.id if named else 0, tokens(400))
    assert emitted(done, desk.fund.ADLStarted) == [
        {"market": desk.market.id, "reason": Trigger.DRAWDOWN, "drawdown": wad("0.305")}
    ]
    state = desk.backing()
    assert state.drawdown < wad("0.3")
    assert state.started
    assert is_due(desk)


@pytest.mark.parametrize("by_gift", [True, False], ids=["a gift", "a round"])
def test_a_gift_gets_its_giver_no_more_than_a_round_would(venue: Venue, market: TestMarket, by_gift: bool) -> None:
    """Eve has all shares. With a gift of 2,000 the pool ends where a round would leave it, but she has paid for it.

    |                 | eve gives | counterparties give up | her shares after it |
    | a round at 94   |           |                  2,000 |              15,000 |
    | a gift          |     2,000 |                        |              15,000 |
    """
    desk = open_desk(venue, "EVE-USD", 100)
    holders = Stakers(desk)
    holders.stake("eve", 20_000)
    desk.inherit("icarus", 1000, 100, 1000, 99)
    desk.price(92)
    assert holders.worth("eve") == tokens(13_000)
    whale = desk.trader("whale")
    before = desk.equity(whale)
    if by_gift:
        desk.contribute(2000, to_market=True)
    else:
        desk.deleverage(Side.LONG, [whale])
    assert not is_due(desk)
    assert before - desk.equity(whale) == (0 if by_gift else wad(2000))
    assert holders.worth("eve") in (tokens(15_000), tokens(15_000) - 1)


def test_a_stake_after_the_gift_changes_nothing_of_that(holders: Stakers, desk: Desk) -> None:
    """Once a gift has ended it a stake is welcome: it makes the next start dearer, and gets nothing of the gift."""
    desk.price(92)
    spared = desk.terms(Side.LONG).compensation
    gift = least_gift_that_ends_it(desk, named=True)
    assert gift * SCALE >= spared == wad(2000)
    desk.contribute(Decimal(gift) / 10**6, to_market=True)
    holders.stake("eve", 20_000)
    assert not is_due(desk)
    assert holders.worth("eve") in (tokens(20_000), tokens(20_000) - 1)


# ---------------------------------------------------------------------- options


def test_a_ripe_exit_is_no_option(holders: Stakers, desk: Desk) -> None:
    """Who keeps one ready to go just before a loss is paid by anybody as soon as it may be."""
    holders.stake("eve", 10_000)
    ripe = holders.request_exit("eve")
    wait_until(ripe)
    fresh(desk)
    assert holders.settle_exit("eve", by="keeper") in (tokens(10_000), tokens(10_000) - 1)
    desk.price(92)
    assert holders.held("eve") == 0


def test_who_asks_again_and_again_does_not_outrun_a_loss(holders: Stakers, desk: Desk) -> None:
    """An exit called off and asked for anew starts its cooldown anew."""
    holders.stake("eve", 10_000)
    eve = desk.trader("eve")
    for _ in range(3):
        ripe = holders.request_exit("eve")
        wait_until(ripe - DAY)
        act(eve, holders.shares.cancelRedeem)
    ripe = holders.request_exit("eve")
    assert ripe - now() == COOLDOWN
    assert holders.held("eve") == 0
    assert holders.exit_of("eve").shares == holders.shares.totalSupply()


def test_an_exit_in_parts_is_worth_no_more_than_in_one(desk: Desk, venue: Venue) -> None:
    """Nor does it pass the gate where the whole would not leave enough: each part is judged by what it leaves."""
    holders = Stakers(open_desk(venue, "BTC-USD", 100))
    poor = holders.desk
    holders.stake("ann", 1000)
    ripe = holders.request_exit("ann")
    fresh(poor, at=ripe - 10)
    poor.inherit("icarus", 10, 100, 100, 90)
    poor.price("89.9")
    wait_until(max(ripe, now()))
    ann: Any = poor.trader("ann")
    while True:
        try:
            act(ann, holders.shares.withdraw, tokens(100), ann.address, ann.address)
        except RefusedError:
            break
    state = poor.backing()
    assert state.loss == wad(1)
    assert wad(100) <= state.base < wad(200)
