"""`buyInventory`: the price over time, what a buyer and the pool end with, and the sales that a pool must refuse."""

from __future__ import annotations

import pytest

from backstop.adl.snapshot import Side as SnapshotSide
from backstop.chain.snapshot import read_chain
from backstop.chain.terms import Auction
from backstop.math.wad import WAD
from scripts.stage.venue import HEARTBEAT, ONE_DAY, TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, imagine, now, refused, wait_until
from tests.support.desk import ALL, Account, Desk, damaged, open_desk
from tests.support.enums import Item, Side
from tests.support.proofs import assert_proofs

LONG, SHORT = Side.LONG, Side.SHORT
DURATION = 1800


def set_out(desk: Desk, contribution: int) -> Desk:
    """A pool with so much, and a buyer with 1,000; an auction takes 1,800 s from mark + 2 % to mark - 5 %."""
    if contribution:
        desk.contribute(contribution)
    desk.deposit(desk.trader("whale"), 1_000_000)
    desk.deposit(desk.trader("buyer"), 1000)
    return desk


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A pool with 1,000."""
    return set_out(Desk(venue, market), 1000)


def beside(venue: Venue, contribution: int) -> Desk:
    """A market like it whose pool has another sum."""
    return set_out(open_desk(venue, "BTC-USD", 100, initial="0.1", maintenance="0.05"), contribution)


def inherit(desk: Desk, side: Side = LONG, name: str = "ruined", contracts: int = 10) -> int:
    """Brings contracts from 100 with a margin of 10 % into the pool at 90 (shorts at 110), where their equity is 0.

    So their bankruptcy price is the mark, and the pool has neither gained nor lost. Returns when that was.
    """
    return desk.inherit(name, side.sign * contracts, 100, 10 * contracts, 100 - 10 * side.sign).timestamp


def bought(desk: Desk, done: Done) -> tuple[int, int, int]:
    """Signed size, its value and the price of a contract."""
    [event] = emitted(done, desk.exchange.InventoryBought)
    return event["size"], event["value"], event["price"]


def sold(desk: Desk, done: Done) -> tuple[int, int, int]:
    """Signed size, its value and what the pool gained."""
    [event] = emitted(done, desk.fund.InventorySold)
    return event["size"], event["value"], event["result"]


def set_auction(desk: Desk, premium: int, duration: int) -> Done:
    return act(desk.venue.owner, desk.fund.setAuctionParameters, desk.market.id, premium, duration)


# ---------------------------------------------------------------------- the price


@pytest.mark.parametrize(
    ("side", "elapsed", "price"),
    [
        # Premium 2 %, then 7 % over 1,800 s.
        (LONG, 0, "91.8"),
        (LONG, 200, "91.1"),
        (LONG, 900, "88.65"),
        (LONG, 1799, "85.5035"),
        (LONG, 1800, "85.5"),
        (LONG, 3000, "85.5"),
        (SHORT, 0, "107.8"),
        (SHORT, 200, "108.655555555555555555"),
        (SHORT, 900, "111.65"),
        (SHORT, 1800, "115.5"),
        (SHORT, 3000, "115.5"),
    ],
)
def test_the_price_moves_from_the_premium_to_the_floor(desk: Desk, side: Side, elapsed: int, price: str) -> None:
    start = inherit(desk, side)
    if elapsed:
        wait_until(start + elapsed)
    assert desk.auction(side) == (wad(price), wad(10))
    terms = read_chain(desk.venue.endpoint, desk.venue.deployment).terms[desk.market.name]
    assert terms.auctions == {SnapshotSide[side.name]: Auction(wad(price), wad(10))}


def test_a_buyer_takes_the_position_and_pays_the_price(desk: Desk) -> None:
    start, buyer = inherit(desk), desk.trader("buyer")
    # An equity of 0 was inherited, and its bankruptcy notional is 900.
    assert (desk.inventory(LONG), desk.auction_start(LONG)) == ((wad(10), wad(900)), start)
    done = desk.buy(LONG, wad(4), by=buyer, at=start + 900)
    passed = {"size": wad(4), "value": wad("354.6")}
    assert emitted(done, desk.exchange.InventoryBought) == [
        {"buyer": desk.account(buyer), "market": desk.market.id, **passed, "price": wad("88.65")}
    ]
    assert emitted(done, desk.fund.InventorySold) == [
        {"pool": desk.market.pool, "market": desk.market.id, "side": LONG, **passed, "result": -wad("5.4")}
    ]
    assert desk.holding(buyer) == Account(wad(4), wad("354.6"), wad(1000))
    assert (desk.inventory(LONG), desk.auction_start(LONG)) == ((wad(6), wad(540)), start)
    assert desk.pool_cash() == wad("994.6")
    backing = desk.backing()
    assert (backing.pnl, backing.loss) == (-wad("5.4"), wad("5.4"))


def test_a_short_inventory_is_bought_back(desk: Desk) -> None:
    start, buyer = inherit(desk, SHORT), desk.trader("buyer")
    assert (desk.inventory(SHORT), desk.auction_start(SHORT)) == ((-wad(10), -wad(1100)), start)
    done = desk.buy(SHORT, wad(4), by=buyer, at=start + 900)
    assert bought(desk, done) == (-wad(4), -wad("446.6"), wad("111.65"))
    assert sold(desk, done) == (-wad(4), -wad("446.6"), -wad("6.6"))
    assert desk.holding(buyer) == Account(-wad(4), -wad("446.6"), wad(1000))
    assert (desk.inventory(SHORT), desk.auction_start(SHORT)) == ((-wad(6), -wad(660)), start)
    assert desk.pool_cash() == wad("993.4")


def test_what_the_auction_earns_is_the_pools(desk: Desk) -> None:
    start = inherit(desk)
    done = desk.buy(LONG, by=desk.trader("buyer"), at=start)
    assert sold(desk, done)[2] == wad(18)
    assert desk.pool_cash() == wad(1018)
    backing = desk.backing()
    assert (backing.pnl, backing.maxPnl, backing.loss) == (wad(18), wad(18), 0)


def test_more_than_there_is_takes_all_there_is_to_the_wei(desk: Desk) -> None:
    start, buyer = inherit(desk), desk.trader("buyer")
    for place, contracts in enumerate((wad("3.333333333333333333"), 1, wad(1000))):
        desk.buy(LONG, contracts, by=buyer, at=start + 10 + place)
    assert desk.inventory(LONG) == (0, 0)
    assert desk.auction(LONG) == (0, 0)
    assert desk.holding(buyer).size == wad(10)


def test_it_returns_what_was_bought(desk: Desk) -> None:
    inherit(desk)
    buyer = desk.trader("buyer")
    arguments = desk.account(buyer), desk.market.id, LONG, wad(1000), ALL
    assert int(imagine(buyer, desk.exchange.buyInventory, *arguments), 16) == wad(10)


def test_a_buyer_may_net_a_position_of_the_other_side(desk: Desk) -> None:
    start, buyer = inherit(desk), desk.trader("buyer")
    desk.trade(desk.trader("whale"), buyer, -wad(6), wad(90))
    before = desk.open_interest()
    desk.buy(LONG, by=buyer, at=start + 900)
    # Short 6 and long 10 of the pool are long 4 of the buyer.
    assert desk.holding(buyer).size == wad(4)
    assert desk.open_interest() == before - wad(6)


# ---------------------------------------------------------------------- when an auction starts


def test_what_comes_in_later_moves_the_start_by_its_size(desk: Desk) -> None:
    first = inherit(desk)
    desk.price(100, at=first + 1000)
    second = desk.open("second", wad(30), wad(100), 300)
    desk.price(90)
    desk.take_over(second, at=first + 1200)
    # 10 from 0 and 30 from 1,200 s.
    assert desk.auction_start(LONG) == first + 900
    assert desk.auction(LONG) == (wad("90.75"), wad(40))


def test_dust_does_not_hold_it_up(desk: Desk) -> None:
    first = inherit(desk)
    desk.price(100, at=first + 1000)
    dust = desk.open("dust", wad("0.001"), wad(100), "0.01")
    desk.price(90)
    desk.take_over(dust, at=first + 1700)
    assert desk.auction_start(LONG) == first
    assert desk.auction(LONG) == (wad("85.85"), wad("10.001"))


@pytest.mark.parametrize(("waited", "start"), [(1799, 1349), (1800, 1350), (1801, 1351), (21 * ONE_DAY, 1_813_950)])
def test_what_was_there_counts_for_no_longer_than_the_auction_takes(desk: Desk, waited: int, start: int) -> None:
    first = inherit(desk)
    desk.price(100, at=first + waited - 100)
    second = desk.open("second", wad(30), wad(100), 300)
    desk.price(90)
    desk.take_over(second, at=first + waited)
    # 10 from 1,800 s ago at most, and 30 from now.
    assert desk.auction_start(LONG) == first + start
    assert desk.auction(LONG) == (wad("90.225"), wad(40))


def test_an_old_crumb_does_not_bring_what_comes_in_to_the_floor(desk: Desk) -> None:
    """One who holds both sides loses the long one to the pool, and takes it back in the next second."""
    crumb, long, short = desk.open("crumb", wad("0.1"), wad(100), 1), desk.trader("long"), desk.trader("short")
    desk.price(90)
    begun = desk.take_over(crumb).timestamp
    desk.price(100, at=begun + 21 * ONE_DAY)
    for trader in (long, short):
        desk.deposit(trader, 1000)
    desk.trade(short, long, wad(100), wad(100))
    desk.price("92.3")
    came = desk.take_over(long, by=short).timestamp
    # A thousandth of 1,800 s ago, and so 3 s ago in the next second; the floor is 87.685.
    assert desk.auction_start(LONG) == came - 2
    done = desk.buy(LONG, wad(100), by=short, at=came + 1)
    assert bought(desk, done)[2] == wad("94.135231666666666667")
    assert desk.holding(short).size == 0


def test_the_present_duration_is_the_one_that_counts(desk: Desk) -> None:
    first = inherit(desk)
    desk.price(100, at=first + 1000)
    second = desk.open("second", wad(30), wad(100), 300)
    desk.price(90)
    set_auction(desk, wad("0.02"), 400)
    desk.take_over(second, at=first + 1200)
    # 10 from 400 s ago and 30 from now.
    assert desk.auction_start(LONG) == first + 1100


def test_what_comes_in_after_all_was_sold_starts_anew(desk: Desk) -> None:
    first = inherit(desk)
    desk.buy(LONG, by=desk.trader("buyer"), at=first + 1700)
    start = inherit(desk, name="second")
    assert start >= first + 1700
    assert desk.auction_start(LONG) == start


def test_the_two_sides_are_auctioned_apart(desk: Desk) -> None:
    long = inherit(desk)
    wait_until(long + 500)
    short = inherit(desk, SHORT, "squeezed")
    assert short >= long + 500
    assert (desk.auction_start(LONG), desk.auction_start(SHORT)) == (long, short)
    assert desk.auction(SHORT) == (wad("107.8"), wad(10))
    desk.buy(SHORT, wad(5), by=desk.trader("buyer"))
    assert desk.inventory(LONG) == (wad(10), wad(900))
    assert desk.inventory(SHORT) == (-wad(5), -wad(550))


# ---------------------------------------------------------------------- the sales that are refused


def test_there_must_be_something_of_that_side(desk: Desk) -> None:
    inherit(desk)
    with refused(desk.fund.InventoryMissing, market=desk.market.id, side=SHORT):
        desk.buy(SHORT, by=desk.trader("buyer"))


def test_nothing_is_no_purchase(desk: Desk) -> None:
    inherit(desk)
    with refused(desk.fund.AmountZero):
        desk.buy(LONG, 0, by=desk.trader("buyer"))


@pytest.mark.parametrize(("side", "price", "worse"), [(LONG, "88.65", -1), (SHORT, "111.65", 1)])
def test_the_price_may_be_the_limit_and_no_wei_beyond(desk: Desk, side: Side, price: str, worse: int) -> None:
    start, buyer = inherit(desk, side), desk.trader("buyer")
    with refused(desk.exchange.AuctionPriceBeyondLimit, price=wad(price), limitPrice=wad(price) + worse):
        desk.buy(side, WAD, by=buyer, limit=wad(price) + worse, at=start + 900)
    done = desk.buy(side, WAD, by=buyer, limit=wad(price), at=start + 900)
    assert bought(desk, done) == (side.sign * WAD, side.sign * wad(price), wad(price))


def test_a_sale_that_brings_the_market_to_its_trigger_is_refused(desk: Desk) -> None:
    start, rich = inherit(desk, contracts=100), desk.trader("rich")
    # At the floor each contract costs the pool 4.5; 30 % of 1,000 are 66.66… of them.
    wait_until(start + DURATION)
    desk.deposit(rich, 10_000)
    # A wei and a half above 300, of which half a wei is rounded toward the pool.
    with refused(desk.fund.SaleRaisesDrawdown, market=desk.market.id, loss=wad(300) + 1, base=wad(1000)):
        desk.buy(LONG, wad("66.666666666666666667"), by=rich)
    desk.buy(LONG, wad("66.666666666666666666"), by=rich)
    assert desk.backing().loss == wad("299.999999999999999997")


def test_exactly_the_trigger_is_too_much(desk: Desk) -> None:
    start, rich = inherit(desk, contracts=100), desk.trader("rich")
    # 60 contracts lose 270 of 1,000.
    wait_until(start + DURATION)
    desk.deposit(rich, 10_000)
    bounds = wad("0.27"), wad("0.05"), wad("0.05")
    act(desk.venue.owner, desk.fund.setDrawdownBounds, desk.market.id, *bounds)
    with refused(desk.fund.SaleRaisesDrawdown, market=desk.market.id, loss=wad(270), base=wad(1000)):
        desk.buy(LONG, wad(60), by=rich)
    desk.buy(LONG, wad("59.999999999999999999"), by=rich)


def started(desk: Desk, price: str) -> int:
    """ADL starts at 31 %; then the auction is at its floor, and the mark at `price`. Returns when the auction began."""
    start = inherit(desk, contracts=100)
    desk.price("86.9")
    desk.checkpoint()
    assert (desk.backing().loss, desk.backing().drawdownDue) == (wad(310), True)
    desk.deposit(desk.trader("rich"), 10_000)
    desk.price(price, at=start + DURATION)
    return start


def test_above_the_stop_no_sale_makes_it_worse_once_adl_has_started(desk: Desk) -> None:
    started(desk, "87.49999999")
    rich = desk.trader("rich")
    # A little above 25 % of 1,000, below the trigger. A wei is sold for 84 that cost 90, where 2 were lost at mark.
    assert (desk.backing().loss, desk.backing().drawdownDue) == (wad("250.000001"), True)
    terms = desk.terms(LONG)
    with refused(desk.fund.SaleRaisesDrawdown, market=desk.market.id, loss=wad("250.000001") + 4, base=wad(1000)):
        desk.buy(LONG, 1, by=rich)
    assert desk.terms(LONG) == terms
    # At a price above mark a sale makes it better: here it ends ADL.
    set_auction(desk, wad("0.2"), ONE_DAY)
    desk.buy(LONG, WAD, by=rich)
    assert desk.backing().drawdownDue is False


def test_at_the_stop_it_has_ended_and_a_sale_may_go_up_to_the_trigger(desk: Desk) -> None:
    started(desk, "87.5")
    rich = desk.trader("rich")
    assert (desk.backing().loss, desk.backing().started, desk.backing().drawdownDue) == (wad(250), True, False)
    # At the floor 4.375 a contract: 11 lose 48.125.
    desk.buy(LONG, wad(11), by=rich)
    assert (desk.backing().loss, desk.backing().started) == (wad("298.125"), False)
    with refused(desk.fund.SaleRaisesDrawdown, market=desk.market.id, loss=wad("302.5"), base=wad(1000)):
        desk.buy(LONG, wad(1), by=rich)


def test_without_a_base_no_sale_makes_it_worse(venue: Venue) -> None:
    desk = beside(venue, 0)
    start = inherit(desk)
    # Nothing lost yet, and nothing to lose: at the floor each contract would cost 4.5.
    assert (desk.backing().base, desk.backing().loss) == (0, 0)
    with refused(desk.fund.SaleDepletesPool, pool=desk.market.pool, balance=-wad("4.5")):
        desk.buy(LONG, WAD, by=desk.trader("buyer"), at=start + DURATION)


def test_a_sale_that_takes_the_pool_below_zero_is_refused(venue: Venue) -> None:
    desk = beside(venue, 44)
    start = inherit(desk)
    with refused(desk.fund.SaleDepletesPool, pool=desk.market.pool, balance=-wad(1)):
        desk.buy(LONG, by=desk.trader("buyer"), at=start + DURATION)


def test_a_sale_may_help_a_pool_that_is_empty(venue: Venue) -> None:
    desk = beside(venue, 0)
    start, buyer = inherit(desk), desk.trader("buyer")
    desk.price(80)
    # 900 are worth 800: the pool, which has nothing, is at -100; at 81.28… a sale of the half brings it to -93.55….
    assert desk.backing().balance == -wad(100)
    price = wad("81.288888888888888889")
    with refused(desk.exchange.AuctionPriceBeyondLimit, price=price, limitPrice=wad(81)):
        desk.buy(LONG, by=buyer, limit=wad(81), at=start + 100)
    desk.buy(LONG, wad(5), by=buyer, at=start + 100)
    assert desk.backing().balance == -wad("93.555555555555555555")
    assert_proofs(venue)
    # At the floor, 76, it would lose more: 4 a contract.
    with refused(desk.fund.SaleDepletesPool, pool=desk.market.pool, balance=-wad("113.555555555555555555")):
        desk.buy(LONG, by=buyer, at=start + DURATION)


def test_a_sale_that_helps_is_allowed_while_adl_is_due_and_may_end_it(venue: Venue) -> None:
    desk = beside(venue, 300)
    start = inherit(desk)
    desk.price(81)
    # 90 of 300.
    backing = desk.backing()
    assert (backing.loss, backing.drawdownDue) == (wad(90), True)
    desk.checkpoint()
    assert desk.backing().started
    set_auction(desk, wad("0.02"), ONE_DAY)
    desk.buy(LONG, by=desk.trader("buyer"), at=start + 60)
    # Sold at almost 82.62, so 74 of 300 are lost: below the stop of 25 %.
    backing = desk.backing()
    assert (backing.started, backing.drawdownDue) == (False, False)


def test_nobody_buys_onto_another_owners_account(desk: Desk) -> None:
    inherit(desk)
    thief, onto = desk.trader("thief"), desk.account(desk.trader("buyer"))
    with refused(desk.exchange.NotAccountOwner, account=onto, caller=thief.address):
        desk.buy(LONG, by=thief, onto=onto)


@pytest.mark.parametrize("kind", ["AccountMalformed", "MarketUnlisted"])
def test_a_buyer_is_a_well_formed_account_of_a_listed_market(desk: Desk, kind: str) -> None:
    inherit(desk)
    buyer = desk.trader("buyer")
    onto, values = damaged(desk.account(buyer), kind)
    with refused(getattr(desk.exchange, kind), **values):
        desk.buy(LONG, by=buyer, onto=onto)


def test_the_account_says_which_market(desk: Desk, venue: Venue) -> None:
    inherit(desk)
    buyer, other = desk.trader("buyer"), open_desk(venue, "OTHER-USD", 100)
    onto = other.account(buyer)
    with refused(desk.exchange.AccountOfOtherMarket, account=onto, market=desk.market.id):
        desk.buy(LONG, by=buyer, onto=onto)
    with refused(desk.fund.InventoryMissing, market=other.market.id, side=LONG):
        other.buy(LONG, by=buyer)


def test_a_buyer_needs_its_initial_margin(desk: Desk) -> None:
    poor = desk.trader("poor")
    desk.deposit(poor, 50)
    start = inherit(desk)
    # 6 contracts at 91.8 need 54, and cost 10.8 of the equity.
    with refused(
        desk.exchange.InitialMarginInsufficient, account=desk.account(poor), equity=wad("39.2"), required=wad(54)
    ):
        desk.buy(LONG, wad(6), by=poor, at=start)
    desk.buy(LONG, wad(4), by=poor, at=start)


def test_a_buyer_that_only_reduces_may_not_end_worse_than_before(desk: Desk) -> None:
    start, squeezed = inherit(desk), desk.trader("squeezed")
    # Short 10 from 91 with 100: at 100 there are 10 of equity left, and every contract at 101.93 takes 1.93.
    desk.deposit(squeezed, 100)
    desk.trade(desk.trader("whale"), squeezed, -wad(10), wad(91))
    desk.price(100)
    set_auction(desk, wad("0.02"), ONE_DAY)
    with refused(desk.exchange.EquityNegative, account=desk.account(squeezed), equity=-wad("9.3")):
        desk.buy(LONG, by=squeezed, at=start + 864)
    with refused(
        desk.exchange.MarginRateWorse, account=desk.account(squeezed), equity=wad("2.28"), maintenanceMargin=wad(30)
    ):
        desk.buy(LONG, wad(4), by=squeezed, at=start + 864)


def test_a_bankrupt_buyer_may_not_trade(desk: Desk) -> None:
    inherit(desk)
    bankrupt = desk.open("bankrupt", -wad(10), wad(90), 90)
    desk.price(99)
    with refused(desk.exchange.AccountBankrupt, account=desk.account(bankrupt), equity=0):
        desk.buy(LONG, WAD, by=bankrupt)


def test_a_sale_needs_a_price_and_the_lens_does_not(desk: Desk) -> None:
    inherit(desk)
    buyer, updated = desk.trader("buyer"), desk.priced_at()
    stale = {"market": desk.market.id, "updatedAt": updated, "heartbeat": HEARTBEAT}
    with refused(desk.price_feed.PriceStale, **stale):
        desk.buy(LONG, by=buyer, at=updated + HEARTBEAT + 1)
    assert now() == updated + HEARTBEAT + 1
    with refused(desk.price_feed.PriceStale, **stale):
        imagine(buyer, desk.fund.auction, desk.market.id, LONG)
    state = read_chain(desk.venue.endpoint, desk.venue.deployment)
    assert state.terms[desk.market.name].auctions == {}
    assert state.unpriced[desk.market.name].startswith("PriceStale")
    # There is nothing to price where nothing is on sale.
    assert desk.auction(SHORT) == (0, 0)


def test_only_the_exchange_sells(desk: Desk) -> None:
    inherit(desk)
    stranger, market = desk.trader("stranger"), desk.market.id
    with refused(desk.fund.CallerNotExchange, caller=stranger.address):
        act(stranger, desk.fund.sell, market, LONG, WAD, wad(90), wad("0.05"), 0)
    with refused(desk.fund.CallerNotExchange, caller=stranger.address):
        act(stranger, desk.fund.creditFee, market, Item.LIQUIDATION_FEE, WAD)


def test_the_module_itself_does_nothing(desk: Desk) -> None:
    inherit(desk)
    buyer = desk.trader("buyer")
    with refused(desk.exchange.OnlyByDelegatecall):
        module = desk.venue.system.solvency_module
        act(buyer, module.buyInventory, desk.account(buyer), desk.market.id, LONG, WAD, ALL)


# ---------------------------------------------------------------------- its parameters


def test_the_parameters_are_set_by_the_owner_within_bounds(desk: Desk) -> None:
    owner, stranger, fund = desk.venue.owner, desk.trader("stranger"), desk.fund
    with refused(fund.OwnableUnauthorizedAccount, account=stranger.address):
        act(stranger, fund.setAuctionParameters, desk.market.id, 0, 60)
    unlisted = desk.exchange.marketCount() + 1
    with refused(fund.MarketUnassigned, market=unlisted):
        act(owner, fund.setAuctionParameters, unlisted, 0, 60)
    for premium, duration in ((wad("0.2") + 1, 60), (0, 59), (0, ONE_DAY + 1)):
        with refused(fund.AuctionParametersOutOfBounds, premium=premium, duration=duration):
            set_auction(desk, premium, duration)
    for premium, duration in ((0, 60), (wad("0.2"), ONE_DAY)):
        done = set_auction(desk, premium, duration)
        parameters = {"premium": premium, "duration": duration}
        assert emitted(done, fund.AuctionParametersSet) == [{"market": desk.market.id, **parameters}]
        assert len(done.logs) == 1


def test_a_longer_auction_and_a_higher_premium_are_used_at_once(desk: Desk) -> None:
    start = inherit(desk)
    set_auction(desk, wad("0.2"), 3600)
    wait_until(start + 1800)
    # Half way from 20 % above to 5 % below.
    assert desk.auction(LONG) == (wad("96.75"), wad(10))
