"""A market under another pool: `Exchange.moveMarket`; and how many cross accounts hold a market."""

from __future__ import annotations

import pytest

from backstop.deployment.pool_terms import Backer, PoolKind
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, now, refused
from tests.support.deficits import open_deficit
from tests.support.desk import Desk, create_pool, open_desk, open_shared
from tests.support.enums import Item, Side, Trigger
from tests.support.proofs import nothing_changes
from tests.support.stakers import fresh

NINE_HOURS = 9 * 3600


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 100x, in a pool of its own that has 1,000."""
    desk = open_desk(venue, "SOL-USD", 100)
    desk.contribute(1000)
    return desk


@pytest.fixture(scope="module")
def movers(venue: Venue, desk: Desk) -> list[Desk]:
    """Two markets at 10x in a shared pool with 20,000; whale has 100,000 in both."""
    desks = open_shared(venue, "A-USD", "B-USD")
    desks[0].contribute(20_000)
    for each in desks:
        each.deposit(each.trader("whale"), 100_000)
    return desks


def move(desk: Desk, pool: int) -> Done:
    return act(desk.venue.owner, desk.exchange.moveMarket, desk.market.id, pool)


def home(desk: Desk) -> tuple[int, bool, int]:
    """Where the exchange has it, whether isolated accounts alone may hold it, where the fund has it."""
    listed = desk.exchange.market(desk.market.id)
    return listed.pool, listed.isolatedOnly, desk.fund.parameters(desk.market.id)[0]


def markets_of(desk: Desk, pool: int) -> list[int]:
    return list(desk.fund.pool(pool).markets)


# ---------------------------------------------------------------------- allowed


def test_into_a_shared_pool_and_back(desk: Desk, movers: list[Desk]) -> None:
    """It may be held in cross accounts then; the pool keeps what it has, and the list ascends."""
    old, pool = desk.market.pool, movers[0].market.pool
    assert desk.market.id < movers[0].market.id < movers[1].market.id
    done = move(desk, pool)
    assert emitted(done, desk.exchange.MarketMoved) == [{"market": desk.market.id, "pool": pool}]
    assert emitted(done, desk.fund.MarketAssigned) == [{"market": desk.market.id, "pool": pool}]
    assert home(desk) == (pool, False, pool)
    assert markets_of(desk, pool) == [desk.market.id, movers[0].market.id, movers[1].market.id]
    assert (markets_of(desk, old), desk.fund.pool(old).cash, desk.backing().balance) == ([], wad(1000), wad(20_000))
    swan = desk.cross("swan")
    desk.deposit(swan, 100)
    desk.deposit(desk.trader("whale"), 100)
    desk.trade(desk.trader("whale"), swan, wad(1), wad(100))
    desk.trade(desk.trader("whale"), swan, wad(-1), wad(100))
    move(desk, old)
    assert home(desk) == (old, True, old)
    assert markets_of(desk, pool) == [each.market.id for each in movers]
    with refused(desk.exchange.MarketIsolatedOnly, market=desk.market.id):
        desk.trade(desk.trader("whale"), swan, wad(1), wad(100))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_the_list_ascends_whatever_comes_and_goes(venue: Venue, desk: Desk, order: tuple[int, ...]) -> None:
    desks = [open_desk(venue, f"M{i}-USD", 100) for i in range(3)]
    pool = create_pool(venue, "target", PoolKind.SHARED)
    for count, i in enumerate(order, start=1):
        move(desks[i], pool)
        assert markets_of(desk, pool) == sorted(desks[j].market.id for j in order[:count])
    for count, i in enumerate(order, start=1):
        move(desks[i], desks[i].market.pool)
        assert markets_of(desk, pool) == sorted(desks[j].market.id for j in order[count:])


def test_its_result_and_parameters_go_with_it(desk: Desk, movers: list[Desk]) -> None:
    act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, wad("0.4"), wad("0.2"), wad("0.3"))
    desk.contribute(50, to_market=True)
    before = desk.backing()
    move(desk, movers[0].market.pool)
    after = desk.backing()
    assert (after.pnl, after.maxPnl, after.loss) == (before.pnl, before.maxPnl, 0) == (wad(50), wad(50), 0)
    assert tuple(desk.fund.parameters(desk.market.id))[1:] == (wad("0.4"), wad("0.2"), wad("0.3"))
    # What it loses from now on is the new pool's.
    desk.inherit("icarus", 100, 100, 100, 89)
    assert (desk.backing().loss, movers[0].backing().balance) == (wad(1000), wad(19_000))


def test_fees_until_then_are_the_old_pool_s(desk: Desk, movers: list[Desk]) -> None:
    desk.set_parameters(taker_fee=wad("0.01"))
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(10), wad(100))
    old, new = desk.market.pool, movers[0].market.pool
    done = move(desk, new)
    assert [(each["pool"], each["amount"]) for each in emitted(done, desk.fund.Entered)] == [(old, wad(5))]
    assert desk.fund.items(old)[Item.TRADING_FEE] == wad(5)
    assert desk.funding().fees == 0
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(-10), wad(100))
    act(desk.trader("stranger"), desk.exchange.sweep, desk.market.id)
    assert desk.fund.items(new)[Item.TRADING_FEE] == wad(5)


def test_the_stress_of_the_old_pool_does_not_go_with_it(venue: Venue, desk: Desk, movers: list[Desk]) -> None:
    """A pool below zero puts all steps of stress on its market; under the new one it has none."""
    poor = open_desk(venue, "LUNA-USD", 100)
    open_deficit(poor, 5000)
    fresh(poor, at=now() + NINE_HOURS)
    poor.checkpoint()
    assert tuple(desk.fund.seen(poor.market.id)) == (Trigger.NONE, 4, 0)
    poor.set_parameters(initial_margin_step=wad("0.01"))
    assert desk.exchange.market(poor.market.id).initialMarginFraction == wad("0.05")
    move(poor, movers[0].market.pool)
    assert tuple(desk.fund.seen(poor.market.id)) == (Trigger.NONE, 0, 0)
    assert desk.exchange.market(poor.market.id).initialMarginFraction == wad("0.01")


# ---------------------------------------------------------------------- refused


@pytest.mark.parametrize("side", list(Side), ids=["long", "short"])
def test_not_with_inventory(desk: Desk, movers: list[Desk], side: Side) -> None:
    desk.inherit("icarus", side.sign * 10, 100, 100, 100 - 10 * side.sign)
    with nothing_changes(desk.venue), refused(desk.fund.InventoryOpen, market=desk.market.id):
        move(desk, movers[0].market.pool)


def test_not_with_a_loss_in_its_window(desk: Desk, movers: list[Desk]) -> None:
    """Else those who stay would have a smaller base; nine hours later it may."""
    desk.inherit("icarus", 10, 100, 100, 90)
    act(desk.venue.owner, desk.fund.setAuctionParameters, desk.market.id, 0, 1800)
    desk.price("89.9")
    desk.deposit(desk.trader("buyer"), 1000)
    desk.buy(Side.LONG, by=desk.trader("buyer"))
    lost = desk.backing().loss
    assert lost > 0
    with nothing_changes(desk.venue), refused(desk.fund.LossOpen, market=desk.market.id, loss=lost):
        move(desk, movers[0].market.pool)
    fresh(desk, at=now() + NINE_HOURS)
    move(desk, movers[0].market.pool)
    assert home(desk)[0] == movers[0].market.pool


def test_not_while_a_cross_account_holds_it(movers: list[Desk], desk: Desk) -> None:
    first = movers[0]
    swan = first.cross("swan")
    first.deposit(swan, 1000)
    first.trade(first.trader("whale"), swan, wad(1), wad(100))
    free = create_pool(desk.venue, "free", PoolKind.ISOLATED)
    with nothing_changes(desk.venue), refused(desk.exchange.MarketHeldInCross, market=first.market.id, accounts=1):
        move(first, free)
    first.trade(first.trader("whale"), swan, wad(-1), wad(100))
    move(first, free)
    assert home(first) == (free, True, free)


def test_not_into_a_pool_that_is_full_or_not_there(desk: Desk, movers: list[Desk]) -> None:
    first, owner = movers[0], desk.venue.owner
    with nothing_changes(desk.venue), refused(desk.fund.PoolFull, pool=desk.market.pool, markets=1):
        move(first, desk.market.pool)
    for pool in (0, desk.fund.poolCount() + 1):
        with refused(desk.fund.PoolMissing, pool=pool):
            move(first, pool)
    with refused(desk.fund.MarketInPool, market=desk.market.id, pool=desk.market.pool):
        move(desk, desk.market.pool)
    unlisted = desk.exchange.marketCount() + 1
    for number in (0, unlisted):
        with refused(desk.exchange.MarketUnlisted, market=number):
            act(owner, desk.exchange.moveMarket, number, desk.market.pool)


def test_sixteen_markets_are_a_full_pool(desk: Desk, venue: Venue) -> None:
    pool = create_pool(venue, "sixteen", PoolKind.SHARED)
    for i in range(15):
        open_desk(venue, f"N{i}-USD", 100, pool=pool, feed=desk.market.feed)
    move(desk, pool)
    one_more = open_desk(venue, "Z-USD", 100)
    with refused(desk.fund.PoolFull, pool=pool, markets=16):
        move(one_more, pool)


def test_into_a_mutual_pool(desk: Desk, venue: Venue) -> None:
    """An empty one that another pool backs: what the market loses then is carried."""
    mutual = create_pool(venue, "mutual", PoolKind.ISOLATED, Backer.MUTUAL)
    other = open_desk(venue, "B2-USD", 100, pool=create_pool(venue, "backer", PoolKind.ISOLATED, Backer.MUTUAL))
    other.contribute(1000)
    move(desk, mutual)
    desk.inherit("icarus", 10, 100, 100, 85)
    assert (desk.backing().balance, desk.terms(Side.LONG).trigger) == (wad(-50), Trigger.NONE)


# ---------------------------------------------------------------------- cross holders


def test_cross_holders_are_counted(movers: list[Desk]) -> None:
    """Opened, grown, flipped, closed, taken over: accounts, not trades."""
    first, second = movers

    def holders() -> list[int]:
        return [each.exchange.market(each.market.id).crossHolders for each in movers]

    swan, owl = first.cross("swan"), first.cross("owl")
    for who in (swan, owl):
        first.deposit(who, 200)
    whale = first.trader("whale")
    assert holders() == [0, 0]
    steps = [
        (first, swan, 1, [1, 0]),
        (first, swan, 1, [1, 0]),
        (first, swan, -4, [1, 0]),
        (second, swan, 1, [1, 1]),
        (first, owl, 5, [2, 1]),
        (first, swan, 2, [1, 1]),
        (second, owl, 5, [1, 2]),
        (second, swan, -1, [1, 1]),
    ]
    for desk, who, contracts, expected in steps:
        desk.trade(whale, who, wad(contracts), wad(100))
        assert holders() == expected
    # An isolated account is none.
    first.deposit(first.trader("hen"), 100)
    first.trade(whale, first.trader("hen"), wad(1), wad(100))
    assert holders() == [1, 1]
    # One cross account against another: one closes, the other opens.
    first.trade(owl, swan, wad(5), wad(100))
    assert holders() == [1, 1]
    first.price(60)
    first.take_over(swan)
    assert holders() == [0, 1]
    second.price(60)
    second.take_over(owl)
    assert holders() == [0, 0]
