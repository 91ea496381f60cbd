"""What somebody could gain from a pool's shares, its group or an open deficit at others' expense, and does not."""

from __future__ import annotations

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, refused, wait_until
from tests.support.desk import Desk, open_desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes
from tests.support.stakers import MAX_WAIT, Stakers, fresh, open_group

LONG = Side.LONG
STALE = 3601


@pytest.fixture
def short(venue: Venue, market: TestMarket) -> Desk:
    """A pool that lacks 129 that no inventory could bring back: a round found only weak, who had 71 of the 200."""
    desk = open_desk(venue, "RUIN-USD", 100, initial="0.1", maintenance="0.05")
    desk.inherit("icarus", 10, 100, 100, 70)
    weak, whale = desk.trader("weak"), desk.trader("whale")
    desk.deposit(weak, 71)
    desk.trade(whale, weak, wad(-10), wad(70))
    desk.deleverage(LONG, [weak])
    assert desk.pool_cash() == wad(-129) == -desk.fund.deficit()
    return desk


@pytest.mark.parametrize("price", [60, 71], ids=["that loses", "that does not, with a dead feed"])
def test_dust_of_inventory_does_not_switch_the_shared_rate_off(short: Desk, price: int) -> None:
    """What closing it would bring back is not what the pool lacks."""
    mallory, whale = short.trader("mallory"), short.trader("whale")
    short.deposit(mallory, "7.1")
    short.trade(whale, mallory, wad(1), wad(70))
    short.price(60)
    short.take_over(mallory)
    if price != 60:
        short.price(price)
        wait_until(short.priced_at() + STALE)
    assert short.inventory(LONG)[0] == wad(1)
    assert short.fund.deficit() == wad(129)
    innocent = short.trader("innocent")
    other = open_desk(short.venue, "CALM-USD", 100)
    other.deposit(innocent, 1000)
    held = int(short.token.balanceOf(short.exchange.address))
    act(innocent, short.exchange.withdraw, other.account(innocent), tokens(1000), innocent.address)
    assert short.token.balanceOf(innocent.address) == tokens(1000) * held // (held + tokens(129))


def test_it_does_not_matter_who_redistributed_first(venue: Venue) -> None:
    """Of -129, -100 (losing) and 120 the first lacks its part of what the 120 leave, given or not yet given."""
    first, second, third = open_group(venue, {"A-USD": 0, "B-USD": 0, "C-USD": 0})
    first.inherit("icarus", 10, 100, 100, 70)
    weak = first.trader("weak")
    first.deposit(weak, 71)
    first.trade(first.trader("whale"), weak, wad(-10), wad(70))
    first.deleverage(LONG, [weak])
    second.inherit("midas", 10, 100, 100, 80)
    third.contribute(120)
    assert first.fund.group()[1] == [wad(-129), wad(-100), wad(120)]
    lacking = wad(129) - wad(120) * 129 // 229
    assert first.fund.deficit() == lacking
    act(first.trader("stranger"), first.fund.redistribute)
    assert first.fund.group()[1][2] == 0
    assert first.fund.deficit() == lacking


def test_a_newcomer_pays_for_what_inventory_has_gained(venue: Venue, market: TestMarket) -> None:
    """Mallory stakes 9,000 beside 1,000 before a gain of 150 is taken: it stays ann's."""
    desk = open_desk(venue, "GAIN-USD", 100)
    stakers = Stakers(desk)
    stakers.stake("ann", 1000)
    desk.inherit("icarus", 100, 100, 1000, "89.9")
    desk.price("91.5")
    assert (stakers.balance(), stakers.fund.entryAssetsOf(stakers.pool)) == (wad(1000), tokens(1150))
    stakers.stake("mallory", 9000)
    # Worth less than was paid until the gain is taken.
    assert stakers.worth("mallory") < tokens(9000)
    buyer = desk.trader("buyer")
    desk.deposit(buyer, 5000)
    desk.price("91.5", at=None)
    wait_until(desk.auction_start(LONG) + 1800)
    desk.price("91.5")
    desk.buy(LONG, by=buyer)  # at the floor, half a percent below mark
    gained = stakers.balance() - wad(10_000)
    assert gained == wad("104.25")
    assert tokens(9000) - tokens(45) < stakers.worth("mallory") <= tokens(9000)


@pytest.mark.parametrize("parts", [1, 4], ids=["at once", "in parts"])
def test_who_leaves_a_group_leaves_what_it_had_to_carry(venue: Venue, parts: int) -> None:
    """Of -50, 100 and 100: ann takes 75 however she goes, and bob's shares are worth the 75 that they were."""
    sick, first, second = open_group(venue, {"A-USD": 0, "B-USD": 0, "C-USD": 0})
    leaving, staying = Stakers(first), Stakers(second)
    leaving.stake("ann", 100)
    staying.stake("bob", 100)
    ripe = leaving.request_exit("ann")
    sick.inherit("icarus", 10, 100, 100, 85)
    assert (staying.worth("bob"), leaving.assets()) == (tokens(75), tokens(75))
    wait_until(ripe + MAX_WAIT)
    fresh(sick)
    ann = first.trader("ann")
    left = leaving.exit_of("ann").shares
    for part in range(parts):
        shares = left // parts if part < parts - 1 else leaving.exit_of("ann").shares
        act(ann, leaving.shares.redeem, shares, ann.address, ann.address)
        assert tokens(75) - 1 <= staying.worth("bob") <= tokens(75) + parts
    assert tokens(75) - parts <= leaving.purse("ann") <= tokens(75)


def test_no_money_is_given_away_on_the_price_of_a_dead_feed(venue: Venue) -> None:
    """Moved by half a percent against it a member lacks more than the others have; alive it does not."""
    sick, rich, _ = open_group(venue, {"A-USD": 0, "B-USD": "92", "C-USD": 0})
    sick.inherit("icarus", 10, 100, 100, 81)
    with refused(sick.fund.RedistributionNotDue):
        act(sick.trader("stranger"), sick.fund.redistribute)
    wait_until(sick.priced_at() + STALE)
    assert sick.fund.balanceOf(sick.market.pool) == wad("-94.05")
    refusal = refused(sick.fund.RedistributionWithoutPrice, pool=sick.market.pool, market=sick.market.id)
    with nothing_changes(venue), refusal:
        act(sick.trader("stranger"), sick.fund.redistribute)
    sick.price(81)
    assert rich.pool_cash() == wad(92)


def test_nobody_times_the_exit_of_somebody_else(venue: Venue, market: TestMarket) -> None:
    """Overdue, at a dip: ann may, mallory may not, who would have what ann loses."""
    desk = open_desk(venue, "DIP-USD", 100)
    stakers = Stakers(desk)
    stakers.stake("ann", 100)
    stakers.stake("mallory", 100)
    ripe = stakers.request_exit("ann")
    desk.inherit("icarus", 10, 100, 100, 90)
    wait_until(ripe + MAX_WAIT)
    desk.price(75)
    assert stakers.shares.maxWithdraw(desk.trader("ann").address) == tokens(25)
    lost = {"pool": stakers.pool, "market": desk.market.id, "loss": wad(150), "base": wad(200) - wad(25)}
    with nothing_changes(venue), refused(desk.fund.ExitWaits, **lost):
        stakers.settle_exit("ann", by="mallory")
    desk.price(90)
    assert stakers.settle_exit("ann", by="mallory") == tokens(100)
