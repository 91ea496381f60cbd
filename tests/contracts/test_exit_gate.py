"""When a ripe exit waits, how long at most, and what it is paid then; shares of a pool that was wiped out."""

from __future__ import annotations

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, now, refused, wait_until
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Side, Trigger
from tests.support.proofs import nothing_changes
from tests.support.stakers import MAX_WAIT, VIRTUAL, Stakers, fresh, open_group

ZERO = "0x" + "0" * 40
HUNDRED = tokens(100) * VIRTUAL
NINE_HOURS = 9 * 3600
WEI = pytest.mark.parametrize("wei", [-1, 0, 1], ids=["a wei below", "at it", "a wei above"])


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 100x, in a pool of its own."""
    return open_desk(venue, "SOL-USD", 100)


@pytest.fixture(scope="module")
def stakers(desk: Desk) -> Stakers:
    """Ann has staked 100, and bob 300."""
    stakers = Stakers(desk)
    stakers.stake("ann", 100)
    stakers.stake("bob", 300)
    return stakers


def may_leave(stakers: Stakers, name: str) -> bool:
    """What the views say; they must agree."""
    owner, lens = stakers.desk.trader(name).address, stakers.desk.venue.system.fund_lens
    state, shares = lens.stakeOf(stakers.pool, owner), stakers.shares.maxRedeem(owner)
    assert state.mayRedeem is (shares != 0)
    assert shares in (0, state.exit.shares)
    assert stakers.shares.maxWithdraw(owner) == (state.exitValue if shares else 0)
    if now() < state.exit.ripeAt + MAX_WAIT:
        assert state.mayRedeem is (not state.refusal and now() >= state.exit.ripeAt)
    return bool(state.mayRedeem)


# ---------------------------------------------------------------------- 1 % of the base


@WEI
def test_a_loss_of_one_percent_of_what_is_left(stakers: Stakers, desk: Desk, wei: int) -> None:
    """Ann asked for 100 of 400, then 100 were given: after the exit the base is 400, and 4 are 1 % of it."""
    ripe = stakers.request_exit("ann")
    desk.contribute(100)
    fresh(desk, at=ripe - 10)
    desk.inherit("icarus", 10, 100, 100, 90, wei=wei)
    desk.price("89.6")
    wait_until(max(ripe, now()))
    backing = desk.backing()
    assert (backing.loss, backing.base) == (wad(4) + wei, wad(500))
    assert may_leave(stakers, "ann") is (wei <= 0)
    if wei > 0:
        waits = {"pool": stakers.pool, "market": desk.market.id, "loss": wad(4) + wei, "base": wad(400)}
        with nothing_changes(desk.venue), refused(desk.fund.ExitWaits, **waits):
            stakers.settle_exit("ann")
    else:
        assert stakers.settle_exit("ann") == tokens(100)
        assert desk.backing().base == wad(400)


def test_a_part_that_leaves_enough_need_not_wait(stakers: Stakers, desk: Desk) -> None:
    """Bob asked for 300 of 500, of which 4 are lost since: 100 may go, and no unit more."""
    bob = desk.trader("bob")
    ripe = stakers.request_exit("bob")
    desk.contribute(100)
    fresh(desk, at=ripe - 10)
    desk.inherit("icarus", 10, 100, 100, 90)
    desk.price("89.6")
    wait_until(max(ripe, now()))
    assert not may_leave(stakers, "bob")
    waits = {"pool": stakers.pool, "market": desk.market.id, "loss": wad(4), "base": wad(400) - 10**12}
    with refused(desk.fund.ExitWaits, **waits):
        act(bob, stakers.shares.withdraw, tokens(100) + 1, bob.address, bob.address)
    act(bob, stakers.shares.withdraw, tokens(100), bob.address, bob.address)
    assert stakers.purse("bob") == tokens(100)


@WEI
def test_any_market_of_the_pool_counts(venue: Venue, wei: int) -> None:
    first, second = open_shared(venue, "A-USD", "B-USD", initial="0.01", maintenance="0.005")
    stakers = Stakers(first)
    stakers.stake("ann", 100)
    ripe = stakers.request_exit("ann")
    first.contribute(400)
    fresh(first, second, at=ripe - 10)
    second.inherit("icarus", -10, 100, 100, 110, wei=wei)
    second.price("110.4")
    first.inherit("midas", 10, 100, 100, 90)
    first.price("89.7")
    wait_until(max(ripe, now()))
    assert may_leave(stakers, "ann") is (wei <= 0)
    if wei > 0:
        waits = {"pool": stakers.pool, "market": second.market.id, "loss": wad(4) + wei, "base": wad(400)}
        with refused(first.fund.ExitWaits, **waits):
            stakers.settle_exit("ann")


def test_the_last_one_leaves_a_pool_without_a_loss(stakers: Stakers, desk: Desk) -> None:
    """With inventory that does not lose, but not with one that has lost a tick: nothing is left to judge that by."""
    for name in ("ann", "bob"):
        ripe = stakers.request_exit(name)
    fresh(desk, at=ripe - 10)
    desk.inherit("icarus", 10, 100, 100, 90)
    wait_until(max(ripe, now()))
    stakers.settle_exit("ann")
    desk.price("89.99999999")
    lost = 10**11
    left = wad(300) - stakers.shares.convertToAssets(3 * HUNDRED) * 10**12
    assert left == 10**12
    waits = {"pool": stakers.pool, "market": desk.market.id, "loss": lost, "base": left}
    with refused(desk.fund.ExitWaits, **waits):
        stakers.settle_exit("bob")
    desk.price(90)
    # A sample of the loss is needed for it to stay in sight, and nobody took one.
    assert stakers.settle_exit("bob") == tokens(300)
    assert stakers.balance() == 0


# ---------------------------------------------------------------------- at most seven days


def test_a_dead_feed_holds_an_exit_for_seven_days_to_the_second(stakers: Stakers, desk: Desk, venue: Venue) -> None:
    """Then it is paid at what the fund says that its inventory is worth: the last price less 0.5 %."""
    ripe = stakers.request_exit("ann")
    fresh(desk, at=ripe - 10)
    desk.inherit("icarus", 10, 100, 100, 90)
    act(venue.owner, desk.market.feed.setAnswer, 0)
    wait_until(ripe)
    assert not may_leave(stakers, "ann")
    waits = {"pool": stakers.pool, "market": desk.market.id}
    # 10 contracts that count at 89.55 have lost 4.5 of 400: more than 1 %, and that is looked at first.
    with refused(desk.fund.ExitWaits, **waits, loss=wad("4.5"), base=wad(400) - 98_875_000 * 10**12):
        stakers.settle_exit("ann")
    desk.contribute(1000)
    with refused(desk.fund.ExitWithoutPrice, **waits):
        stakers.settle_exit("ann", by="ann", at=ripe + MAX_WAIT - 1)
    assert stakers.settle_exit("ann", by="ann", at=ripe + MAX_WAIT) == tokens(100)


@pytest.mark.parametrize("late", [-1, 0], ids=["a second early", "in time"])
def test_a_loss_that_was_just_made(stakers: Stakers, desk: Desk, late: int) -> None:
    """After seven days the exit is paid while ADL is due; what it is worth then is what is left."""
    ripe = stakers.request_exit("ann")
    fresh(desk, at=ripe + MAX_WAIT - 600)
    desk.inherit("icarus", 100, 100, 1000, 88)
    assert desk.terms(Side.LONG).trigger == Trigger.DRAWDOWN
    wait_until(ripe + MAX_WAIT + late - 1)
    value = tokens(50)
    if late < 0:
        waits = {"pool": stakers.pool, "market": desk.market.id, "loss": wad(200), "base": wad(350)}
        with refused(desk.fund.ExitWaits, **waits):
            stakers.settle_exit("ann", by="ann", at=ripe + MAX_WAIT + late)
        return
    # Nobody else may choose such a moment for ann.
    with refused(desk.fund.ExitWaits, pool=stakers.pool, market=desk.market.id, loss=wad(200), base=wad(350)):
        stakers.settle_exit("ann", at=ripe + MAX_WAIT)
    assert stakers.settle_exit("ann", by="ann", at=ripe + MAX_WAIT + 1) == value
    assert stakers.balance() == wad(150)


@pytest.mark.parametrize("mark", [50, 49], ids=["at zero", "below"])
def test_a_pool_that_is_depleted(stakers: Stakers, desk: Desk, mark: int) -> None:
    """The exit waits; after seven days it is worth nothing, and its shares are gone."""
    ripe = stakers.request_exit("ann")
    fresh(desk, at=ripe - 10)
    desk.inherit("icarus", 10, 100, 100, mark)
    wait_until(max(ripe, now()))
    assert stakers.balance() == wad(10 * (mark - 50))
    with refused(desk.fund.PoolDepleted, pool=stakers.pool):
        stakers.settle_exit("ann", by="ann")
    assert not may_leave(stakers, "ann")
    fresh(desk, at=ripe + MAX_WAIT - 1)
    with refused(stakers.shares.ExitOfOther, owner=desk.trader("ann").address, deficit=0):
        stakers.settle_exit("ann", at=ripe + MAX_WAIT)
    assert stakers.settle_exit("ann", by="ann") == 0
    assert stakers.shares.totalSupply() == 3 * HUNDRED


def test_a_member_of_a_group_that_stays_depleted_for_ever(venue: Venue) -> None:
    """The group carries it, so nothing is due; a staker of another member is paid less what that one has to carry.

    |       | given | staked | lost | balance |
    | C-USD |     0 |      0 |   50 |     -50 |
    | D-USD |     0 |    100 |      |     100 |
    | E-USD |   100 |      0 |      |     100 |
    """
    sick, well, _ = open_group(venue, {"C-USD": 0, "D-USD": 0, "E-USD": 100})
    stakers = Stakers(well)
    stakers.stake("ann", 100)
    ripe = stakers.request_exit("ann")
    sick.inherit("icarus", 10, 100, 100, 85)
    assert venue.system.fund.group()[1] == [wad(-50), wad(100), wad(100)]
    assert stakers.shares.convertToAssets(HUNDRED) == tokens(75)
    fresh(sick, at=ripe)
    with refused(venue.system.fund.PoolDepleted, pool=sick.market.pool):
        stakers.settle_exit("ann")
    assert not may_leave(stakers, "ann")
    bob = stakers.fill_purse("bob", 10)
    with refused(venue.system.fund.PoolDepleted, pool=sick.market.pool):
        act(bob, stakers.shares.deposit, 1, bob.address)
    fresh(sick, at=ripe + MAX_WAIT - 100)
    assert stakers.settle_exit("ann", by="ann", at=ripe + MAX_WAIT) == tokens(75)
    # What she would have had to carry is left to those who lack it: the others carry no more than before.
    assert venue.system.fund.group()[1] == [wad(-25), 0, wad(100)]


# ---------------------------------------------------------------------- wiped out


def wipe_out(desk: Desk) -> None:
    """Of 400 inventory loses 500; once that is no drawdown any more, a round takes all that the pool has."""
    fresh(desk)
    desk.inherit("icarus", 10, 100, 100, 40)
    fresh(desk, at=now() + NINE_HOURS)
    desk.checkpoint()
    assert desk.terms(Side.LONG).trigger == Trigger.DEPLETION
    desk.deleverage(Side.LONG, [desk.trader("whale")])


def test_new_shares_for_a_pool_that_was_wiped_out(stakers: Stakers, desk: Desk) -> None:
    """The old ones are worthless and stay so; who stakes then shares with nobody."""
    wipe_out(desk)
    assert (desk.pool_cash(), desk.inventory(Side.LONG)) == (0, (0, 0))
    dan = stakers.fill_purse("dan", 100)
    assert (stakers.worth("ann"), stakers.shares.maxDeposit(ZERO), stakers.shares.maxMint(ZERO)) == (0, 0, 0)
    with refused(stakers.shares.SharesWorthless, pool=stakers.pool):
        act(dan, stakers.shares.deposit, tokens(100), dan.address)
    done = act(desk.venue.owner, desk.fund.renewShares, stakers.pool)
    renewed = Stakers(desk)
    assert emitted(done, desk.fund.SharesIssued) == [{"pool": stakers.pool, "shares": renewed.shares.address.lower()}]
    assert renewed.shares.address != stakers.shares.address
    renewed.stake("dan", 100)
    desk.contribute(100)
    assert (renewed.worth("dan"), stakers.worth("ann"), stakers.assets()) == (tokens(200) - 1, 0, 0)
    with refused(stakers.shares.SharesWorthless, pool=stakers.pool):
        act(stakers.fill_purse("eve", 1), stakers.shares.deposit, 1, ZERO)


def test_an_exit_of_old_shares(stakers: Stakers, desk: Desk) -> None:
    """It can be called off, and is paid nothing; the views say so."""
    ann = desk.trader("ann")
    ripe = stakers.request_exit("ann")
    wipe_out(desk)
    act(desk.venue.owner, desk.fund.renewShares, stakers.pool)
    Stakers(desk).stake("dan", 100)
    for at in (ripe, ripe + MAX_WAIT):
        wait_until(at)
        assert stakers.shares.maxRedeem(ann.address) == stakers.shares.maxWithdraw(ann.address) == 0
        with nothing_changes(desk.venue), refused(desk.fund.CallerNotShares, caller=stakers.shares.address):
            stakers.settle_exit("ann", by="ann")
    act(ann, stakers.shares.cancelRedeem)
    assert stakers.held("ann") == HUNDRED


def test_shares_are_renewed_only_where_nothing_is_left(stakers: Stakers, desk: Desk) -> None:
    owner = desk.venue.owner
    renew = desk.fund.renewShares

    def refuse() -> None:
        with nothing_changes(desk.venue), refused(desk.fund.SharesNotWorthless, pool=stakers.pool):
            act(owner, renew, stakers.pool)

    refuse()  # there is cash
    wipe_out(desk)
    desk.contribute("0.000001")
    refuse()  # somebody gave a unit
    for pool in (0, desk.fund.poolCount() + 1):
        with refused(desk.fund.PoolMissing, pool=pool):
            act(owner, renew, pool)


def test_shares_that_nobody_has_are_not_renewed(venue: Venue, desk: Desk) -> None:
    """Nor where all have left. A pool at zero with inventory, which may still gain: test_mutual.py."""
    stakers = Stakers(open_desk(venue, "BTC-USD", 100))
    with refused(desk.fund.SharesNotWorthless, pool=stakers.pool):
        act(desk.venue.owner, desk.fund.renewShares, stakers.pool)
    stakers.stake("ann", 100)
    assert stakers.leave("ann") == tokens(100)
    with refused(desk.fund.SharesNotWorthless, pool=stakers.pool):
        act(desk.venue.owner, desk.fund.renewShares, stakers.pool)


def test_a_gift_to_a_wiped_out_pool_revives_its_shares(stakers: Stakers, desk: Desk) -> None:
    """One unit is the old holders'; who stakes then gets back what was staked, up to a unit."""
    wipe_out(desk)
    desk.contribute("0.000001")
    stakers.stake("dan", 100)
    assert stakers.worth("dan") in (tokens(100), tokens(100) - 1)
    assert stakers.worth("bob") <= 2
