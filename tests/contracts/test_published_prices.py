"""Liquidation and bankruptcy prices that venues publish, as `BackstopLens.account` shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from scripts.stage.venue import Venue, wad
from tests.support.acting import refused
from tests.support.desk import Desk, open_desk, open_shared

WAD = 10**18


def leg_of(desk: Desk, who: Any) -> Any:
    """The only leg of an account, as a page shows it."""
    (leg,) = desk.lens.account(desk.account(who)).legs
    return leg


def open_one(desk: Desk, sign: int, price: int, margin: Decimal | int | str) -> Any:
    """One contract at a price that is the mark."""
    desk.deposit(desk.trader("whale"), 100 * price)
    return desk.open("trader", sign * WAD, wad(price), margin)


# ---------------------------------------------------------------------- Bybit


def test_bybits_bankruptcy_price_of_a_long(venue: Venue) -> None:
    """Bybit, help center, "Bankruptcy Price (USDT Contract)": a long from 10,000 with 50x goes bankrupt at 9,800."""
    desk = open_desk(venue, "BTC-USD", 10_000, initial="0.02", maintenance="0.005")
    leg = leg_of(desk, open_one(desk, 1, 10_000, 200))
    assert leg.bankruptcyPrice == wad(9800)


def test_bybits_liquidation_price_of_that_long_takes_its_margin_at_entry(venue: Venue) -> None:
    """Bybit, help center, "Liquidation Price (USDT Contract)": 10,000 * (1 - 2 % + 0.5 %) = 9,850, `MM` of the entry.

    Here `MM` is that of mark, so the price at which E = MM is 9,800 / (1 - 0.5 %) = 9,849.246231…
    """
    desk = open_desk(venue, "BTC-USD", 10_000, initial="0.02", maintenance="0.005")
    trader = open_one(desk, 1, 10_000, 200)
    price = leg_of(desk, trader).liquidationPrice
    assert Decimal(price) / WAD == Decimal("9849.246231155778894473")
    entry_based = 10_000 * (1 - Decimal("0.02") + Decimal("0.005"))
    assert entry_based == 9850
    assert 0 < entry_based - Decimal(price) / WAD < 1


# ---------------------------------------------------------------------- Gate


@pytest.mark.parametrize(
    ("sign", "published"),
    [(1, "8.085708510208207"), (-1, "11.87413417771621")],
    ids=["long", "short"],
)
def test_gates_liquidation_prices(venue: Venue, sign: int, published: str) -> None:
    """Gate, help center, "Calculation of liquidation price": (entry -+ margin / size) / (1 -+ (MMR + taker's rate)).

    The figures are those to which freqtrade's tests hold that formula: 5x from 10, MMR 1 % and a taker's rate of
    0.06 %, which here are an `mmf` of 1.06 %.
    """
    desk = open_desk(venue, "GT-USD", 10, initial="0.2", maintenance="0.0106")
    leg = leg_of(desk, open_one(desk, sign, 10, 2))
    found = Decimal(leg.liquidationPrice) / WAD
    # Published with 16 digits.
    assert abs(found - Decimal(published)) <= Decimal("0.5").scaleb(-14 if sign < 0 else -15)
    assert leg.bankruptcyPrice == wad(10 - sign * 2)


@pytest.mark.parametrize("sign", [1, -1], ids=["long", "short"])
def test_the_liquidation_price_is_where_liquidation_begins(venue: Venue, sign: int) -> None:
    """To the last digit that the feed can tell: on the one side it is refused, on the other it goes through."""
    desk = open_desk(venue, "GT-USD", 10, initial="0.2", maintenance="0.0106")
    trader, liquidator = open_one(desk, sign, 10, 2), desk.trader("liquidator")
    desk.deposit(liquidator, 100)
    price = Decimal(leg_of(desk, trader).liquidationPrice) / WAD
    tick = Decimal("0.00000001")
    safe = price.quantize(tick, rounding="ROUND_CEILING" if sign > 0 else "ROUND_FLOOR")
    desk.price(safe)
    health = desk.exchange.health(desk.account(trader))
    with refused(
        desk.exchange.LiquidationNotDue,
        account=desk.account(trader),
        equity=health.equity,
        maintenanceMargin=health.maintenanceMargin,
    ):
        desk.liquidate(trader, 1, by=liquidator)
    # It does not move with its own mark.
    assert Decimal(leg_of(desk, trader).liquidationPrice) / WAD == price
    desk.price(safe - sign * tick)
    desk.liquidate(trader, 1, by=liquidator)


def test_prices_of_a_cross_account_hold_the_other_marks(venue: Venue) -> None:
    """Long 10 of A and short 10 of B from 100 on 250: at E = MM of A alone, B at 100 has 50 of MM."""
    a, b = open_shared(venue, "A-USD", "B-USD")
    swan = a.cross("swan")
    a.deposit(swan, 250)
    for each, contracts in ((a, wad(10)), (b, -wad(10))):
        each.deposit(each.trader("whale"), 10_000)
        each.trade(each.trader("whale"), swan, contracts, wad(100))
    first, second = a.lens.account(swan.id).legs
    # 250 - 10 (100 - p) = 50 + p / 2, and 250 - 10 (p - 100) = 50 + p / 2.
    assert first.liquidationPrice == -(-wad(800) * 2 // 19)
    assert second.liquidationPrice == wad(1200) * 2 // 21
    assert (first.market, second.market) == (a.market.id, b.market.id)
    assert (first.maintenanceMargin, first.uPnL, first.funding) == (wad(50), 0, 0)
    # E = 250 is shared by MM, half each.
    assert (first.bankruptcyPrice, second.bankruptcyPrice) == (wad("87.5"), wad("112.5"))


def test_no_price_liquidates_a_long_that_is_paid_for(venue: Venue) -> None:
    """Its equity beside it is more than its entry: the price would be below zero."""
    desk = open_desk(venue, "GT-USD", 10, initial="0.2", maintenance="0.0106")
    assert leg_of(desk, open_one(desk, 1, 10, 11)).liquidationPrice < 0
