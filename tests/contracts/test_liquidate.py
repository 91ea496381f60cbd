"""`liquidate`: when it may be done, how much is closed at which cost, and that nobody earns by doing it to oneself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ape import chain, reverts

from backstop.account_id import isolated_account
from backstop.chain.bindings import LIQUIDATE
from backstop.chain.terms import MarketTerms
from backstop.errors import RevertError
from backstop.math.wad import WAD
from backstop.math.wad import parse_amount as wad
from scripts.stage.venue import Venue

from .floor import FEE_CREDITED, Floor, event, hexed, liquidated


@pytest.fixture(scope="module")
def floor(venue: Venue) -> Floor:
    """A market at 100 with a liquidator that has 1,000; discount and fee are 1.25 % each."""
    floor = Floor(venue, "brink")
    floor.deposit("liquidator", "1000")
    return floor


def sinking(floor: Floor, sign: int = 1) -> bytes:
    """10 from 100 with a margin of 100, long (then 94) or short (then 106): E = 40 of MM 47, or of MM 53."""
    account = floor.open("trader", str(10 * sign), "100", "100")
    floor.set_price(str(100 - 6 * sign))
    return account


def one_contract(floor: Floor, wei: int, margin: str = "8") -> bytes:
    """A long of 1 contract whose equity at 100, where MM is 5, is 5 and `wei`: from 103, or a few wei beside it."""
    floor.set_price("120")
    account = floor.deposit("trader", margin)
    floor.venue.trade(floor.actor("maker"), floor.actor("trader"), floor.market, WAD, wad("95") + wad(margin) - wei)
    floor.set_price("100")
    assert floor.equity(account, "100") == wad("5") + wei
    return account


# ------------------------------------------------------------------ what it does


def test_it_restores_the_initial_margin_of_a_long(floor: Floor) -> None:
    account = sinking(floor)
    receipt = floor.liquidate("liquidator", account)
    # (94 - 40) / (94 * (0.1 - 0.025)) contracts, up; 94 each; 2.5 % of that are 18, half each.
    closed = wad("7.659574468085106383")
    size, value, discount, fee, mark = liquidated(receipt)
    assert (size, discount, fee, mark) == (closed, wad("9"), wad("9"), wad("94"))
    assert value == wad("720.000000000000000002") - wad("9")
    left = floor.position(account)
    assert left.size == wad("10") - closed
    assert floor.equity(account, "94") == wad("22")
    # IM of what is left: 2.340425531914893617 * 94 / 10 = 21.9999999999999999998, up.
    assert floor.position(floor.account("liquidator")) == (closed, value, wad("1000"))
    assert floor.pool_cash == wad("9")
    assert event(receipt, FEE_CREDITED) == (floor.market.pool, floor.market.id, wad("9"))
    floor.check()


def test_it_restores_the_initial_margin_of_a_short(floor: Floor) -> None:
    account = sinking(floor, -1)
    receipt = floor.liquidate("liquidator", account)
    # (106 - 40) / (106 * 0.075) = 8.30188679245283018867…, up; the notional is 880, and 2.5 % of it 22.
    closed = wad("8.301886792452830189")
    size, value, discount, fee, mark = liquidated(receipt)
    assert (size, discount, fee, mark) == (-closed, wad("11"), wad("11"), wad("106"))
    # 880.000000000000000034 is what the liquidator is paid to take it over, rounded down, and the discount.
    assert value == -wad("880.000000000000000034") - wad("11")
    # 1.698113207547169811 * 106 / 10 = 17.9999999999999999966.
    assert wad("18") <= floor.equity(account, "106") <= wad("18") + 1
    assert floor.position(account).size == closed - wad("10")
    assert floor.equity(floor.account("liquidator"), "106") == wad("1011")
    assert floor.pool_cash == wad("11")
    floor.check()


def test_it_returns_what_it_closed(floor: Floor) -> None:
    account = sinking(floor)
    closed = floor.venue.endpoint.call(
        floor.exchange.address,
        LIQUIDATE,
        account,
        floor.account("liquidator"),
        2**256 - 1,
        sender=floor.actor("liquidator").address,
    )
    assert closed == wad("7.659574468085106383")


def test_the_liquidator_says_how_much_at_most(floor: Floor) -> None:
    account = sinking(floor)
    # 2 contracts: 188 at mark, 4.7 of penalty.
    assert liquidated(floor.liquidate("liquidator", account, "2")) == (
        wad("2"),
        wad("185.65"),
        wad("2.35"),
        wad("2.35"),
        wad("94"),
    )
    assert floor.equity(account, "94") == wad("35.3")
    # The rest is what is still needed: (75.2 - 35.3) / 7.05 = 5.65957446808510638297…, up.
    assert liquidated(floor.liquidate("liquidator", account))[0] == wad("5.659574468085106383")
    assert floor.equity(account, "94") == wad("22")
    with pytest.raises(RevertError, match="LiquidationNotDue"):
        floor.liquidate("liquidator", account)
    floor.check()


def test_a_wei_of_contracts_may_be_all(floor: Floor) -> None:
    account = sinking(floor)
    assert liquidated(floor.liquidate("liquidator", account, "0.000000000000000001"))[:4] == (1, 93, 1, 1)
    floor.check()


def test_where_the_equity_cannot_pay_the_penalty_everything_is_closed_for_it(floor: Floor) -> None:
    account = floor.open("trader", "10", "100", "100")
    # E = 20 of MM 46; a penalty of 2.5 % would be 23.
    floor.set_price("92")
    receipt = floor.liquidate("liquidator", account)
    assert liquidated(receipt) == (wad("10"), wad("910"), wad("10"), wad("10"), wad("92"))
    assert floor.position(account) == (0, 0, 0)
    assert floor.open_interest == wad("10")
    assert floor.pool_cash == wad("10")
    floor.check()


def test_a_capped_penalty_is_shared_by_the_part_that_is_closed(floor: Floor) -> None:
    account = floor.open("trader", "10", "100", "100")
    floor.set_price("92")
    # 3 of 10 contracts may cost 3/10 of the equity of 20: 2 a contract, as the price of bankruptcy is 90.
    assert liquidated(floor.liquidate("liquidator", account, "3"))[2:4] == (wad("3"), wad("3"))
    assert floor.equity(account, "92") == wad("14")
    floor.check()


def test_a_liquidation_nets_against_what_the_liquidator_holds(floor: Floor) -> None:
    account = sinking(floor)
    floor.trade("liquidator", "-20", "94")
    before = floor.open_interest
    closed = liquidated(floor.liquidate("liquidator", account))[0]
    assert floor.position(floor.account("liquidator")).size == closed - wad("20")
    assert floor.open_interest == before - closed
    floor.check()


def test_a_liquidator_with_too_little_margin_may_still_reduce(floor: Floor) -> None:
    account = sinking(floor)
    # Short 20 from 94 on 188 has no room for a contract more; 10 of them reduce it.
    floor.deposit("tight", "188")
    floor.trade("tight", "-20", "94")
    floor.set_price("94.1")
    with pytest.raises(RevertError, match="InitialMarginInsufficient"):
        floor.trade("tight", "-0.1", "94.1")
    floor.liquidate("tight", account)
    floor.check()


# ------------------------------------------------------------------ when it is due


@pytest.mark.parametrize("wei", [0, 1])
def test_an_account_at_its_maintenance_margin_is_left_alone(wei: int, floor: Floor) -> None:
    account = one_contract(floor, wei)
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("liquidator", account)
    assert str(refusal.value) == f"LiquidationNotDue({hexed(account)}, {wad('5') + wei}, {wad('5')})"


def test_an_account_one_wei_below_its_maintenance_margin_is_liquidated(floor: Floor) -> None:
    account = one_contract(floor, -1)
    # 5 and a wei over 7.5: 0.66… contracts, up.
    assert liquidated(floor.liquidate("liquidator", account))[0] == wad("0.666666666666666667")
    floor.check()


def test_an_account_with_nothing_left_is_not_liquidated(floor: Floor) -> None:
    account = one_contract(floor, -wad("5"))
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("liquidator", account)
    assert str(refusal.value) == f"LiquidationNotDue({hexed(account)}, 0, {wad('5')})"


def test_nor_is_one_that_owes_a_wei(floor: Floor) -> None:
    account = one_contract(floor, -wad("5") - 1)
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("liquidator", account)
    assert str(refusal.value) == f"LiquidationNotDue({hexed(account)}, -1, {wad('5')})"


def test_an_account_with_a_wei_left_is_closed_whole_for_it(floor: Floor) -> None:
    account = one_contract(floor, 1 - wad("5"))
    # The liquidator's half of a wei is nothing.
    assert liquidated(floor.liquidate("liquidator", account)) == (WAD, wad("100"), 0, 1, wad("100"))
    assert floor.position(account) == (0, 0, 0)
    assert floor.pool_cash == 1
    floor.check()


def test_below_the_takeover_threshold_either_may_come_first(floor: Floor) -> None:
    account = one_contract(floor, -wad("2.5"))
    with chain.isolate():
        floor.liquidate("liquidator", account, "0.1")
        floor.check()
    floor.take_over(account)
    with pytest.raises(RevertError, match="PositionMissing"):
        floor.liquidate("liquidator", account)


# ------------------------------------------------------------------ who may, onto what


def test_an_account_without_a_position_is_refused(floor: Floor) -> None:
    account = floor.deposit("trader", "100")
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("liquidator", account)
    assert str(refusal.value) == f"PositionMissing({hexed(account)})"


def test_nobody_liquidates_onto_another_owners_account(floor: Floor) -> None:
    account = sinking(floor)
    onto = floor.account("liquidator")
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("thief", account, onto=onto)
    assert str(refusal.value) == f"NotAccountOwner({hexed(onto)}, {floor.actor('thief').address.lower()})"


def test_an_account_does_not_liquidate_itself(floor: Floor) -> None:
    account = sinking(floor)
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("trader", account, onto=account)
    assert str(refusal.value) == f"OrderWithSelf({hexed(account)})"


def test_the_liquidator_is_an_account_of_the_same_market(floor: Floor) -> None:
    account = sinking(floor)
    other = floor.venue.list_market("OTHER-USD", "other", Decimal(100))
    onto = isolated_account(floor.actor("liquidator").address, other.id)
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("liquidator", account, onto=onto)
    assert str(refusal.value) == f"OrderAccountOfOtherMarket({hexed(onto)}, {floor.market.id})"


def damaged(account: bytes, kind: str) -> bytes:
    """A cross account, one with a reserved bit, or one of a market that is not listed."""
    number = int.from_bytes(account, "big")
    if kind == "AccountCrossUnsupported":
        number = (number & ~(0xFFFF << 64)) | 1 << 95
    elif kind == "AccountMalformed":
        number |= 1 << 90
    else:
        number |= 0xFF00 << 64
    return number.to_bytes(32, "big")


@pytest.mark.parametrize("kind", ["AccountCrossUnsupported", "AccountMalformed", "MarketUnlisted"])
def test_both_are_well_formed_isolated_accounts_of_a_listed_market(kind: str, floor: Floor) -> None:
    account, onto = sinking(floor), floor.account("liquidator")
    with pytest.raises(RevertError, match=rf"{kind}\("):
        floor.liquidate("liquidator", damaged(account, kind))
    with pytest.raises(RevertError, match=rf"{kind}\("):
        floor.liquidate("liquidator", account, onto=damaged(onto, kind))


def test_nothing_is_no_liquidation(floor: Floor) -> None:
    account = sinking(floor)
    with pytest.raises(RevertError, match=r"FillZero\(\)"):
        floor.liquidate("liquidator", account, "0")


def test_the_liquidator_needs_its_initial_margin(floor: Floor) -> None:
    account = sinking(floor)
    # A contract needs 9.4 and brings 1.175: 10 carry 1.21580547…
    onto = floor.deposit("poor", "10")
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("poor", account, "1.2159")
    # IM 11.42946 of 1.2159 contracts at 94; equity 10 and a discount of 1.4286825.
    assert str(refusal.value) == f"InitialMarginInsufficient({hexed(onto)}, {wad('11.4286825')}, {wad('11.42946')})"
    floor.liquidate("poor", account, "1.2158")
    floor.check()


def test_an_account_that_never_deposited_carries_nothing(floor: Floor) -> None:
    account = sinking(floor)
    with pytest.raises(RevertError, match="InitialMarginInsufficient"):
        floor.liquidate("stranger", account)


def test_a_bankrupt_liquidator_may_not_trade(floor: Floor) -> None:
    ruined = floor.open("ruined", "10", "100", "100")
    account = floor.open("trader", "10", "100", "120")
    floor.set_price("90")
    with pytest.raises(RevertError) as refusal:
        floor.liquidate("ruined", account)
    assert str(refusal.value) == f"AccountBankrupt({hexed(ruined)}, 0)"


def test_a_liquidation_needs_a_price(floor: Floor) -> None:
    account = sinking(floor)
    floor.at(floor.now + 3601)
    floor.venue.endpoint.request("evm_mine")
    with pytest.raises(RevertError, match=rf"PriceStale\({floor.market.id}, "):
        floor.liquidate("liquidator", account)


def test_the_module_itself_does_nothing(floor: Floor) -> None:
    account, onto = sinking(floor), floor.account("liquidator")
    with pytest.raises(RevertError, match=r"OnlyByDelegatecall\(\)"):
        floor.send("liquidator", floor.venue.system.solvency_module, LIQUIDATE.encode(account, onto, WAD))


# ------------------------------------------------------------------ nobody gains by it


@pytest.mark.parametrize("price", ["94", "93", "92", "90.5"])
def test_liquidating_ones_own_second_account_costs_the_fee(price: str, floor: Floor) -> None:
    account = floor.open("trader", "10", "100", "100")
    second = floor.deposit("trader", "500", index=1)
    floor.set_price(price)
    before = floor.equity(account, price) + floor.equity(second, price)
    fee = liquidated(floor.liquidate("trader", account, onto=second))[3]
    earned = floor.equity(account, price) + floor.equity(second, price) - before
    # A wei may be left between two rounded values.
    assert fee > 0
    assert -fee - 1 <= earned <= -fee + 1
    assert earned < 0
    floor.check()


def test_without_a_fee_ones_own_second_account_earns_nothing(floor: Floor, owner: Any) -> None:
    floor.exchange.setLiquidationFractions(floor.market.id, wad("0.05"), 0, sender=owner)
    account = floor.open("trader", "10", "100", "100")
    second = floor.deposit("trader", "500", index=1)
    floor.set_price("94")
    before = floor.position(account).cash + floor.position(second).cash
    receipt = floor.liquidate("trader", account, onto=second)
    assert liquidated(receipt)[3] == 0
    assert floor.position(account).cash + floor.position(second).cash == before
    assert not any(topics[0] == FEE_CREDITED.topic for _, topics, _ in receipt.logs)
    floor.check()


def test_the_fee_is_the_pools_and_counts_as_the_markets_result(floor: Floor) -> None:
    floor.contribute("100")
    account = sinking(floor)
    floor.liquidate("liquidator", account)
    backing = floor.backing
    assert (backing.balance, backing.pnl, backing.loss) == (wad("109"), wad("9"), 0)


def test_liquidations_of_one_wei_at_a_time_cost_no_less(floor: Floor) -> None:
    account = sinking(floor)
    for _ in range(3):
        size, value, discount, fee, _ = liquidated(floor.liquidate("liquidator", account, "0.000000000000000001"))
        # 94 wei of value; 2.35 of penalty, rounded down to 2, at 1.25 % each.
        assert (size, value, discount, fee) == (1, 93, 1, 1)


# ------------------------------------------------------------------ its parameters


def test_the_fractions_are_set_by_the_owner_within_mmf(floor: Floor, owner: Any, stranger: Any) -> None:
    market, exchange = floor.market.id, floor.exchange
    with reverts(exchange.OwnableUnauthorizedAccount, error_inputs={"account": stranger}):
        exchange.setLiquidationFractions(market, 0, 0, sender=stranger)
    with reverts(exchange.MarketUnlisted, error_inputs={"market": market + 1}):
        exchange.setLiquidationFractions(market + 1, 0, 0, sender=owner)
    beyond = {"discount": wad("0.03"), "fee": wad("0.02") + 1, "maintenanceMarginFraction": wad("0.05")}
    with reverts(exchange.LiquidationFractionsOutOfBounds, error_inputs=beyond):
        exchange.setLiquidationFractions(market, wad("0.03"), wad("0.02") + 1, sender=owner)
    receipt = exchange.setLiquidationFractions(market, wad("0.03"), wad("0.02"), sender=owner)
    assert list(receipt.events) == [exchange.LiquidationFractionsSet(market, wad("0.03"), wad("0.02"))]
    listed = exchange.market(market)
    assert (listed.liquidationDiscount, listed.liquidationFee) == (wad("0.03"), wad("0.02"))
    # The lens tells a keeper.
    assert floor.state().terms[floor.market.name] == MarketTerms(wad("0.1"), wad("0.03"), wad("0.02"), {})


def test_mmf_is_not_lowered_below_the_fractions(floor: Floor, owner: Any) -> None:
    market, exchange = floor.market.id, floor.exchange
    quarter = wad("0.0125")
    beyond = {"discount": quarter, "fee": quarter, "maintenanceMarginFraction": wad("0.025") - 1}
    with reverts(exchange.LiquidationFractionsOutOfBounds, error_inputs=beyond):
        exchange.setMarginFractions(market, wad("0.1"), wad("0.025") - 1, sender=owner)
    exchange.setMarginFractions(market, wad("0.1"), wad("0.025"), sender=owner)


def test_a_penalty_of_all_of_mmf_still_restores_the_initial_margin(floor: Floor, owner: Any) -> None:
    floor.exchange.setLiquidationFractions(floor.market.id, wad("0.02"), wad("0.03"), sender=owner)
    account = one_contract(floor, -1)
    # 5 and a wei over 10 - 5: all of it and a wei more, so all; the equity is a wei short of the penalty of 5.
    assert liquidated(floor.liquidate("liquidator", account)) == (
        WAD,
        wad("98") + 1,
        wad("2") - 1,
        wad("3"),
        wad("100"),
    )
    assert floor.position(account) == (0, 0, 0)
    floor.check()
