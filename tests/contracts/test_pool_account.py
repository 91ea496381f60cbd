"""The account of a pool: what moved its cash, item by item, to the wei, and one event for every change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, now, wait_until
from tests.support.deficits import open_deficit
from tests.support.desk import Desk, open_desk
from tests.support.enums import Item, Side
from tests.support.stakers import Stakers, fresh, open_group

HOUR = 3600


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 100, 40x, with funding to 1 % of mark; hawk and dove have 1,000,000 each."""
    desk = open_desk(venue, "FUND-USD", 100, initial="0.025", maintenance="0.02")
    desk.set_parameters(funding_cap=wad("0.01"))
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1_000_000)
    return desk


def accounts(desk: Desk) -> dict[int, list[int]]:
    """The items of all pools."""
    return {pool: list(desk.fund.items(pool)) for pool in range(1, desk.fund.poolCount() + 1)}


def realized(desk: Desk) -> dict[int, int]:
    """What each market has earned or lost in closed business; here each pool has one."""
    found = {}
    for number in range(1, desk.exchange.marketCount() + 1):
        pool, state = desk.exchange.market(number).pool, desk.fund.backing(number)
        losses = state.longLoss + state.shortLoss
        assert desk.fund.pool(pool).markets == [number]
        unsettled = desk.fund.pool(pool).cash - losses - desk.fund.balanceOf(pool)
        assert desk.fund.balanceOf(pool) == state.balance
        found[number] = state.pnl + losses + unsettled
    return found


def booked(desk: Desk, action: Callable[[], Done]) -> dict[tuple[int, int], int]:
    """Does something; what it entered, by pool and item. Account, cash, results and events agree on it."""
    items, results = accounts(desk), realized(desk)
    done = action()
    entries = emitted(done, desk.fund.Entered)
    running = {pool: sum(amounts) for pool, amounts in items.items()}
    by_market: Counter[int] = Counter()
    moved: dict[tuple[int, int], int] = {}
    for entry in entries:
        pool, item, amount = entry["pool"], entry["item"], entry["amount"]
        assert amount != 0
        running[pool] += amount
        assert entry["cash"] == running[pool]
        assert entry["market"] in (0, *desk.fund.pool(pool).markets)
        assert entry["market"] == 0 or item <= Item.FUNDING
        by_market[entry["market"]] += amount
        moved[pool, item] = moved.get((pool, item), 0) + amount
    after = accounts(desk)
    for pool, amounts in after.items():
        cash = desk.fund.pool(pool).cash
        assert sum(amounts) == cash == running[pool]
        change = {
            item: now_ - was for item, (now_, was) in enumerate(zip(amounts, items[pool], strict=True)) if now_ != was
        }
        assert change == {item: amount for (where, item), amount in moved.items() if where == pool and amount}
    for number, result in realized(desk).items():
        assert result - results[number] == by_market[number]
    return moved


def test_the_items_have_their_names(desk: Desk) -> None:
    assert len(desk.fund.items(desk.market.pool)) == len(Item)
    assert desk.fund.items(desk.market.pool) == [0] * len(Item)


@pytest.mark.parametrize("named", [False, True])
def test_contribution(desk: Desk, named: bool) -> None:
    found = booked(desk, lambda: desk.contribute("12.345678", to_market=named))
    assert found == {(desk.market.pool, Item.CONTRIBUTION): wad("12.345678")}


def test_liquidation_fee(desk: Desk) -> None:
    desk.open("dodo", wad(10), wad(100), 30, against="hawk")
    desk.price("98.5")
    found = booked(desk, lambda: desk.liquidate(desk.trader("dodo"), by=desk.trader("dove")))
    ((key, fee),) = found.items()
    assert key == (desk.market.pool, Item.LIQUIDATION_FEE)
    assert fee > 0


def test_trading_fee(desk: Desk) -> None:
    """Half of 1 % of 1,000."""
    pay_fees(desk)
    found = booked(desk, lambda: sweep(desk))
    assert found == {(desk.market.pool, Item.TRADING_FEE): wad(5)}


def pay_fees(desk: Desk) -> None:
    """10: five for the pool, three for the treasury, two for keepers."""
    desk.set_parameters(taker_fee=wad("0.01"))
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(10), wad(100))


def sweep(desk: Desk) -> Done:
    return act(desk.trader("stranger"), desk.exchange.sweep, desk.market.id)


def test_trading_fee_under_a_cap(desk: Desk) -> None:
    """Of 5 there is room for 2."""
    Stakers(desk).set_staking(cap=wad(2))
    pay_fees(desk)
    assert booked(desk, lambda: sweep(desk)) == {(desk.market.pool, Item.TRADING_FEE): wad(2)}
    assert desk.exchange.reserves()[1] == wad(6)


@pytest.mark.parametrize("side", list(Side), ids=["long", "short"])
@pytest.mark.parametrize("after", [0, 1800], ids=["at the premium", "at the floor"])
def test_auction(desk: Desk, side: Side, after: int) -> None:
    """10 contracts that came at 97 or 103, sold for 2 % more than mark, then for 2 % less."""
    desk.contribute(1000)
    desk.inherit("icarus", side.sign * 10, 100, 30, 100 - 3 * side.sign)
    start = desk.auction_start(side)
    mark, entry = desk.mark(), desk.inventory(side)[1]
    price = mark * (100 + side.sign * (2 if after == 0 else -2)) // 100
    if after:
        wait_until(start + after)
        found = booked(desk, lambda: desk.buy(side, by=desk.trader("dove")))
        assert found == {(desk.market.pool, Item.AUCTION): side.sign * 10 * price - entry}
        return
    found = booked(desk, lambda: desk.buy(side, by=desk.trader("dove")))
    ((key, result),) = found.items()
    assert key == (desk.market.pool, Item.AUCTION)
    assert 0 < result <= side.sign * 10 * price - entry


def test_deleveraging(desk: Desk) -> None:
    """100 contracts from 97 at 90, closed at their price."""
    desk.inherit("icarus", 100, 100, 300, 90)
    assert desk.backing().balance == wad(-700)
    assert booked(desk, lambda: desk.deleverage(Side.LONG, [desk.trader("whale")])) == {}
    desk.contribute(1000)
    desk.inherit("midas", 100, 100, 300, 93)
    desk.price(90)
    terms = desk.terms(Side.LONG)
    found = booked(desk, lambda: desk.deleverage(Side.LONG, [desk.trader("whale")]))
    assert found == {(desk.market.pool, Item.DELEVERAGING): 100 * (terms.price - wad(97))}


def test_netting(venue: Venue) -> None:
    """Long 10 from 90 and short 10 from 110 of the pool itself: 200 at any mark."""
    alone = open_desk(venue, "NET-USD", 100, initial="0.1", maintenance="0.05")
    alone.seat("""
        icarus  10 100 100
        midas  -10 100 100
    """)
    for mark, name in ((90, "icarus"), (120, "midas")):
        alone.price(mark)
        alone.take_over(alone.trader(name))
    found = booked(alone, lambda: alone.deleverage(Side.SHORT, []))
    assert found == {(alone.market.pool, Item.DELEVERAGING): wad(200)}


@pytest.mark.parametrize("premium", ["0.5", "-0.5"])
def test_funding_of_inventory(desk: Desk, premium: str) -> None:
    """What it owes counts in the balance first, and is an item when it is settled; nothing else changes."""
    desk.contribute(3000)
    desk.inherit("icarus", 1000, 100, 3000, 97)
    hour_of(desk, wad(97) + wad(premium), 97)
    balance = desk.backing().balance
    assert balance == wad(3000) - 1000 * wad(premium)
    buyer = desk.trader("dove")
    found = booked(desk, lambda: desk.buy(Side.LONG, wad(1), by=buyer))
    assert found[desk.market.pool, Item.FUNDING] == -1000 * wad(premium)
    assert desk.backing().balance == balance + found[desk.market.pool, Item.AUCTION]


def hour_of(desk: Desk, price: int, mark: int) -> None:
    """An hour in which 20 contracts are filled at a price, and the first second of the one after it."""
    start = (now() // HOUR + 1) * HOUR
    desk.price(mark, at=start)
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(20), price)
    desk.price(mark, at=start + HOUR)


def test_dust_of_funding(desk: Desk) -> None:
    """Three parts of a contract pay and get what is no whole number of wei; what is left over is the pool's."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    desk.trade(hawk, dove, 3, wad(100))
    start = (now() // HOUR + 1) * HOUR
    desk.price(100, at=start)
    desk.trade(hawk, dove, 3 * 10**17 + 1, wad(100) + 333)
    desk.price(100, at=start + HOUR)
    desk.trade(hawk, dove, 1, wad(100))
    dust = desk.funding().dust
    assert dust > 0
    assert booked(desk, lambda: sweep(desk)) == {(desk.market.pool, Item.FUNDING): dust}


def test_stake_and_exit(desk: Desk) -> None:
    stakers = Stakers(desk)
    assert booked(desk, lambda: stakers.stake("ann", 100)) == {(desk.market.pool, Item.STAKE): wad(100)}
    wait_until(stakers.request_exit("ann"))
    ann = desk.trader("ann")
    found = booked(desk, lambda: act(ann, stakers.shares.withdraw, tokens(30), ann.address, ann.address))
    assert found == {(desk.market.pool, Item.EXIT): wad(-30)}


def test_redistribution(venue: Venue, desk: Desk) -> None:
    first, second = open_group(venue, {"A-USD": 0, "B-USD": 600})
    first.inherit("icarus", 100, 100, 1000, 80)
    found = booked(first, lambda: act(first.trader("stranger"), first.fund.redistribute))
    assert found == {
        (first.market.pool, Item.REDISTRIBUTION): wad(600),
        (second.market.pool, Item.REDISTRIBUTION): wad(-600),
    }


def test_repayment_and_what_others_pay(venue: Venue, desk: Desk) -> None:
    """A repayment, a withdrawal and the treasury's share while a deficit is open."""
    poor = open_desk(venue, "LUNA-USD", 100)
    open_deficit(poor, 5000)
    donor, hawk = poor.trader("donor"), desk.trader("hawk")
    desk.fill_purse(donor, 1000)
    found = booked(desk, lambda: act(donor, desk.fund.repay, poor.market.pool, tokens(1000)))
    assert found == {(poor.market.pool, Item.REPAYMENT): wad(1000)}
    held = desk.token.balanceOf(desk.exchange)
    paid = tokens(1000) * held // (held + tokens(4000))
    found = booked(desk, lambda: act(hawk, desk.exchange.withdraw, desk.account(hawk), tokens(1000), hawk.address))
    assert found == {(poor.market.pool, Item.DEFICIT): wad(1000) - paid * 10**12}
    pay_fees(desk)
    found = booked(desk, lambda: sweep(desk))
    assert found == {(desk.market.pool, Item.TRADING_FEE): wad(5), (poor.market.pool, Item.DEFICIT): wad(3)}


def test_what_a_takeover_moves_is_the_funding_alone(desk: Desk) -> None:
    """The inventory comes at what it costs; the account stays."""
    desk.contribute(3000)
    assert booked(desk, lambda: desk.inherit("icarus", 1000, 100, 3000, 96)) == {}
    hour_of(desk, wad("96.5"), 96)
    fresh(desk)
    desk.deposit(desk.trader("midas"), 300)
    desk.price(100)
    desk.trade(desk.trader("whale"), desk.trader("midas"), wad(100), wad(100))
    desk.price(96)
    found = booked(desk, lambda: desk.take_over(desk.trader("midas")))
    assert found == {(desk.market.pool, Item.FUNDING): wad(-500)}
