"""Funding: what an hour's fills cost one side and bring the other, settled lazily, to the wei."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, now, refused, wait_until
from tests.support.desk import Account, Desk, open_desk
from tests.support.proofs import nothing_changes

HOUR = 3600
TEN = wad(10)
HUNDRED = wad(100)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 100, 40x, mmf 2 %; a fill counts at most 1 % of mark. Hawk and dove have 100,000 each."""
    desk = open_desk(venue, "FUND-USD", 100, initial="0.025", maintenance="0.02")
    desk.set_parameters(funding_cap=wad("0.01"))
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 100_000)
    return desk


def next_hour() -> int:
    """Where the next hour begins."""
    return (now() // HOUR + 1) * HOUR


def open_hour(desk: Desk, price: int | str = 100) -> int:
    """A price in the first second of the next hour; when the one after it begins."""
    start = next_hour()
    desk.price(price, at=start)
    return start + HOUR


def fill(desk: Desk, contracts: int, price: int, *, at: int | None = None) -> Done:
    """Dove takes from hawk."""
    return desk.trade(desk.trader("hawk"), desk.trader("dove"), contracts, price, at=at)


def accrue(desk: Desk, *, at: int | None = None) -> Done:
    return act(desk.trader("stranger"), desk.exchange.accrue, desk.market.id, at=at)


def index(desk: Desk) -> int:
    """As it would be accrued now."""
    return int(desk.exchange.fundingIndex(desk.market.id))


def index_after(desk: Desk, *fills: tuple[int, int]) -> int:
    """The index once an hour of these fills (contracts, price) is over."""
    end = open_hour(desk)
    for contracts, price in fills:
        fill(desk, contracts, price)
    assert now() < end
    wait_until(end)
    return index(desk)


def owed(desk: Desk, who: str) -> int:
    """What a position owes, as a page shows it."""
    rows = {bytes(row.account): row.funding for row in desk.lens.accounts(desk.market.id, 0, 100)}
    return int(rows[desk.account(desk.trader(who))])


def margin(desk: Desk, who: str) -> int:
    return desk.holding(desk.trader(who)).margin


# ---------------------------------------------------------------------- the premium of an hour


def test_above_mark_longs_pay(desk: Desk) -> None:
    assert index_after(desk, (TEN, wad("100.5"))) == wad("0.5")
    assert (owed(desk, "dove"), owed(desk, "hawk")) == (wad(5), -wad(5))


def test_below_mark_shorts_pay(desk: Desk) -> None:
    assert index_after(desk, (TEN, wad("99.8"))) == -wad("0.2")
    assert (owed(desk, "dove"), owed(desk, "hawk")) == (-wad(2), wad(2))


def test_at_mark_nobody_pays(desk: Desk) -> None:
    assert index_after(desk, (TEN, HUNDRED)) == 0


def test_it_is_the_price_that_counts_and_not_who_takes(desk: Desk) -> None:
    assert index_after(desk, (-TEN, wad("100.5"))) == wad("0.5")


def test_fills_are_weighted_by_contracts(desk: Desk) -> None:
    # (30 * 0.5 - 10 * 0.3) / 40
    assert index_after(desk, (wad(30), wad("100.5")), (wad(10), wad("99.7"))) == wad("0.3")


@pytest.mark.parametrize(
    ("price", "premium"),
    [
        (wad(101), wad(1)),
        (wad(101) - 1, wad(1) - 1),
        (wad(101) + 1, wad(1)),
        (wad(150), wad(1)),
        (wad(99), -wad(1)),
        (wad(99) + 1, -wad(1) + 1),
        (wad(99) - 1, -wad(1)),
        (wad(1), -wad(1)),
    ],
)
def test_a_fill_counts_at_most_its_cap(desk: Desk, price: int, premium: int) -> None:
    assert index_after(desk, (wad(1), price)) == premium


def test_an_outlier_is_capped_before_it_is_averaged(desk: Desk) -> None:
    """A thousandth of the volume at a price out of this world moves the hour by a thousandth of the cap."""
    assert index_after(desk, (wad("9.99"), HUNDRED), (wad("0.01"), wad(5000))) == wad("0.001")


def test_the_average_is_rounded_down(desk: Desk) -> None:
    # 2 wei a contract over 3 contracts' volume, one of them; and below zero.
    assert index_after(desk, (wad(1), HUNDRED + 2), (wad(2), HUNDRED)) == 0
    assert index_after(desk, (wad(1), HUNDRED - 2), (wad(2), HUNDRED)) == -1


@pytest.mark.parametrize("sign", [1, -1])
def test_the_premium_of_a_fill_is_rounded_toward_zero(desk: Desk, sign: int) -> None:
    end = open_hour(desk)
    fill(desk, wad("1.5"), HUNDRED + sign)
    assert (desk.funding().premium, desk.funding().volume) == (sign, wad("1.5"))
    fill(desk, wad("0.5"), HUNDRED + sign)
    assert (desk.funding().premium, desk.funding().volume) == (sign, wad(2))
    assert now() < end


def test_without_a_cap_there_is_no_funding(desk: Desk) -> None:
    desk.set_parameters(funding_cap=0)
    assert index_after(desk, (TEN, wad(105))) == 0
    assert (desk.funding().premium, desk.funding().volume) == (0, 0)


def test_a_new_cap_is_for_new_fills(desk: Desk) -> None:
    end = open_hour(desk)
    fill(desk, TEN, wad(101))
    desk.set_parameters(funding_cap=wad("0.001"))
    fill(desk, TEN, wad(101))
    wait_until(end)
    assert index(desk) == (wad(1) + wad("0.1")) // 2


# ---------------------------------------------------------------------- hours


def test_the_last_second_of_an_hour_and_the_first_of_the_next(desk: Desk) -> None:
    end = open_hour(desk)
    fill(desk, TEN, wad("100.5"))
    wait_until(end - 1)
    assert index(desk) == 0
    wait_until(end)
    assert index(desk) == wad("0.5")


def test_a_fill_in_the_last_second_counts_for_its_hour(desk: Desk) -> None:
    end = open_hour(desk)
    fill(desk, TEN, wad("100.2"))
    fill(desk, TEN, wad("100.4"), at=end - 1)
    # This one is the first of the next hour, before which the hour is accrued.
    desk.price(100, at=end)
    done = fill(desk, TEN, wad("100.9"))
    assert emitted(done, desk.exchange.FundingAccrued) == [{"market": desk.market.id, "index": wad("0.3")}]
    assert (desk.funding().premium, desk.funding().volume) == (wad(9), TEN)
    wait_until(end + HOUR)
    assert index(desk) == wad("1.2")


def test_an_hour_without_fills_pays_nothing(desk: Desk) -> None:
    index_after(desk, (TEN, wad("100.5")))
    for _ in range(3):
        wait_until(next_hour())
        assert index(desk) == wad("0.5")


def test_however_late_the_hour_counts_once(desk: Desk) -> None:
    index_after(desk, (TEN, wad("100.5")))
    wait_until(now() + 1000 * HOUR)
    done = accrue(desk)
    assert emitted(done, desk.exchange.FundingAccrued) == [{"market": desk.market.id, "index": wad("0.5")}]
    assert (desk.funding().premium, desk.funding().volume, desk.funding().index) == (0, 0, wad("0.5"))


def test_accruing_again_does_nothing(desk: Desk) -> None:
    index_after(desk, (TEN, wad("100.5")))
    accrue(desk)
    with nothing_changes(desk.venue):
        assert accrue(desk).logs == ()


def test_accruing_does_not_disturb_an_hour_that_goes_on(desk: Desk) -> None:
    end = open_hour(desk)
    fill(desk, TEN, wad("100.5"))
    with nothing_changes(desk.venue):
        assert accrue(desk).logs == ()
    wait_until(end)
    assert index(desk) == wad("0.5")


@pytest.mark.parametrize("hourly", [True, False], ids=["every hour", "once"])
def test_many_accruals_are_as_good_as_one(desk: Desk, hourly: bool) -> None:
    hours = 5
    index_after(desk, (TEN, wad("100.5")))
    start = next_hour()
    for i in range(hours):
        if hourly or i == hours - 1:
            accrue(desk, at=start + i * HOUR)
    assert tuple(desk.funding())[:1] == (wad("0.5"),)
    assert (owed(desk, "dove"), owed(desk, "hawk")) == (wad(5), -wad(5))
    assert desk.funding().hour == now() // HOUR


def test_a_market_that_is_not_listed(desk: Desk) -> None:
    for missing in (0, desk.exchange.marketCount() + 1):
        with refused(desk.exchange.MarketUnlisted, market=missing):
            act(desk.trader("stranger"), desk.exchange.accrue, missing)


def test_no_price_is_needed(desk: Desk) -> None:
    index_after(desk, (TEN, wad("100.5")))
    desk.venue.endpoint.request("anvil_setCode", desk.market.feed.address, "0x")
    accrue(desk)
    assert desk.funding().index == wad("0.5")


# ---------------------------------------------------------------------- who pays, and when


def test_it_is_settled_when_a_position_is_touched_and_counts_before(desk: Desk) -> None:
    index_after(desk, (TEN, wad("100.5")))
    accrue(desk)
    dove, hawk = desk.account(desk.trader("dove")), desk.account(desk.trader("hawk"))
    assert (margin(desk, "dove"), margin(desk, "hawk")) == (wad(100_000), wad(100_000))
    assert desk.exchange.health(dove).collateral == wad(99_995)
    assert desk.exchange.health(hawk).collateral == wad(100_005)
    desk.price(100)
    crow = desk.trader("crow")
    desk.deposit(crow, 1000)
    done = desk.trade(crow, desk.trader("dove"), wad(1), HUNDRED)
    # Crow, who is new, pays nothing for the past.
    assert emitted(done, desk.exchange.FundingPaid) == [{"account": dove, "market": desk.market.id, "amount": wad(5)}]
    assert (margin(desk, "dove"), margin(desk, "hawk"), margin(desk, "crow")) == (
        wad(99_995),
        wad(100_000),
        wad(1000),
    )
    assert desk.funding().pot == wad(5)
    assert (owed(desk, "dove"), owed(desk, "hawk"), owed(desk, "crow")) == (0, -wad(5), 0)


def test_a_deposit_settles_nothing_and_loses_nothing(desk: Desk) -> None:
    index_after(desk, (TEN, wad("100.5")))
    done = desk.deposit(desk.trader("dove"), 1)
    assert emitted(done, desk.exchange.FundingPaid) == []
    assert owed(desk, "dove") == wad(5)


def test_what_is_owed_cannot_be_withdrawn(desk: Desk) -> None:
    """Swan, long 10 on 100 that need 25, owes 10 after an hour at the cap."""
    end = open_hour(desk)
    swan = desk.trader("swan")
    desk.deposit(swan, 100)
    desk.trade(desk.trader("hawk"), swan, TEN, wad(101))
    wait_until(end)
    desk.price(101)
    # No loss at 101; 100 - 10 of funding - 25.25.
    short = {"account": desk.account(swan), "available": wad("25.25") - 10**12, "required": wad("25.25")}
    with refused(desk.exchange.MarginInsufficient, **short):
        act(swan, desk.exchange.withdraw, desk.account(swan), tokens("64.75") + 1, swan.address)
    act(swan, desk.exchange.withdraw, desk.account(swan), tokens("64.75"), swan.address)
    assert desk.holding(swan) == Account(TEN, wad(1010), wad("35.25"))


def test_what_is_due_to_be_got_can_be_withdrawn_from_the_margin(desk: Desk) -> None:
    end = open_hour(desk)
    swan = desk.trader("swan")
    desk.deposit(swan, 100)
    desk.trade(desk.trader("dove"), swan, -TEN, wad(101))
    wait_until(end)
    desk.price(101)
    act(swan, desk.exchange.withdraw, desk.account(swan), tokens("84.75"), swan.address)
    assert desk.exchange.health(desk.account(swan)).equity == wad("25.25")


def long_of_ten_at_the_cap(desk: Desk, deposit: str, hours: int = 1) -> Any:
    """Swan, long 10 from 101, which cost it 10 at mark and then 10 of funding in each hour; MM is 20."""
    end = open_hour(desk)
    swan = desk.trader("swan")
    desk.deposit(swan, deposit)
    desk.trade(desk.trader("hawk"), swan, TEN, wad(101))
    for _ in range(hours - 1):
        end = open_hour(desk)
        fill(desk, TEN, wad(101))
    wait_until(end)
    desk.price(100)
    return swan


def test_funding_alone_brings_a_liquidation(desk: Desk) -> None:
    liquidator = desk.trader("liquidator")
    desk.deposit(liquidator, 1000)
    swan = long_of_ten_at_the_cap(desk, "40")
    due = {"account": desk.account(swan), "equity": wad(20), "maintenanceMargin": wad(20)}
    with nothing_changes(desk.venue), refused(desk.exchange.LiquidationNotDue, **due):
        desk.liquidate(swan, by=liquidator)
    act(swan, desk.exchange.cancelAll)
    crow = desk.trader("crow")
    desk.deposit(crow, 1000)
    end = open_hour(desk)
    # A wei of premium more, over all that is filled.
    desk.trade(crow, desk.trader("dove"), wad(1), HUNDRED + 1)
    wait_until(end)
    desk.price(100)
    done = desk.liquidate(swan, wad(1), by=liquidator)
    assert emitted(done, desk.exchange.FundingPaid)[0] == {
        "account": desk.account(swan),
        "market": desk.market.id,
        "amount": wad(10) + 10,
    }


@pytest.mark.parametrize(("deposit", "due"), [("40.000001", False), ("40", True)])
def test_funding_alone_brings_a_takeover(desk: Desk, deposit: str, due: bool) -> None:
    """In two hours at least: the cap is half of the maintenance margin fraction, and it was above all of that."""
    swan = long_of_ten_at_the_cap(desk, deposit, hours=2)
    if due:
        (taken,) = emitted(desk.take_over(swan), desk.exchange.TakenOver)
        assert (taken["equity"], taken["bankruptcyNotional"]) == (wad(10), wad(990))
        return
    equity = wad("10.000001")
    with refused(desk.exchange.TakeoverNotDue, account=desk.account(swan), equity=equity, maintenanceMargin=wad(20)):
        desk.take_over(swan)


@pytest.mark.parametrize("side", [1, -1])
def test_an_hour_at_a_constant_price_costs_at_most_half_of_the_maintenance_margin(desk: Desk, side: int) -> None:
    """This is the widest cap that the margin allows."""
    swan = desk.trader("swan")
    desk.deposit(swan, 50)
    end = open_hour(desk)
    desk.trade(desk.trader("hawk"), swan, side * TEN, HUNDRED)
    before = desk.exchange.health(desk.account(swan))
    fill(desk, wad(10_000), HUNDRED + side * wad(5))
    desk.trade(desk.trader("hawk"), desk.trader("dove"), -wad(10_000), HUNDRED + side * wad(5))
    wait_until(end)
    desk.price(100)
    after = desk.exchange.health(desk.account(swan))
    paid = before.equity - after.equity
    assert wad("9.99") < paid < before.maintenanceMargin // 2 == TEN


def test_a_takeover_settles_what_is_owed(desk: Desk) -> None:
    end = open_hour(desk)
    swan = desk.trader("swan")
    desk.deposit(swan, 35)
    desk.trade(desk.trader("hawk"), swan, TEN, HUNDRED + wad("0.5"))
    wait_until(end)
    desk.price("97.4")
    done = desk.take_over(swan)
    assert emitted(done, desk.exchange.FundingPaid) == [
        {"account": desk.account(swan), "market": desk.market.id, "amount": wad(5)}
    ]
    (taken,) = emitted(done, desk.exchange.TakenOver)
    # 35 - 5 - 10 * 3.1; the pool takes it over from where the margin ended.
    assert (taken["equity"], taken["bankruptcyNotional"]) == (-wad(1), wad(1005) - wad(30))
    assert desk.exchange.market(desk.market.id).funding.pot == wad(5)


# ---------------------------------------------------------------------- roundings


def test_roundings_are_against_the_payer_and_stay_as_dust(desk: Desk) -> None:
    end = open_hour(desk)
    fill(desk, TEN, HUNDRED + wad("0.5"))
    wait_until(end)
    accrue(desk)
    # Swan and crow enter at 0.5, and leave at 1 with 1 contract and a wei: half a wei is owed and due.
    end = open_hour(desk)
    swan, crow = desk.trader("swan"), desk.trader("crow")
    for who in (swan, crow):
        desk.deposit(who, 100)
    desk.trade(crow, swan, wad(1) + 1, HUNDRED)
    fill(desk, wad(1) + 1, HUNDRED + wad(1))
    wait_until(end)
    assert index(desk) == wad(1)
    assert (owed(desk, "swan"), owed(desk, "crow")) == (wad("0.5") + 1, -wad("0.5"))
    desk.price(100)
    desk.trade(crow, swan, -wad(1) - 1, HUNDRED)
    assert (margin(desk, "swan"), margin(desk, "crow")) == (wad("99.5") - 1, wad("100.5"))
    funding = desk.funding()
    assert (funding.pot, funding.rest, funding.dust) == (1, 0, 1)


def test_dust_is_swept_to_the_pool(desk: Desk) -> None:
    test_roundings_are_against_the_payer_and_stay_as_dust(desk)
    before = desk.pool_cash()
    done = act(desk.trader("stranger"), desk.exchange.sweep, desk.market.id)
    assert emitted(done, desk.exchange.FeesSwept) == [
        {"market": desk.market.id, "toPool": 0, "toTreasury": 0, "toKeepers": 0, "dust": 1}
    ]
    assert desk.pool_cash() == before + 1
    assert (desk.funding().pot, desk.funding().dust) == (0, 0)


def test_one_rounding_alone_is_no_dust_yet(desk: Desk) -> None:
    """Half a wei stays in the pot until another half makes it one."""
    end = open_hour(desk)
    swan, crow, finch = (desk.trader(name) for name in ("swan", "crow", "finch"))
    for who in (swan, crow, finch):
        desk.deposit(who, 100)
    desk.trade(crow, swan, wad(1) + 1, HUNDRED + wad("0.5"))
    wait_until(end)
    change = index(desk)
    desk.price(100)
    desk.trade(finch, swan, -wad(1) - 1, HUNDRED)
    exact = (wad(1) + 1) * change
    paid = -(-exact // 10**18)
    funding = desk.funding()
    assert (funding.pot, funding.rest, funding.dust) == (paid, paid * 10**18 - exact, 0)
    with nothing_changes(desk.venue):
        assert act(desk.trader("stranger"), desk.exchange.sweep, desk.market.id).logs == ()
    desk.trade(finch, crow, wad(1) + 1, HUNDRED)
    funding = desk.funding()
    assert funding.pot == funding.dust == 1 - (exact % 10**18 == 0)
    assert funding.rest == 0


def test_the_pot_ends_with_the_dust_whoever_comes_first(desk: Desk) -> None:
    """The side that gets may come before the side that pays: the pot is negative until then."""
    index_after(desk, (TEN, wad("100.5")))
    desk.price(100)
    crow = desk.trader("crow")
    desk.deposit(crow, 1000)
    desk.trade(crow, desk.trader("hawk"), wad(1), HUNDRED)
    assert desk.funding().pot == -wad(5)
    desk.trade(crow, desk.trader("dove"), wad(1), HUNDRED)
    assert desk.funding().pot == 0
