"""Trading fees: who pays how much, rounded up; how they are shared out; who collects; and what costs no trading fee."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, refused
from tests.support.desk import Account, Desk
from tests.support.enums import Item, Side
from tests.support.proofs import nothing_changes

TEN = wad(10)
HUNDRED = wad(100)
MAKER, TAKER = wad("0.0002"), wad("0.0005")
UNIT = 10**12


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Makers pay 2 and takers 5 basis points; pool, treasury and keepers get 50, 30 and 20 %."""
    desk = Desk(venue, market)
    desk.set_parameters(maker_fee=MAKER, taker_fee=TAKER)
    act(venue.owner, desk.exchange.setTreasury, desk.trader("treasury").address)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 10_000)
    return desk


def fill(desk: Desk, contracts: int = TEN, price: int = HUNDRED) -> Done:
    """Dove takes from hawk."""
    return desk.trade(desk.trader("hawk"), desk.trader("dove"), contracts, price)


def sweep(desk: Desk) -> Done:
    return act(desk.trader("stranger"), desk.exchange.sweep, desk.market.id)


def reserves(desk: Desk) -> tuple[int, int]:
    """What waits for the treasury and for keepers."""
    _, treasury, keepers = desk.exchange.reserves()
    return treasury, keepers


# ---------------------------------------------------------------------- what a fill costs


@pytest.mark.parametrize("contracts", [TEN, -TEN], ids=["buying taker", "selling taker"])
def test_maker_and_taker_pay_their_own(desk: Desk, contracts: int) -> None:
    done = fill(desk, contracts)
    (event,) = emitted(done, desk.exchange.Settled)
    assert (event["makerFee"], event["takerFee"]) == (wad("0.2"), wad("0.5"))
    assert desk.holding(desk.trader("hawk")) == Account(-contracts, -contracts * 100, wad("9999.8"))
    assert desk.holding(desk.trader("dove")) == Account(contracts, contracts * 100, wad("9999.5"))
    assert desk.funding().fees == wad("0.7")


def test_fees_are_of_the_price_and_not_of_mark(desk: Desk) -> None:
    (event,) = emitted(fill(desk, TEN, wad(110)), desk.exchange.Settled)
    assert (event["makerFee"], event["takerFee"]) == (wad("0.22"), wad("0.55"))


@pytest.mark.parametrize("contracts", [1, -1, 19, 21])
def test_each_fee_is_rounded_up(desk: Desk, contracts: int) -> None:
    """100 wei of notional a wei of contracts: 0.02 and 0.05 wei of fees; at 21 the taker's is 1.05."""
    (event,) = emitted(fill(desk, contracts), desk.exchange.Settled)
    assert (event["makerFee"], event["takerFee"]) == (1, 1 if abs(contracts) <= 20 else 2)


def test_an_exact_fee_is_not_rounded(desk: Desk) -> None:
    (event,) = emitted(fill(desk, 10_000), desk.exchange.Settled)
    assert (event["makerFee"], event["takerFee"]) == (200, 500)


@pytest.mark.parametrize("role", ["maker", "taker"])
def test_the_initial_margin_is_met_after_the_fee(desk: Desk, role: str) -> None:
    """10 contracts ask for 100, and 0.2 or 0.5 beside."""
    fee, swan = {"maker": "0.2", "taker": "0.5"}[role], desk.trader("swan")
    pair = (swan, desk.trader("hawk")) if role == "maker" else (desk.trader("hawk"), swan)
    desk.deposit(swan, 100)
    desk.deposit(swan, Decimal(fee) - Decimal("0.000001"))
    with (
        nothing_changes(desk.venue),
        refused(
            desk.exchange.InitialMarginInsufficient,
            account=desk.account(swan),
            equity=HUNDRED - UNIT,
            required=HUNDRED,
        ),
    ):
        desk.trade(*pair, TEN, HUNDRED)
    desk.deposit(swan, "0.000001")
    desk.trade(*pair, TEN, HUNDRED)
    assert desk.equity(swan) == HUNDRED


def test_the_fee_of_a_closing_fill_must_be_there(desk: Desk) -> None:
    """Long 10 from 100 on 100.5, closed where what is left is less than the fee: 90.04 costs 0.4502."""
    swan = desk.trader("swan")
    desk.deposit(swan, "100.5")
    desk.trade(desk.trader("hawk"), swan, TEN, HUNDRED)
    desk.price("90.04")
    with (
        nothing_changes(desk.venue),
        refused(desk.exchange.EquityNegative, account=desk.account(swan), equity=wad("0.4") - wad("0.4502")),
    ):
        desk.trade(desk.trader("hawk"), swan, -TEN, wad("90.04"))
    desk.price("90.05")
    desk.trade(desk.trader("hawk"), swan, -TEN, wad("90.05"))
    assert desk.holding(swan) == Account(0, 0, wad("0.5") - wad("0.45025"))


def test_the_highest_fees(desk: Desk) -> None:
    desk.set_parameters(maker_fee=wad("0.01"), taker_fee=wad("0.01"))
    fill(desk)
    assert desk.funding().fees == wad(20)


def test_no_fees(desk: Desk) -> None:
    desk.set_parameters(maker_fee=0, taker_fee=0)
    (event,) = emitted(fill(desk), desk.exchange.Settled)
    assert (event["makerFee"], event["takerFee"], desk.funding().fees) == (0, 0, 0)


# ---------------------------------------------------------------------- sharing out


def test_a_sweep(desk: Desk) -> None:
    fill(desk)
    desk.contribute(1)
    done = sweep(desk)
    shares = {"toPool": wad("0.35"), "toTreasury": wad("0.21"), "toKeepers": wad("0.14"), "dust": 0}
    assert emitted(done, desk.exchange.FeesSwept) == [{"market": desk.market.id, **shares}]
    credited = {"pool": desk.market.pool, "market": desk.market.id, "item": Item.TRADING_FEE, "amount": wad("0.35")}
    assert emitted(done, desk.fund.Entered) == [credited | {"cash": wad("1.35")}]
    assert reserves(desk) == (wad("0.21"), wad("0.14"))
    assert (desk.pool_cash(), desk.funding().fees) == (wad("1.35"), 0)
    # The pool's share is a result of the market.
    assert desk.backing().pnl == wad("0.35")
    view = desk.lens.system()
    assert (view.treasuryBalance, view.keeperBudget) == (wad("0.21"), wad("0.14"))


def test_a_second_sweep_finds_nothing(desk: Desk) -> None:
    fill(desk)
    sweep(desk)
    with nothing_changes(desk.venue):
        assert sweep(desk).logs == ()


@pytest.mark.parametrize(
    ("fees", "shares"), [(2, (1, 0, 1)), (3, (1, 0, 2)), (4, (2, 1, 1)), (9, (4, 2, 3)), (10, (5, 3, 2))]
)
def test_shares_are_rounded_down_and_keepers_get_the_rest(desk: Desk, fees: int, shares: tuple[int, int, int]) -> None:
    """Of notionals of 100 wei the taker pays `fees - 1` wei by a fraction of that many hundredths."""
    desk.set_parameters(maker_fee=1, taker_fee=wad(fees - 1) // 1000)
    desk.trade(desk.trader("hawk"), desk.trader("dove"), 10, HUNDRED)
    assert desk.funding().fees == fees
    (event,) = emitted(sweep(desk), desk.exchange.FeesSwept)
    assert (event["toPool"], event["toTreasury"], event["toKeepers"]) == shares


@pytest.mark.parametrize(
    ("pool", "treasury", "shares"),
    [("1", "0", ("0.7", "0", "0")), ("0", "1", ("0", "0.7", "0")), ("0", "0", ("0", "0", "0.7"))],
    ids=["all to the pool", "all to the treasury", "all to keepers"],
)
def test_one_may_get_all(desk: Desk, pool: str, treasury: str, shares: tuple[str, str, str]) -> None:
    desk.set_parameters(pool_fee_share=wad(pool), treasury_fee_share=wad(treasury))
    fill(desk)
    done = sweep(desk)
    assert (desk.pool_cash(), *reserves(desk)) == tuple(wad(share) for share in shares)
    assert len(emitted(done, desk.fund.Entered)) == (pool == "1")


def test_what_was_earned_by_old_parameters_is_shared_by_them(desk: Desk) -> None:
    fill(desk)
    done = desk.set_parameters(pool_fee_share=0, treasury_fee_share=0, taker_fee=0)
    (event,) = emitted(done, desk.exchange.FeesSwept)
    assert (event["toPool"], event["toTreasury"], event["toKeepers"]) == (wad("0.35"), wad("0.21"), wad("0.14"))
    fill(desk)
    sweep(desk)
    assert reserves(desk) == (wad("0.21"), wad("0.34"))


def test_a_market_that_is_not_listed(desk: Desk) -> None:
    for missing in (0, desk.exchange.marketCount() + 1):
        with refused(desk.exchange.MarketUnlisted, market=missing):
            act(desk.trader("stranger"), desk.exchange.sweep, missing)


# ---------------------------------------------------------------------- the treasury


def collect(desk: Desk, units: int, *, by: str = "treasury") -> Done:
    return act(desk.trader(by), desk.exchange.collect, units)


def test_the_treasury_collects(desk: Desk) -> None:
    fill(desk)
    sweep(desk)
    treasury = desk.trader("treasury").address
    done = collect(desk, tokens("0.2"))
    assert emitted(done, desk.exchange.TreasuryCollected) == [{"treasury": treasury.lower(), "amount": tokens("0.2")}]
    assert desk.token.balanceOf(treasury) == tokens("0.2")
    assert reserves(desk) == (wad("0.01"), wad("0.14"))
    collect(desk, tokens("0.01"))
    assert reserves(desk) == (0, wad("0.14"))


def test_no_more_than_there_is(desk: Desk) -> None:
    fill(desk)
    # Not swept yet.
    with refused(desk.exchange.TreasuryExceeded, requested=UNIT, available=0):
        collect(desk, 1)
    sweep(desk)
    exceeded = {"requested": wad("0.21") + UNIT, "available": wad("0.21")}
    with nothing_changes(desk.venue), refused(desk.exchange.TreasuryExceeded, **exceeded):
        collect(desk, tokens("0.21") + 1)
    with refused(desk.exchange.AmountZero):
        collect(desk, 0)


def test_what_is_less_than_a_token_unit_stays(desk: Desk) -> None:
    desk.set_parameters(pool_fee_share=0, treasury_fee_share=wad(1))
    fill(desk, 21)
    fill(desk)
    sweep(desk)
    assert reserves(desk) == (wad("0.7") + 3, 0)
    collect(desk, tokens("0.7"))
    assert reserves(desk) == (3, 0)
    with refused(desk.exchange.TreasuryExceeded, requested=UNIT, available=3):
        collect(desk, 1)


def test_nobody_else_collects(desk: Desk) -> None:
    fill(desk)
    sweep(desk)
    people = [desk.trader("stranger"), desk.venue.owner]
    for who in people:
        with nothing_changes(desk.venue), refused(desk.exchange.CallerNotTreasury, caller=who.address):
            act(who, desk.exchange.collect, 1)


def test_a_new_treasury_collects_what_was_kept_for_the_old_one(desk: Desk) -> None:
    fill(desk)
    sweep(desk)
    heir = desk.trader("heir")
    act(desk.venue.owner, desk.exchange.setTreasury, heir.address)
    with refused(desk.exchange.CallerNotTreasury, caller=desk.trader("treasury").address):
        collect(desk, 1)
    collect(desk, tokens("0.21"), by="heir")
    assert desk.token.balanceOf(heir.address) == tokens("0.21")


# ---------------------------------------------------------------------- what costs no trading fee


@pytest.fixture
def icarus(desk: Desk) -> Any:
    """Long 10 from 100 on 100 beside the fee."""
    desk.deposit(desk.trader("whale"), 10_000)
    return desk.open("icarus", TEN, HUNDRED, "100.5")


def test_a_takeover_a_sale_and_a_round_cost_none(desk: Desk, icarus: Any) -> None:
    earned = desk.funding().fees
    desk.price(89)
    desk.take_over(icarus)
    assert desk.inventory(Side.LONG) == (TEN, wad(900))
    desk.deposit(desk.trader("buyer"), 100)
    desk.buy(Side.LONG, wad(4), by=desk.trader("buyer"))
    desk.deleverage(Side.LONG, [desk.trader("whale")])
    assert desk.inventory(Side.LONG)[0] == 0
    assert desk.funding().fees == earned == wad("0.7")


def test_a_liquidation_has_its_own(desk: Desk, icarus: Any) -> None:
    earned = desk.funding().fees
    desk.price(94)
    desk.deposit(desk.trader("liquidator"), 1000)
    (event,) = emitted(desk.liquidate(icarus, by=desk.trader("liquidator")), desk.exchange.Liquidated)
    assert event["fee"] > 0
    assert desk.funding().fees == earned
    assert desk.pool_cash() == event["fee"]
