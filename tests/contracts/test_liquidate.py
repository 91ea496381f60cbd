"""`liquidate`: when it may be done, how much is closed at which cost, and that nobody earns by doing it to oneself."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.chain.snapshot import read_chain
from backstop.chain.terms import MarketTerms
from backstop.math.wad import WAD
from scripts.stage.parameters import NO_BAND, UNLIMITED_NOTIONAL
from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, imagine, refused
from tests.support.desk import ALL, FLAT, Account, Desk, damaged, open_desk
from tests.support.enums import Item
from tests.support.proofs import nothing_changes


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A liquidator that has 1,000; discount and fee are 1.25 % each."""
    desk = Desk(venue, market)
    desk.deposit(desk.trader("whale"), 1_000_000)
    desk.deposit(desk.trader("liquidator"), 1000)
    return desk


def sinking(desk: Desk, sign: int = 1) -> Any:
    """10 from 100 with a margin of 100, long (then 94) or short (then 106): E = 40 of MM 47, or of MM 53."""
    trader = desk.open("trader", wad(10 * sign), wad(100), 100)
    desk.price(100 - 6 * sign)
    return trader


def one_contract(desk: Desk, wei: int) -> Any:
    """A long of 1 contract whose equity at 100, where MM is 5, is 5 and `wei`: from 103, or a few wei beside it."""
    desk.price(120)
    trader = desk.open("trader", WAD, wad(103) - wei, 8)
    desk.price(100)
    assert desk.equity(trader) == wad(5) + wei
    return trader


def liquidated(desk: Desk, done: Done) -> tuple[int, ...]:
    """What passed and at which cost: size, value, discount, fee, mark."""
    [event] = emitted(done, desk.exchange.Liquidated)
    return tuple(event[name] for name in ("size", "value", "discount", "fee", "mark"))


def not_due(desk: Desk, who: Any, equity: int, maintenance: int) -> Any:
    return refused(
        desk.exchange.LiquidationNotDue, account=desk.account(who), equity=equity, maintenanceMargin=maintenance
    )


# ---------------------------------------------------------------------- what it does


def test_it_restores_the_initial_margin_of_a_long(desk: Desk) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    done = desk.liquidate(trader, by=liquidator)
    # (94 - 40) / (94 * (0.1 - 0.025)) contracts, up; 94 each; 2.5 % of that are 18, half each.
    closed = wad("7.659574468085106383")
    value = wad("720.000000000000000002") - wad(9)
    assert emitted(done, desk.exchange.Liquidated) == [
        {
            "account": desk.account(trader),
            "liquidator": desk.account(liquidator),
            "market": desk.market.id,
            "size": closed,
            "value": value,
            "discount": wad(9),
            "fee": wad(9),
            "mark": wad(94),
        }
    ]
    assert desk.holding(trader).size == wad(10) - closed
    # IM of what is left: 2.340425531914893617 * 94 / 10 = 21.9999999999999999998, up.
    assert desk.equity(trader) == wad(22)
    assert desk.holding(liquidator) == Account(closed, value, wad(1000))
    assert desk.pool_cash() == wad(9)
    credited = {"pool": desk.market.pool, "market": desk.market.id, "item": Item.LIQUIDATION_FEE, "amount": wad(9)}
    assert emitted(done, desk.fund.Entered) == [credited | {"cash": wad(9)}]


def test_it_restores_the_initial_margin_of_a_short(desk: Desk) -> None:
    trader, liquidator = sinking(desk, -1), desk.trader("liquidator")
    done = desk.liquidate(trader, by=liquidator)
    # (106 - 40) / (106 * 0.075) = 8.30188679245283018867…, up; the notional is 880, and 2.5 % of it 22.
    closed = wad("8.301886792452830189")
    # 880.000000000000000034 is what the liquidator is paid to take it over, rounded down, and the discount.
    value = -wad("880.000000000000000034") - wad(11)
    assert liquidated(desk, done) == (-closed, value, wad(11), wad(11), wad(106))
    # 1.698113207547169811 * 106 / 10 = 17.9999999999999999966.
    assert wad(18) <= desk.equity(trader) <= wad(18) + 1
    assert desk.holding(trader).size == closed - wad(10)
    assert desk.equity(liquidator) == wad(1011)
    assert desk.pool_cash() == wad(11)


def test_it_returns_what_it_closed(desk: Desk) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    arguments = desk.account(trader), desk.market.id, desk.account(liquidator), ALL
    assert int(imagine(liquidator, desk.exchange.liquidate, *arguments), 16) == wad("7.659574468085106383")


def test_the_liquidator_says_how_much_at_most(desk: Desk) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    done = desk.liquidate(trader, wad(2), by=liquidator)
    # 2 contracts: 188 at mark, 4.7 of penalty.
    assert liquidated(desk, done) == (wad(2), wad("185.65"), wad("2.35"), wad("2.35"), wad(94))
    assert desk.equity(trader) == wad("35.3")
    # The rest is what is still needed: (75.2 - 35.3) / 7.05 = 5.65957446808510638297…, up.
    done = desk.liquidate(trader, by=liquidator)
    assert liquidated(desk, done)[0] == wad("5.659574468085106383")
    assert desk.equity(trader) == wad(22)
    # Half of the IM, up.
    with nothing_changes(desk.venue), not_due(desk, trader, wad(22), wad(11)):
        desk.liquidate(trader, by=liquidator)


def test_a_wei_of_contracts_may_be_all(desk: Desk) -> None:
    done = desk.liquidate(sinking(desk), 1, by=desk.trader("liquidator"))
    assert liquidated(desk, done) == (1, 93, 1, 1, wad(94))


def test_where_the_equity_cannot_pay_the_penalty_everything_is_closed_for_it(desk: Desk) -> None:
    trader = desk.open("trader", wad(10), wad(100), 100)
    # E = 20 of MM 46; a penalty of 2.5 % would be 23.
    desk.price(92)
    done = desk.liquidate(trader, by=desk.trader("liquidator"))
    assert liquidated(desk, done) == (wad(10), wad(910), wad(10), wad(10), wad(92))
    assert desk.holding(trader) == FLAT
    assert desk.open_interest() == wad(10)
    assert desk.pool_cash() == wad(10)


def test_a_capped_penalty_is_shared_by_the_part_that_is_closed(desk: Desk) -> None:
    trader = desk.open("trader", wad(10), wad(100), 100)
    desk.price(92)
    # 3 of 10 contracts may cost 3/10 of the equity of 20: 2 a contract, as the price of bankruptcy is 90.
    done = desk.liquidate(trader, wad(3), by=desk.trader("liquidator"))
    assert liquidated(desk, done) == (wad(3), wad(273), wad(3), wad(3), wad(92))
    assert desk.equity(trader) == wad(14)


def test_a_liquidation_nets_against_what_the_liquidator_holds(desk: Desk) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    desk.trade(desk.trader("whale"), liquidator, -wad(20), wad(94))
    before = desk.open_interest()
    closed = liquidated(desk, desk.liquidate(trader, by=liquidator))[0]
    assert closed == wad("7.659574468085106383")
    assert desk.holding(liquidator).size == closed - wad(20)
    assert desk.open_interest() == before - closed


def test_a_liquidator_with_too_little_margin_may_still_reduce(desk: Desk) -> None:
    trader, whale, tight = sinking(desk), desk.trader("whale"), desk.trader("tight")
    # Short 20 from 94 on 188 has no room for a contract more; 10 of them reduce it.
    desk.deposit(tight, 188)
    desk.trade(whale, tight, -wad(20), wad(94))
    desk.price("94.1")
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(tight),
        equity=wad(186),
        required=wad("189.141"),
    ):
        desk.trade(whale, tight, -wad("0.1"), wad("94.1"))
    desk.liquidate(trader, by=tight)


# ---------------------------------------------------------------------- when it is due


@pytest.mark.parametrize("wei", [0, 1])
def test_an_account_at_its_maintenance_margin_is_left_alone(desk: Desk, wei: int) -> None:
    trader = one_contract(desk, wei)
    with nothing_changes(desk.venue), not_due(desk, trader, wad(5) + wei, wad(5)):
        desk.liquidate(trader, by=desk.trader("liquidator"))


def test_an_account_one_wei_below_its_maintenance_margin_is_liquidated(desk: Desk) -> None:
    done = desk.liquidate(one_contract(desk, -1), by=desk.trader("liquidator"))
    # 5 and a wei over 7.5: 0.66… contracts, up.
    assert liquidated(desk, done)[0] == wad("0.666666666666666667")


def test_an_account_with_nothing_left_is_not_liquidated(desk: Desk) -> None:
    trader = one_contract(desk, -wad(5))
    with nothing_changes(desk.venue), not_due(desk, trader, 0, wad(5)):
        desk.liquidate(trader, by=desk.trader("liquidator"))


def test_nor_is_one_that_owes_a_wei(desk: Desk) -> None:
    trader = one_contract(desk, -wad(5) - 1)
    with nothing_changes(desk.venue), not_due(desk, trader, -1, wad(5)):
        desk.liquidate(trader, by=desk.trader("liquidator"))


def test_an_account_with_a_wei_left_is_closed_whole_for_it(desk: Desk) -> None:
    trader = one_contract(desk, 1 - wad(5))
    done = desk.liquidate(trader, by=desk.trader("liquidator"))
    # The liquidator's half of a wei is nothing.
    assert liquidated(desk, done) == (WAD, wad(100), 0, 1, wad(100))
    assert desk.holding(trader) == FLAT
    assert desk.pool_cash() == 1


@pytest.mark.parametrize("first", ["liquidation", "takeover"])
def test_below_the_takeover_threshold_either_may_come_first(desk: Desk, first: str) -> None:
    trader, liquidator = one_contract(desk, -wad("2.5")), desk.trader("liquidator")
    if first == "liquidation":
        done = desk.liquidate(trader, wad("0.1"), by=liquidator)
        assert liquidated(desk, done)[0] == wad("0.1")
        return
    desk.take_over(trader)
    with refused(desk.exchange.PositionMissing, account=desk.account(trader)):
        desk.liquidate(trader, by=liquidator)


# ---------------------------------------------------------------------- who may, onto what


def test_an_account_without_a_position_is_refused(desk: Desk) -> None:
    trader = desk.trader("trader")
    desk.deposit(trader, 100)
    with refused(desk.exchange.PositionMissing, account=desk.account(trader)):
        desk.liquidate(trader, by=desk.trader("liquidator"))


def test_nobody_liquidates_onto_another_owners_account(desk: Desk) -> None:
    trader, thief, onto = sinking(desk), desk.trader("thief"), desk.account(desk.trader("liquidator"))
    with nothing_changes(desk.venue), refused(desk.exchange.NotAccountOwner, account=onto, caller=thief.address):
        desk.liquidate(trader, by=thief, onto=onto)


def test_an_account_does_not_liquidate_itself(desk: Desk) -> None:
    trader = sinking(desk)
    with nothing_changes(desk.venue), refused(desk.exchange.LiquidationOfSelf, account=desk.account(trader)):
        desk.liquidate(trader, by=trader)


def test_the_liquidator_is_an_account_of_the_same_market(desk: Desk, venue: Venue) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    onto = open_desk(venue, "OTHER-USD", 100).account(liquidator)
    with refused(desk.exchange.AccountOfOtherMarket, account=onto, market=desk.market.id):
        desk.liquidate(trader, by=liquidator, onto=onto)


@pytest.mark.parametrize("kind", ["AccountMalformed", "MarketUnlisted"])
def test_both_are_well_formed_accounts_of_a_listed_market(desk: Desk, kind: str) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    error = getattr(desk.exchange, kind)
    account, values = damaged(desk.account(trader), kind)
    with refused(error, **values):
        desk.liquidate(account, by=liquidator)
    onto, values = damaged(desk.account(liquidator), kind)
    with refused(error, **values):
        desk.liquidate(trader, by=liquidator, onto=onto)


def test_nothing_is_no_liquidation(desk: Desk) -> None:
    trader = sinking(desk)
    with nothing_changes(desk.venue), refused(desk.exchange.FillZero):
        desk.liquidate(trader, 0, by=desk.trader("liquidator"))


def test_the_liquidator_needs_its_initial_margin(desk: Desk) -> None:
    trader, poor = sinking(desk), desk.trader("poor")
    # A contract needs 9.4 and brings 1.175: 10 carry 1.21580547…
    desk.deposit(poor, 10)
    # IM 11.42946 of 1.2159 contracts at 94; equity 10 and a discount of 1.4286825.
    with (
        nothing_changes(desk.venue),
        refused(
            desk.exchange.InitialMarginInsufficient,
            account=desk.account(poor),
            equity=wad("11.4286825"),
            required=wad("11.42946"),
        ),
    ):
        desk.liquidate(trader, wad("1.2159"), by=poor)
    desk.liquidate(trader, wad("1.2158"), by=poor)


def test_an_account_that_never_deposited_carries_nothing(desk: Desk) -> None:
    trader, stranger = sinking(desk), desk.trader("stranger")
    # 720.000000000000000002 at mark; all that it has is the discount.
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(stranger),
        equity=wad(9),
        required=wad("72.000000000000000001"),
    ):
        desk.liquidate(trader, by=stranger)


def test_a_bankrupt_liquidator_may_not_trade(desk: Desk) -> None:
    ruined = desk.open("ruined", wad(10), wad(100), 100)
    trader = desk.open("trader", wad(10), wad(100), 120)
    desk.price(90)
    with nothing_changes(desk.venue), refused(desk.exchange.AccountBankrupt, account=desk.account(ruined), equity=0):
        desk.liquidate(trader, by=ruined)


def test_a_liquidation_needs_a_price(desk: Desk) -> None:
    trader, updated = sinking(desk), desk.priced_at()
    with refused(desk.price_feed.PriceStale, market=desk.market.id, updatedAt=updated, heartbeat=HEARTBEAT):
        desk.liquidate(trader, by=desk.trader("liquidator"), at=updated + HEARTBEAT + 1)


def test_the_module_itself_does_nothing(desk: Desk) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    module = desk.venue.system.solvency_module
    with refused(desk.exchange.OnlyByDelegatecall):
        act(liquidator, module.liquidate, desk.account(trader), desk.market.id, desk.account(liquidator), WAD)


# ---------------------------------------------------------------------- nobody gains by it


@pytest.mark.parametrize("price", ["94", "93", "92", "90.5"])
def test_liquidating_ones_own_second_account_costs_the_fee(desk: Desk, price: str) -> None:
    trader = desk.open("trader", wad(10), wad(100), 100)
    desk.deposit(trader, 500, index=1)
    desk.price(price)
    before = desk.equity(trader) + desk.equity(trader, 1)
    fee = liquidated(desk, desk.liquidate(trader, by=trader, onto=desk.account(trader, 1)))[3]
    earned = desk.equity(trader) + desk.equity(trader, 1) - before
    # A wei may be left between two rounded values.
    assert fee > 0
    assert -fee - 1 <= earned <= -fee + 1
    assert earned < 0


def test_without_a_fee_ones_own_second_account_earns_nothing(desk: Desk) -> None:
    desk.set_parameters(liquidation_discount=wad("0.05"), liquidation_fee=0)
    trader = desk.open("trader", wad(10), wad(100), 100)
    desk.deposit(trader, 500, index=1)
    desk.price(94)
    before = desk.holding(trader).cash + desk.holding(trader, 1).cash
    done = desk.liquidate(trader, by=trader, onto=desk.account(trader, 1))
    assert liquidated(desk, done)[3] == 0
    assert desk.holding(trader).cash + desk.holding(trader, 1).cash == before
    assert emitted(done, desk.fund.Entered) == []


def test_the_fee_is_the_pools_and_counts_as_the_markets_result(desk: Desk) -> None:
    desk.contribute(100)
    desk.liquidate(sinking(desk), by=desk.trader("liquidator"))
    backing = desk.backing()
    assert (backing.balance, backing.pnl, backing.loss) == (wad(109), wad(9), 0)


def test_liquidations_of_one_wei_at_a_time_cost_no_less(desk: Desk) -> None:
    trader, liquidator = sinking(desk), desk.trader("liquidator")
    for _ in range(3):
        done = desk.liquidate(trader, 1, by=liquidator)
        # 94 wei of value; 2.35 of penalty, rounded down to 2, at 1.25 % each.
        assert liquidated(desk, done) == (1, 93, 1, 1, wad(94))


# ---------------------------------------------------------------------- its parameters


def test_the_fractions_are_set_by_the_owner_within_mmf(desk: Desk) -> None:
    market, exchange = desk.market.id, desk.exchange
    stranger = desk.trader("stranger")
    with nothing_changes(desk.venue), refused(exchange.OwnableUnauthorizedAccount, account=stranger.address):
        act(stranger, exchange.setParameters, market, desk.parameters()._replace(liquidation_discount=0))
    beyond = {"discount": wad("0.03"), "fee": wad("0.02") + 1, "maintenanceMarginFraction": wad("0.05")}
    with nothing_changes(desk.venue), refused(exchange.LiquidationFractionsOutOfBounds, **beyond):
        desk.set_parameters(liquidation_discount=wad("0.03"), liquidation_fee=wad("0.02") + 1)
    before = desk.parameters()
    done = desk.set_parameters(liquidation_discount=wad("0.03"), liquidation_fee=wad("0.02"))
    assert len(done.logs) == len(emitted(done, exchange.ParametersSet)) == 1
    after = before._replace(liquidation_discount=wad("0.03"), liquidation_fee=wad("0.02"))
    assert desk.parameters() == after
    # The lens tells a keeper.
    terms = read_chain(desk.venue.endpoint, desk.venue.deployment).terms[desk.market.name]
    assert terms == MarketTerms(
        pool=desk.market.pool,
        initial_margin_fraction=wad("0.1"),
        maintenance_margin_fraction=wad("0.05"),
        liquidation_discount=wad("0.03"),
        liquidation_fee=wad("0.02"),
        maker_fee=0,
        taker_fee=0,
        price_band=NO_BAND,
        max_notional=UNLIMITED_NOTIONAL,
        min_size=0,
        isolated_only=True,
        pot=0,
        fees=0,
        has_funding=False,
        auctions={},
    )


def test_mmf_is_not_lowered_below_the_fractions(desk: Desk) -> None:
    quarter, half = wad("0.0125"), wad("0.025")
    beyond = {"discount": quarter, "fee": quarter, "maintenanceMarginFraction": half - 1}
    with nothing_changes(desk.venue), refused(desk.exchange.LiquidationFractionsOutOfBounds, **beyond):
        desk.set_parameters(maintenance_margin_fraction=half - 1)
    desk.set_parameters(maintenance_margin_fraction=half)
    assert desk.parameters().maintenance_margin_fraction == half


def test_a_penalty_of_all_of_mmf_still_restores_the_initial_margin(desk: Desk) -> None:
    desk.set_parameters(liquidation_discount=wad("0.02"), liquidation_fee=wad("0.03"))
    trader = one_contract(desk, -1)
    done = desk.liquidate(trader, by=desk.trader("liquidator"))
    # 5 and a wei over 10 - 5: all of it and a wei more, so all; the equity is a wei short of the penalty of 5.
    assert liquidated(desk, done) == (WAD, wad(98) + 1, wad(2) - 1, wad(3), wad(100))
    assert desk.holding(trader) == FLAT
