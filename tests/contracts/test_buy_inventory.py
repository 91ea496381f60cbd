"""`buyInventory`: the price over time, what a buyer and the pool end with, and the sales that a pool must refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ape import reverts

from backstop.account_id import isolated_account
from backstop.adl.snapshot import Side
from backstop.chain.bindings import BUY_INVENTORY
from backstop.chain.terms import Auction
from backstop.errors import RevertError
from backstop.math.wad import WAD
from backstop.math.wad import parse_amount as wad
from scripts.stage.venue import Venue

from .floor import Floor, bought, hexed, sold

LONG, SHORT = Side.LONG, Side.SHORT
DURATION = 1800


@pytest.fixture(scope="module")
def floor(venue: Venue) -> Floor:
    """A market whose pool has 1,000, and a buyer with 1,000; an auction takes 1,800 s from mark + 2 % to mark - 5 %."""
    floor = Floor(venue, "sale")
    floor.contribute("1000")
    floor.deposit("buyer", "1000")
    return floor


def inherit(floor: Floor, side: Side = LONG, name: str = "ruined", contracts: str = "10") -> int:
    """Brings contracts from 100 with a margin of 10 % into the pool at 90 (shorts at 110), where their equity is 0.

    So their bankruptcy price is the mark, and the pool has neither gained nor lost. Returns when that was.
    """
    margin = Decimal(contracts) * 10
    floor.set_price("100")
    account = floor.open(name, str(side.sign * Decimal(contracts)), "100", str(margin))
    floor.set_price(str(100 - side.sign * 10))
    floor.take_over(account)
    return floor.now


# ------------------------------------------------------------------ the price


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
def test_the_price_moves_from_the_premium_to_the_floor(side: Side, elapsed: int, price: str, floor: Floor) -> None:
    start = inherit(floor, side)
    if elapsed:
        floor.at(start + elapsed)
        floor.venue.endpoint.request("evm_mine")
    assert floor.auction(side) == (wad(price), wad("10"))
    terms = floor.state().terms[floor.market.name]
    assert terms.auctions == {side: Auction(wad(price), wad("10"))}


def test_a_buyer_takes_the_position_and_pays_the_price(floor: Floor) -> None:
    start = inherit(floor)
    # An equity of 0 was inherited, and its bankruptcy notional is 900.
    assert floor.inventory(LONG) == (wad("10"), wad("900"), start)
    floor.at(start + 900)
    receipt = floor.buy("buyer", LONG, "4")
    assert bought(receipt) == (wad("4"), wad("354.6"), wad("88.65"))
    assert sold(receipt) == (wad("4"), wad("354.6"), wad("-5.4"))
    assert floor.position(floor.account("buyer")) == (wad("4"), wad("354.6"), wad("1000"))
    assert floor.inventory(LONG) == (wad("6"), wad("540"), start)
    assert floor.pool_cash == wad("994.6")
    assert (floor.backing.pnl, floor.backing.loss) == (wad("-5.4"), wad("5.4"))
    floor.check()


def test_a_short_inventory_is_bought_back(floor: Floor) -> None:
    start = inherit(floor, SHORT)
    assert floor.inventory(SHORT) == (wad("-10"), wad("-1100"), start)
    floor.at(start + 900)
    receipt = floor.buy("buyer", SHORT, "4")
    assert bought(receipt) == (wad("-4"), wad("-446.6"), wad("111.65"))
    assert sold(receipt) == (wad("-4"), wad("-446.6"), wad("-6.6"))
    assert floor.position(floor.account("buyer")) == (wad("-4"), wad("-446.6"), wad("1000"))
    assert floor.inventory(SHORT) == (wad("-6"), wad("-660"), start)
    assert floor.pool_cash == wad("993.4")
    floor.check()


def test_what_the_auction_earns_is_the_pools(floor: Floor) -> None:
    start = inherit(floor)
    floor.at(start)
    assert sold(floor.buy("buyer", LONG))[2] == wad("18")
    assert floor.pool_cash == wad("1018")
    assert (floor.backing.pnl, floor.backing.max_pnl, floor.backing.loss) == (wad("18"), wad("18"), 0)
    floor.check()


def test_more_than_there_is_takes_all_there_is_to_the_wei(floor: Floor) -> None:
    start = inherit(floor)
    for place, contracts in enumerate(("3.333333333333333333", "0.000000000000000001", "1000")):
        floor.at(start + 10 + place)
        floor.buy("buyer", LONG, contracts)
    assert floor.inventory(LONG)[:2] == (0, 0)
    assert floor.auction(LONG) == (0, 0)
    assert floor.position(floor.account("buyer")).size == wad("10")
    floor.check()


def test_it_returns_what_was_bought(floor: Floor) -> None:
    inherit(floor)
    arguments = (floor.account("buyer"), 0, wad("1000"), 2**256 - 1)
    contracts = floor.venue.endpoint.call(
        floor.exchange.address, BUY_INVENTORY, *arguments, sender=floor.actor("buyer").address
    )
    assert contracts == wad("10")


def test_a_buyer_may_net_a_position_of_the_other_side(floor: Floor) -> None:
    start = inherit(floor)
    floor.trade("buyer", "-6", "90")
    before = floor.open_interest
    floor.at(start + 900)
    floor.buy("buyer", LONG)
    # Short 6 and long 10 of the pool are long 4 of the buyer.
    assert floor.position(floor.account("buyer")).size == wad("4")
    assert floor.open_interest == before - wad("6")
    floor.check()


# ------------------------------------------------------------------ when an auction starts


def test_what_comes_in_later_moves_the_start_by_its_size(floor: Floor) -> None:
    first = inherit(floor)
    floor.at(first + 1000)
    floor.set_price("100")
    second = floor.open("second", "30", "100", "300")
    floor.set_price("90")
    floor.at(first + 1200)
    floor.take_over(second)
    # 10 from 0 and 30 from 1,200 s.
    assert floor.inventory(LONG)[2] == first + 900
    assert floor.auction(LONG)[0] == wad("90.75")


def test_dust_does_not_hold_it_up(floor: Floor) -> None:
    first = inherit(floor)
    floor.at(first + 1000)
    floor.set_price("100")
    dust = floor.open("dust", "0.001", "100", "0.01")
    floor.set_price("90")
    floor.at(first + 1700)
    floor.take_over(dust)
    assert floor.inventory(LONG)[2] == first
    assert floor.auction(LONG) == (wad("85.85"), wad("10.001"))


def test_what_comes_in_after_all_was_sold_starts_anew(floor: Floor) -> None:
    first = inherit(floor)
    floor.at(first + 1700)
    floor.buy("buyer", LONG)
    start = inherit(floor, name="second")
    assert start >= first + 1700
    assert floor.inventory(LONG)[2] == start


def test_the_two_sides_are_auctioned_apart(floor: Floor) -> None:
    long = inherit(floor)
    floor.at(long + 500)
    floor.venue.endpoint.request("evm_mine")
    short = inherit(floor, SHORT, "squeezed")
    assert (floor.inventory(LONG)[2], floor.inventory(SHORT)[2]) == (long, short)
    assert floor.auction(SHORT)[0] == wad("107.8")
    floor.buy("buyer", SHORT, "5")
    assert floor.inventory(LONG)[:2] == (wad("10"), wad("900"))
    floor.check()


# ------------------------------------------------------------------ the sales that are refused


def test_there_must_be_something_of_that_side(floor: Floor) -> None:
    inherit(floor)
    with pytest.raises(RevertError, match=rf"InventoryMissing\({floor.market.id}, 1\)"):
        floor.buy("buyer", SHORT)


def test_nothing_is_no_purchase(floor: Floor) -> None:
    inherit(floor)
    with pytest.raises(RevertError, match=r"AmountZero\(\)"):
        floor.buy("buyer", LONG, "0")


@pytest.mark.parametrize(("side", "price", "worse"), [(LONG, "88.65", -1), (SHORT, "111.65", 1)])
def test_the_price_may_be_the_limit_and_no_wei_beyond(side: Side, price: str, worse: int, floor: Floor) -> None:
    start = inherit(floor, side)
    floor.at(start + 900)
    with pytest.raises(RevertError) as refusal:
        floor.buy("buyer", side, "1", limit=wad(price) + worse)
    assert str(refusal.value) == f"AuctionPriceBeyondLimit({wad(price)}, {wad(price) + worse})"
    assert bought(floor.buy("buyer", side, "1", limit=wad(price)))[2] == wad(price)


def test_a_sale_that_brings_the_market_to_its_trigger_is_refused(floor: Floor, owner: Any) -> None:
    start = inherit(floor, contracts="100")
    # At the floor each contract costs the pool 4.5; 30 % of 1,000 are 66.66… of them.
    floor.at(start + DURATION)
    floor.venue.endpoint.request("evm_mine")
    floor.deposit("rich", "10000")
    with pytest.raises(RevertError) as refusal:
        floor.buy("rich", LONG, "66.666666666666666667")
    # A wei and a half above 300, of which half a wei is rounded toward the pool.
    assert str(refusal.value) == f"SaleRaisesDrawdown({floor.market.id}, {wad('300') + 1}, {wad('1000')})"
    floor.buy("rich", LONG, "66.666666666666666666")
    assert floor.backing.loss == wad("299.999999999999999997")
    floor.check()


def test_exactly_the_trigger_is_too_much(floor: Floor) -> None:
    start = inherit(floor, contracts="100")
    # 60 contracts lose 270 of 1,000.
    floor.at(start + DURATION)
    floor.venue.endpoint.request("evm_mine")
    floor.deposit("rich", "10000")
    floor.fund.setDrawdownBounds(floor.market.id, wad("0.27"), wad("0.05"), wad("0.05"), sender=floor.venue.owner)
    with pytest.raises(RevertError, match="SaleRaisesDrawdown"):
        floor.buy("rich", LONG, "60")
    floor.buy("rich", LONG, "59.999999999999999999")


def test_a_sale_that_takes_the_pool_below_zero_is_refused(venue: Venue) -> None:
    floor = Floor(venue, "poor")
    floor.contribute("44")
    floor.deposit("buyer", "1000")
    start = inherit(floor)
    floor.at(start + DURATION)
    floor.venue.endpoint.request("evm_mine")
    with pytest.raises(RevertError) as refusal:
        floor.buy("buyer", LONG)
    assert str(refusal.value) == f"SaleDepletesPool({floor.market.pool}, {wad('-1')})"


def test_a_sale_may_help_a_pool_that_is_empty(venue: Venue) -> None:
    floor = Floor(venue, "broke")
    floor.deposit("buyer", "1000")
    start = inherit(floor)
    floor.set_price("80")
    # 900 are worth 800: the pool, which has nothing, is at -100; at 81.6 a sale brings it to -84.
    assert floor.backing.balance == wad("-100")
    floor.at(start + 100)
    with pytest.raises(RevertError, match="AuctionPriceBeyondLimit"):
        floor.buy("buyer", LONG, limit=wad("81"))
    floor.buy("buyer", LONG, "5")
    better = floor.backing.balance
    assert wad("-100") < better < wad("-90")
    floor.check()
    # At the floor it would lose more.
    floor.at(start + DURATION)
    floor.venue.endpoint.request("evm_mine")
    with pytest.raises(RevertError, match=rf"SaleDepletesPool\({floor.market.pool}, "):
        floor.buy("buyer", LONG)


def test_a_sale_that_helps_is_allowed_while_adl_is_due_and_may_end_it(venue: Venue) -> None:
    floor = Floor(venue, "due")
    floor.contribute("300")
    floor.deposit("buyer", "1000")
    start = inherit(floor)
    floor.set_price("81")
    # 90 of 300.
    assert (floor.backing.loss, floor.backing.drawdown_due) == (wad("90"), True)
    floor.fund.checkpoint(floor.market.id, sender=floor.venue.owner)
    floor.fund.setAuctionParameters(floor.market.id, wad("0.02"), 86400, sender=floor.venue.owner)
    floor.at(start + 60)
    floor.buy("buyer", LONG)
    # Sold at almost 82.62, so 74 of 300 are lost: below the stop of 25 %.
    assert (floor.backing.started, floor.backing.drawdown_due) == (False, False)
    floor.check()


def test_nobody_buys_onto_another_owners_account(floor: Floor) -> None:
    inherit(floor)
    onto = floor.account("buyer")
    with pytest.raises(RevertError) as refusal:
        floor.buy("thief", LONG, onto=onto)
    assert str(refusal.value) == f"NotAccountOwner({hexed(onto)}, {floor.actor('thief').address.lower()})"


@pytest.mark.parametrize(
    ("kind", "clear", "bit"),
    [
        ("AccountCrossUnsupported", 0xFFFF << 64, 1 << 95),
        ("AccountMalformed", 0, 1 << 90),
        ("MarketUnlisted", 0, 0xFF00 << 64),
    ],
)
def test_a_buyer_is_an_isolated_account_of_a_listed_market(kind: str, clear: int, bit: int, floor: Floor) -> None:
    inherit(floor)
    onto = (int.from_bytes(floor.account("buyer"), "big") & ~clear | bit).to_bytes(32, "big")
    with pytest.raises(RevertError, match=rf"{kind}\("):
        floor.buy("buyer", LONG, onto=onto)


def test_the_account_says_which_market(floor: Floor) -> None:
    inherit(floor)
    other = floor.venue.list_market("OTHER-USD", "other", Decimal(100))
    onto = isolated_account(floor.actor("buyer").address, other.id)
    with pytest.raises(RevertError, match=rf"InventoryMissing\({other.id}, 0\)"):
        floor.buy("buyer", LONG, onto=onto)


def test_a_buyer_needs_its_initial_margin(floor: Floor) -> None:
    onto = floor.deposit("poor", "50")
    start = inherit(floor)
    # 6 contracts at 91.8 need 54, and cost 10.8 of the equity.
    floor.at(start)
    with pytest.raises(RevertError, match=rf"InitialMarginInsufficient\({hexed(onto)}, "):
        floor.buy("poor", LONG, "6")
    floor.buy("poor", LONG, "4")
    floor.check()


def test_a_buyer_that_only_reduces_may_not_end_worse_than_before(floor: Floor) -> None:
    inherit(floor)
    # Short 10 from 91 with 100: at 100 there are 10 of equity left, and every contract at 102 takes 2.
    onto = floor.deposit("squeezed", "100")
    floor.trade("squeezed", "-10", "91")
    floor.set_price("100")
    floor.fund.setAuctionParameters(floor.market.id, wad("0.02"), 86400, sender=floor.venue.owner)
    with pytest.raises(RevertError, match=rf"EquityNegative\({hexed(onto)}, -(9|10)"):
        floor.buy("squeezed", LONG)
    with pytest.raises(RevertError, match=rf"MarginRateWorse\({hexed(onto)}, "):
        floor.buy("squeezed", LONG, "4")
    floor.check()


def test_a_bankrupt_buyer_may_not_trade(floor: Floor) -> None:
    inherit(floor)
    onto = floor.deposit("bankrupt", "90")
    floor.trade("bankrupt", "-10", "90")
    floor.set_price("99")
    with pytest.raises(RevertError) as refusal:
        floor.buy("bankrupt", LONG, "1")
    assert str(refusal.value) == f"AccountBankrupt({hexed(onto)}, 0)"


def test_a_sale_needs_a_price_and_the_lens_does_not(floor: Floor) -> None:
    inherit(floor)
    floor.at(floor.now + 3601)
    floor.venue.endpoint.request("evm_mine")
    with pytest.raises(RevertError, match=rf"PriceStale\({floor.market.id}, "):
        floor.buy("buyer", LONG)
    with pytest.raises(RevertError, match=rf"PriceStale\({floor.market.id}, "):
        floor.auction(LONG)
    state = floor.state()
    assert state.terms[floor.market.name].auctions == {}
    assert state.unpriced[floor.market.name].startswith("PriceStale")
    # There is nothing to price where nothing is on sale.
    assert floor.auction(SHORT) == (0, 0)


def test_only_the_exchange_sells(floor: Floor, stranger: Any) -> None:
    inherit(floor)
    with reverts(floor.fund.CallerNotExchange, error_inputs={"caller": stranger}):
        floor.fund.sell(floor.market.id, 0, WAD, wad("90"), wad("0.05"), sender=stranger)
    with reverts(floor.fund.CallerNotExchange, error_inputs={"caller": stranger}):
        floor.fund.creditFee(floor.market.id, WAD, sender=stranger)


def test_the_module_itself_does_nothing(floor: Floor) -> None:
    inherit(floor)
    with pytest.raises(RevertError, match=r"OnlyByDelegatecall\(\)"):
        floor.send(
            "buyer",
            floor.venue.system.solvency_module,
            BUY_INVENTORY.encode(floor.account("buyer"), 0, WAD, 2**256 - 1),
        )


# ------------------------------------------------------------------ its parameters


def test_the_parameters_are_set_by_the_owner_within_bounds(floor: Floor, owner: Any, stranger: Any) -> None:
    market, fund = floor.market.id, floor.fund
    with reverts(fund.OwnableUnauthorizedAccount, error_inputs={"account": stranger}):
        fund.setAuctionParameters(market, 0, 60, sender=stranger)
    with reverts(fund.MarketUnassigned, error_inputs={"market": market + 1}):
        fund.setAuctionParameters(market + 1, 0, 60, sender=owner)
    for premium, duration in ((wad("0.2") + 1, 60), (0, 59), (0, 86401)):
        with reverts(fund.AuctionParametersOutOfBounds, error_inputs={"premium": premium, "duration": duration}):
            fund.setAuctionParameters(market, premium, duration, sender=owner)
    for premium, duration in ((0, 60), (wad("0.2"), 86400)):
        receipt = fund.setAuctionParameters(market, premium, duration, sender=owner)
        assert list(receipt.events) == [fund.AuctionParametersSet(market, premium, duration)]


def test_a_longer_auction_and_a_higher_premium_are_used_at_once(floor: Floor, owner: Any) -> None:
    start = inherit(floor)
    floor.fund.setAuctionParameters(floor.market.id, wad("0.2"), 3600, sender=owner)
    floor.at(start + 1800)
    floor.venue.endpoint.request("evm_mine")
    # Half way from 20 % above to 5 % below.
    assert floor.auction(LONG)[0] == wad("96.75")
