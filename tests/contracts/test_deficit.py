"""Open deficits: what withdrawals are paid while there is one, in whatever order. Who else pays: test_repay.py."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from backstop.math.deficit import paid_tokens
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import act, emitted, refused, rpc, wait_until
from tests.support.deficits import deficit, held, open_deficit, withdraw
from tests.support.desk import Desk, open_desk
from tests.support.enums import Item, Side
from tests.support.stakers import SCALE, Stakers, fresh

ZERO = "0x" + "0" * 40


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market whose own pool has an open deficit of 5,000; whale has 60,000 there, and nobody else anything."""
    desk = open_desk(venue, "LUNA-USD", 100)
    open_deficit(desk, 5000)
    return desk


@pytest.fixture
def well(venue: Venue, desk: Desk) -> Desk:
    """Another market, whose pool has lost nothing."""
    return open_desk(venue, "SOL-USD", 100)


# ---------------------------------------------------------------------- when it is open


def test_what_inventory_loses_is_not_in_it(venue: Venue, market: TestMarket) -> None:
    """ADL may still bring that; what it can not bring is open whatever the mark of what is left."""
    desk = open_desk(venue, "FTT-USD", 100)
    before = deficit(desk)
    icarus, whale, swan = (desk.trader(name) for name in ("icarus", "whale", "swan"))
    for who, margin in ((icarus, 1000), (whale, 50_000), (swan, 900)):
        desk.deposit(who, margin)
    desk.trade(whale, icarus, wad(1000), wad(100))
    desk.price(90)
    desk.trade(swan, whale, wad(900), wad(90))
    desk.take_over(icarus)
    desk.deleverage(Side.LONG, [swan])
    assert desk.inventory(Side.LONG) == (wad(100), wad(9900))
    assert (desk.backing().balance, deficit(desk) - before) == (wad(-8100), wad(7200))
    desk.price("98.99999999")
    assert deficit(desk) - before == wad(7200)
    desk.price(99)
    assert (desk.backing().balance, deficit(desk) - before) == (wad(-7200), wad(7200))
    desk.price(150)
    assert deficit(desk) - before == wad(7200)


def test_what_there_is(desk: Desk) -> None:
    assert deficit(desk) == wad(5000)
    assert (desk.pool_cash(), desk.backing().balance) == (wad(-5000), wad(-5000))
    assert tuple(desk.fund.deficits()) == ([desk.market.pool], [wad(5000)])


def test_a_dead_feed_does_not_hold_withdrawals_up(desk: Desk, well: Desk) -> None:
    saver = desk.trader("saver")
    well.deposit(saver, 1000)
    act(desk.venue.owner, desk.market.feed.setAnswer, 0)
    paid = paid_tokens(tokens(1000), held(desk), tokens(5000))
    withdraw(well, saver, tokens(1000))
    assert desk.token.balanceOf(saver.address) == paid


# ---------------------------------------------------------------------- what a withdrawal is paid


def test_a_withdrawal(desk: Desk, well: Desk) -> None:
    """Of 60,001 held and 5,000 lacking."""
    saver = desk.trader("saver")
    well.deposit(saver, 1001)
    tokens_held = held(desk)
    paid = paid_tokens(tokens(1000), tokens_held, tokens(5000))
    done = withdraw(well, saver, tokens(1000))
    assert emitted(done, desk.exchange.Withdrawn)[0]["amount"] == tokens(1000)
    assert emitted(done, desk.exchange.DeficitShared) == [
        {"recipient": saver.address.lower(), "amount": tokens(1000), "paid": paid, "deficit": wad(5000)}
    ]
    given_up = (tokens(1000) - paid) * SCALE
    assert emitted(done, desk.fund.Entered) == [
        {
            "pool": desk.market.pool,
            "market": 0,
            "item": Item.DEFICIT,
            "amount": given_up,
            "cash": wad(-5000) + given_up,
        }
    ]
    assert (desk.token.balanceOf(saver.address), tokens_held - held(desk)) == (paid, paid)
    assert (well.holding(saver).margin, deficit(desk)) == (wad(1), wad(5000) - given_up)


def test_without_a_deficit_all_is_paid(desk: Desk, well: Desk) -> None:
    saver, donor = desk.trader("saver"), desk.trader("donor")
    well.deposit(saver, 1000)
    desk.fill_purse(donor, 5000)
    act(donor, desk.fund.repay, desk.market.pool, tokens(5000))
    done = withdraw(well, saver, tokens(1000))
    assert emitted(done, desk.exchange.DeficitShared) == []
    assert desk.token.balanceOf(saver.address) == tokens(1000)


def test_a_unit_that_is_rounded_to_nothing(desk: Desk, well: Desk) -> None:
    """Nobody gains by leaving in crumbs."""
    saver = desk.trader("saver")
    well.deposit(saver, 1)
    withdraw(well, saver, 1)
    assert (desk.token.balanceOf(saver.address), deficit(desk)) == (0, wad(5000) - SCALE)


@pytest.fixture
def everybody(desk: Desk, well: Desk, venue: Venue) -> dict[str, Callable[[int], None]]:
    """Traders, a staker and the treasury, each with a way to leave with a given amount."""
    for name, amount in (("owl", "10000"), ("saver", "2500.123457"), ("hen", "0.000123")):
        well.deposit(desk.trader(name), amount)
    act(venue.owner, desk.exchange.setTreasury, desk.trader("treasury").address)
    well.set_parameters(taker_fee=wad("0.01"), pool_fee_share=0, treasury_fee_share=wad(1))
    other = open_desk(venue, "DOT-USD", 100)
    stakers = Stakers(other)
    stakers.stake("ann", "3333.333333")
    wait_until(stakers.request_exit("ann"))
    fresh(desk)

    def of_account(where: Desk, name: str) -> Callable[[int], None]:
        return lambda units: void(withdraw(where, desk.trader(name), units))

    def of_staker(units: int) -> None:
        ann = desk.trader("ann")
        act(ann, stakers.shares.withdraw, units, ann.address, ann.address)

    return {
        "whale": of_account(desk, "whale"),
        **{name: of_account(well, name) for name in ("owl", "saver", "hen")},
        "ann": of_staker,
    }


def void(_: object) -> None:
    """Nothing."""


CLAIMS = {"whale": "60000", "owl": "10000", "saver": "2500.123457", "hen": "0.000123", "ann": "3333.333333"}


@pytest.mark.parametrize("seed", range(4))
def test_everybody_leaves_in_any_order_and_is_paid_alike(
    desk: Desk, everybody: dict[str, Callable[[int], None]], seed: int
) -> None:
    """In parts of random sizes: the rate stays to a unit a call, nobody gains by it, and the last one is paid."""
    dice = random.Random(seed)
    left = {name: tokens(CLAIMS[name]) for name in everybody}
    calls = dict.fromkeys(left, 0)
    first_held, first_deficit = held(desk), deficit(desk)
    assert first_held * SCALE + first_deficit == sum(left.values()) * SCALE
    rest_held, rest_deficit = first_held, first_deficit
    while any(left.values()):
        name = dice.choice([name for name, amount in left.items() if amount])
        part = left[name] if dice.random() < 0.3 or left[name] < 100 else dice.randint(1, left[name])
        everybody[name](part)
        left[name] -= part
        calls[name] += 1
        # T/(T + D) never falls, and rises by less than a unit of T.
        held_now, deficit_now = held(desk), deficit(desk)
        assert held_now * (rest_held * SCALE + rest_deficit) >= rest_held * (held_now * SCALE + deficit_now)
        assert (held_now - 1) * (rest_held * SCALE + rest_deficit) <= rest_held * (held_now * SCALE + deficit_now)
        rest_held, rest_deficit = held_now, deficit_now
    for name, count in calls.items():
        exact = tokens(CLAIMS[name]) * first_held * SCALE
        found = int(desk.token.balanceOf(desk.trader(name).address)) * (first_held * SCALE + first_deficit)
        unit = first_held * SCALE + first_deficit
        assert -count * unit <= found - exact <= sum(calls.values()) * unit
    assert 0 <= held(desk) <= sum(calls.values())


def test_tokens_that_nobody_deposited_make_nothing_worse(desk: Desk, well: Desk) -> None:
    """They count as held, so the rate is better, and all can leave."""
    saver, whale = desk.trader("saver"), desk.trader("whale")
    well.deposit(saver, 1000)
    act(saver, desk.token.mint, desk.exchange.address, tokens(2000))
    tokens_held = held(desk)
    assert tokens_held == tokens(58_000)
    for where, who, amount in ((well, saver, 1000), (desk, whale, 60_000)):
        withdraw(where, who, tokens(amount))
        paid = desk.token.balanceOf(who.address)
        assert paid - paid_tokens(tokens(amount), tokens_held, tokens(5000)) in (0, 1)
    # 61,000 of 63,000 are gone: what is left are tokens of nobody, and their part of the deficit.
    assert -2 <= held(desk) - tokens(2000) * tokens_held // tokens(63_000) <= 2
    donor = desk.trader("donor")
    desk.fill_purse(donor, 5000)
    act(donor, desk.fund.repay, desk.market.pool, -(-deficit(desk) // SCALE))
    rpc("anvil_setBalance", desk.exchange.address, hex(10**20))
    act(desk.exchange, desk.token.transfer, donor.address, tokens(2000))  # else there would be more than claims


def test_a_shortfall_of_one_market_costs_all_who_leave_while_it_is_open_alike(desk: Desk, venue: Venue) -> None:
    """heron is bankrupt by 4,000; before anyone takes it over, hawk closes against whale and leaves with its profit.

    |       | deposit | market | position        | at 150 | takes out | is paid |
    | hawk  |   1,000 | A      | +100 from 100   |  6,000 |     6,000 |   6,000 |
    | heron |   1,000 | A      | -100 from 100   | -4,000 |           |         |
    | whale |   1,500 | A      | +100 from 150   |  1,500 |           |         |
    | owl   |  10,000 | B      | never had one   |        |    10,000 |   7,500 |

    Until then owl waits: there is not enough for all, and nobody has been asked to bear it yet, which
    anyone may do. The round takes 1,500 from whale; the 2,500 that nobody has are the open deficit, beside 7,500 held.
    """
    first, second = (open_desk(venue, name, 100) for name in ("A-USD", "B-USD"))
    withdraw(desk, desk.trader("whale"), tokens(60_000))
    assert (held(desk), deficit(desk)) == (0, 0)
    hawk, heron, whale, owl = (first.trader(name) for name in ("hawk", "heron", "whale", "owl"))
    for where, who, amount in ((first, hawk, 1000), (first, heron, 1000), (second, owl, 10_000)):
        where.deposit(who, amount)
    first.trade(heron, hawk, wad(100), wad(100))
    first.price(150)
    first.deposit(whale, 1500)
    first.trade(hawk, whale, wad(100), wad(150))
    withdraw(first, hawk, tokens(6000))
    assert first.token.balanceOf(hawk.address) == tokens(6000)
    lacking = {"sender": first.exchange.address, "balance": tokens(7500), "needed": tokens(10_000)}
    with refused(first.token.ERC20InsufficientBalance, **lacking):
        withdraw(second, owl, tokens(10_000))
    first.take_over(heron, by=owl)
    first.deleverage(Side.SHORT, [whale], by=owl)
    assert (held(first), deficit(first)) == (tokens(7500), wad(2500))
    withdraw(second, owl, tokens(10_000))
    assert (first.token.balanceOf(owl.address), held(first), deficit(first)) == (tokens(7500), 0, 0)
