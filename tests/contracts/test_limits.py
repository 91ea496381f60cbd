"""What a market allows: how far from mark a fill may be, how small and how large positions, how much open interest."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stage.parameters import NO_BAND
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import Done, emitted, refused
from tests.support.desk import Account, Desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes

TEN = wad(10)
HUNDRED = wad(100)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 100,000 each."""
    desk = Desk(venue, market)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 100_000)
    return desk


def fill(desk: Desk, contracts: int, price: int = HUNDRED) -> Done:
    """Dove takes from hawk."""
    return desk.trade(desk.trader("hawk"), desk.trader("dove"), contracts, price)


def dove(desk: Desk) -> int:
    return desk.holding(desk.trader("dove")).size


# ---------------------------------------------------------------------- the price band


@pytest.mark.parametrize("contracts", [TEN, -TEN], ids=["buying taker", "selling taker"])
@pytest.mark.parametrize(("edge", "beyond"), [(wad(105), 1), (wad(95), -1)], ids=["above mark", "below mark"])
def test_a_fill_within_the_band_and_beyond(desk: Desk, contracts: int, edge: int, beyond: int) -> None:
    desk.set_parameters(price_band=wad("0.05"))
    outside = {"price": edge + beyond, "mark": HUNDRED, "band": wad("0.05")}
    with nothing_changes(desk.venue), refused(desk.exchange.PriceOutsideBand, **outside):
        fill(desk, contracts, edge + beyond)
    fill(desk, contracts, edge)
    assert dove(desk) == contracts


def test_a_band_is_not_rounded(desk: Desk) -> None:
    """0.1 % of 100.00000001 and 0.3 of a wei: a price 0.10000000001 away is inside, a wei more is not."""
    desk.set_parameters(price_band=wad("0.001") + 3)
    desk.price("100.00000001")
    mark = wad("100.00000001")
    # (0.001 + 3 wei) * mark = 0.10000000001 and 300.00000003 wei.
    edge = mark + wad("0.10000000001") + 300
    with refused(desk.exchange.PriceOutsideBand, price=edge + 1, mark=mark, band=wad("0.001") + 3):
        fill(desk, TEN, edge + 1)
    fill(desk, TEN, edge)


def test_it_is_the_makers_price_that_counts(desk: Desk) -> None:
    desk.set_parameters(price_band=wad("0.05"))
    hawk, taker = desk.trader("hawk"), desk.trader("dove")
    made, taken = desk.order(hawk, -TEN, wad(105)), desk.order(taker, TEN, wad(500))
    desk.settle(made, taken, TEN, (desk.signed(made, hawk), desk.signed(taken, taker)), by=hawk)


def test_the_band_moves_with_mark(desk: Desk) -> None:
    desk.set_parameters(price_band=wad("0.05"))
    desk.price(200)
    with refused(desk.exchange.PriceOutsideBand, price=HUNDRED, mark=wad(200), band=wad("0.05")):
        fill(desk, TEN)


def test_a_band_of_more_than_all(desk: Desk) -> None:
    """Twice mark away: a band that is not the largest is a band, even where no price can be below it."""
    desk.set_parameters(price_band=wad(2))
    with refused(desk.exchange.PriceOutsideBand, price=wad(300) + 1, mark=HUNDRED, band=wad(2)):
        fill(desk, TEN, wad(300) + 1)
    fill(desk, TEN, 1)
    desk.set_parameters(price_band=NO_BAND)
    fill(desk, -TEN, wad(3000))


def test_no_band_for_liquidations_and_sales(desk: Desk) -> None:
    """They are at mark less a discount, and at the auction's price."""
    trader = desk.open("trader", TEN, HUNDRED, 100, against="hawk")
    icarus = desk.open("icarus", TEN, HUNDRED, 100, against="hawk")
    desk.set_parameters(price_band=wad("0.001"))
    desk.price(94)
    desk.liquidate(trader, by=desk.trader("dove"))
    desk.price(90)
    desk.take_over(icarus)
    desk.buy(Side.LONG, by=desk.trader("dove"))
    assert desk.inventory(Side.LONG)[0] == 0


# ---------------------------------------------------------------------- the largest position


@pytest.mark.parametrize("contracts", [TEN, -TEN], ids=["buying taker", "selling taker"])
def test_a_position_grows_to_the_limit_and_not_beyond(desk: Desk, contracts: int) -> None:
    desk.set_parameters(max_notional=wad(1000))
    fill(desk, contracts)
    large = {"account": desk.account(desk.trader("hawk")), "notional": wad(1000) + 100, "maxNotional": wad(1000)}
    with nothing_changes(desk.venue), refused(desk.exchange.PositionTooLarge, **large):
        fill(desk, 1 if contracts > 0 else -1)


def test_the_taker_too(desk: Desk) -> None:
    """Hawk is well within it."""
    fill(desk, -TEN)
    fill(desk, wad(20))
    desk.set_parameters(max_notional=wad(1500))
    desk.trade(desk.trader("dove"), desk.trader("hawk"), TEN, HUNDRED)
    whale = desk.trader("whale")
    desk.deposit(whale, 1000)
    fill(desk, TEN)
    large = {"account": desk.account(desk.trader("dove")), "notional": wad(1600), "maxNotional": wad(1500)}
    with refused(desk.exchange.PositionTooLarge, **large):
        desk.trade(whale, desk.trader("dove"), wad(6), HUNDRED)
    desk.trade(whale, desk.trader("dove"), wad(5), HUNDRED)


def test_it_is_measured_at_mark_and_rounded_down(desk: Desk) -> None:
    desk.price("0.5")
    desk.set_parameters(max_notional=wad(5))
    # 5 and half a wei.
    fill(desk, TEN + 1, wad("0.9"))
    large = {"account": desk.account(desk.trader("hawk")), "notional": wad(5) + 1, "maxNotional": wad(5)}
    with refused(desk.exchange.PositionTooLarge, **large):
        fill(desk, 1, wad("0.5"))


def test_what_is_above_may_shrink_and_not_grow(desk: Desk) -> None:
    fill(desk, wad(30))
    desk.set_parameters(max_notional=wad(1000))
    fill(desk, -wad(1))
    assert dove(desk) == wad(29)
    large = {"account": desk.account(desk.trader("hawk")), "notional": wad(2900) + 100, "maxNotional": wad(1000)}
    with refused(desk.exchange.PositionTooLarge, **large):
        fill(desk, 1)


def test_a_flip_is_growth(desk: Desk) -> None:
    fill(desk, wad(5))
    desk.set_parameters(max_notional=wad(1000))
    large = {"account": desk.account(desk.trader("hawk")), "notional": wad(1000) + 100, "maxNotional": wad(1000)}
    with refused(desk.exchange.PositionTooLarge, **large):
        fill(desk, -wad(15) - 1)
    fill(desk, -wad(15))
    assert dove(desk) == -TEN


def test_liquidators_and_buyers_are_bound_by_it(desk: Desk) -> None:
    trader = desk.open("trader", TEN, HUNDRED, 100, against="hawk")
    icarus = desk.open("icarus", TEN, HUNDRED, 100, against="hawk")
    desk.price(94)
    desk.set_parameters(max_notional=wad(94))
    taker = desk.trader("dove")
    large = {"account": desk.account(taker), "notional": wad(94) + 94, "maxNotional": wad(94)}
    with nothing_changes(desk.venue), refused(desk.exchange.PositionTooLarge, **large):
        desk.liquidate(trader, wad(1) + 1, by=taker)
    desk.liquidate(trader, wad(1), by=taker)
    desk.price(90)
    desk.take_over(icarus)
    desk.set_parameters(max_notional=wad(180))
    with refused(desk.exchange.PositionTooLarge, **large | {"notional": wad(180) + 90, "maxNotional": wad(180)}):
        desk.buy(Side.LONG, wad(1) + 1, by=taker)
    desk.buy(Side.LONG, wad(1), by=taker)


# ---------------------------------------------------------------------- the smallest position


@pytest.mark.parametrize("contracts", [wad(1), -wad(1)], ids=["buying taker", "selling taker"])
def test_a_position_has_the_smallest_size_or_none(desk: Desk, contracts: int) -> None:
    desk.set_parameters(min_size=wad(1))
    sign = 1 if contracts > 0 else -1
    small = {"account": desk.account(desk.trader("hawk")), "contracts": wad(1) - 1, "minSize": wad(1)}
    with nothing_changes(desk.venue), refused(desk.exchange.PositionTooSmall, **small):
        fill(desk, contracts - sign)
    fill(desk, contracts)
    # It does not shrink below it, but may end, and flip to it.
    with refused(desk.exchange.PositionTooSmall, **small):
        fill(desk, -sign)
    fill(desk, -2 * contracts)
    assert dove(desk) == -contracts
    fill(desk, contracts)
    assert dove(desk) == 0


def test_the_fill_itself_may_be_small(desk: Desk) -> None:
    fill(desk, TEN)
    desk.set_parameters(min_size=wad(1))
    fill(desk, 1)
    fill(desk, -2)
    assert dove(desk) == TEN - 1


def test_the_takers_position_too(desk: Desk) -> None:
    fill(desk, TEN)
    desk.set_parameters(min_size=wad(1))
    swan = desk.trader("swan")
    desk.deposit(swan, 1000)
    small = {"account": desk.account(swan), "contracts": wad("0.5"), "minSize": wad(1)}
    with refused(desk.exchange.PositionTooSmall, **small):
        desk.trade(desk.trader("dove"), swan, wad("0.5"), HUNDRED)


def sinking(desk: Desk) -> Any:
    """10 from 100 with 100, at 94: 7.659574468085106383 contracts would restore its initial margin."""
    trader = desk.open("trader", TEN, HUNDRED, 100, against="hawk")
    desk.price(94)
    return trader


NEEDED = wad("7.659574468085106383")


@pytest.mark.parametrize(
    ("smallest", "closed"), [(TEN - NEEDED, NEEDED), (TEN - NEEDED + 1, TEN)], ids=["what is left", "a wei more"]
)
def test_a_liquidation_leaves_the_smallest_size_or_nothing(desk: Desk, smallest: int, closed: int) -> None:
    trader = sinking(desk)
    desk.set_parameters(min_size=smallest)
    (event,) = emitted(desk.liquidate(trader, by=desk.trader("dove")), desk.exchange.Liquidated)
    assert event["size"] == closed
    assert desk.holding(trader).size == TEN - closed


def test_nor_does_a_liquidator_choose_to_leave_dust(desk: Desk) -> None:
    trader = sinking(desk)
    desk.set_parameters(min_size=wad(4))
    small = {"account": desk.account(trader), "contracts": wad(4) - 1, "minSize": wad(4)}
    with nothing_changes(desk.venue), refused(desk.exchange.PositionTooSmall, **small):
        desk.liquidate(trader, wad(6) + 1, by=desk.trader("dove"))
    with refused(desk.exchange.PositionTooSmall, **small | {"contracts": 1}):
        desk.liquidate(trader, TEN - 1, by=desk.trader("dove"))
    desk.liquidate(trader, wad(6), by=desk.trader("dove"))
    assert desk.holding(trader).size == wad(4)


def test_a_position_that_was_small_before_is_liquidated_whole(desk: Desk) -> None:
    trader = sinking(desk)
    desk.set_parameters(min_size=wad(11))
    with refused(desk.exchange.PositionTooSmall, account=desk.account(trader), contracts=TEN - 1, minSize=wad(11)):
        desk.liquidate(trader, 1, by=desk.trader("dove"))
    small = {"account": desk.account(desk.trader("dove")), "contracts": TEN, "minSize": wad(11)}
    with refused(desk.exchange.PositionTooSmall, **small):
        desk.liquidate(trader, by=desk.trader("dove"))
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(11), wad(94))
    desk.liquidate(trader, by=desk.trader("dove"))
    assert desk.holding(trader).size == 0


def test_a_round_may_leave_less(desk: Desk) -> None:
    """A counterparty does not choose, and the pool must get rid of what it has."""
    desk.inherit("icarus", 8, 100, 80, 85, against="whale")
    desk.set_parameters(min_size=wad(5))
    desk.deleverage(Side.LONG, [desk.trader("whale")])
    assert desk.inventory(Side.LONG)[0] == 0
    other = desk.trader("crow")
    desk.set_parameters(min_size=0)
    desk.price(100)
    desk.deposit(other, 1000)
    desk.trade(other, desk.trader("dove"), TEN, HUNDRED)
    desk.inherit("midas", 8, 100, 80, 85, against="whale")
    desk.set_parameters(min_size=wad(5))
    desk.deleverage(Side.LONG, [other])
    assert desk.holding(other).size == -wad(2)


def test_a_takeover_takes_the_small_and_the_large(desk: Desk) -> None:
    icarus = desk.open("icarus", TEN, HUNDRED, 100, against="hawk")
    desk.price(85)
    desk.set_parameters(min_size=wad(11), max_notional=1, max_open_interest=1)
    desk.take_over(icarus)
    assert desk.inventory(Side.LONG)[0] == TEN


# ---------------------------------------------------------------------- open interest


def test_open_interest_grows_to_the_limit_and_not_beyond(desk: Desk) -> None:
    desk.set_parameters(max_open_interest=TEN)
    fill(desk, TEN)
    large = {"market": desk.market.id, "openInterest": TEN + 1, "maxOpenInterest": TEN}
    with nothing_changes(desk.venue), refused(desk.exchange.OpenInterestTooLarge, **large):
        fill(desk, 1)
    fill(desk, -wad(20))
    with refused(desk.exchange.OpenInterestTooLarge, **large):
        fill(desk, -1)


def test_what_changes_hands_or_shrinks_is_no_growth(desk: Desk) -> None:
    fill(desk, TEN)
    desk.set_parameters(max_open_interest=wad(5))
    swan = desk.trader("swan")
    desk.deposit(swan, 1000)
    # Dove passes 4 to swan, and closes 1 against hawk.
    desk.trade(desk.trader("dove"), swan, wad(4), HUNDRED)
    assert desk.open_interest() == TEN
    fill(desk, -wad(1))
    assert desk.open_interest() == wad(9)
    with refused(
        desk.exchange.OpenInterestTooLarge, market=desk.market.id, openInterest=wad(9) + 1, maxOpenInterest=wad(5)
    ):
        fill(desk, 1)


def test_liquidation_takeover_and_sale_do_not_need_room(desk: Desk) -> None:
    trader, icarus = sinking(desk), desk.trader("icarus")
    desk.price(100)
    desk.open("icarus", TEN, HUNDRED, 100, against="hawk")
    desk.set_parameters(max_open_interest=0)
    desk.price(94)
    desk.liquidate(trader, by=desk.trader("dove"))
    desk.price(90)
    desk.take_over(icarus)
    desk.buy(Side.LONG, by=desk.trader("dove"))
    assert desk.open_interest() == wad(20)


def test_nothing_is_traded_where_the_limit_is_nothing(desk: Desk) -> None:
    desk.set_parameters(max_open_interest=0)
    with refused(desk.exchange.OpenInterestTooLarge, market=desk.market.id, openInterest=1, maxOpenInterest=0):
        fill(desk, 1)


# ---------------------------------------------------------------------- reduce-only


@pytest.mark.parametrize("role", ["maker", "taker"])
@pytest.mark.parametrize("side", [1, -1], ids=["of a long", "of a short"])
def test_reduce_only_is_not_passed_by_one_unit(desk: Desk, role: str, side: int) -> None:
    """Ten contracts: ten and a wei would flip them, whoever is the maker and whatever the order asks for."""
    fill(desk, side * TEN)
    maker, taker = desk.trader("hawk"), desk.trader("dove")
    change = -side * (TEN + 1)
    made = desk.order(maker, -change, HUNDRED, reduce_only=role == "maker")
    taken = desk.order(taker, change, HUNDRED, reduce_only=role == "taker")
    signatures = desk.signed(made, maker), desk.signed(taken, taker)
    who, sign = (maker, -1) if role == "maker" else (taker, 1)
    held = {"account": desk.account(who), "position": sign * side * TEN, "change": sign * change}
    with nothing_changes(desk.venue), refused(desk.exchange.OrderNotReducing, **held):
        desk.settle(made, taken, TEN + 1, signatures, by=maker)
    desk.settle(made, taken, TEN, signatures, by=maker)
    assert desk.holding(who) == Account(0, 0, wad(100_000))
    # What is left of the order finds nothing to reduce.
    with refused(desk.exchange.OrderNotReducing, **held | {"position": 0, "change": -sign * side}):
        desk.settle(made, taken, 1, signatures, by=maker)


def test_reduce_only_counts_on_what_is_held_when_it_is_filled(desk: Desk) -> None:
    fill(desk, TEN)
    maker, taker = desk.trader("hawk"), desk.trader("dove")
    made, taken = desk.order(maker, TEN, HUNDRED), desk.order(taker, -TEN, HUNDRED, reduce_only=True)
    signatures = desk.signed(made, maker), desk.signed(taken, taker)
    desk.settle(made, taken, wad(4), signatures, by=maker)
    fill(desk, -wad(3))
    held = {"account": desk.account(taker), "position": wad(3), "change": -wad(3) - 1}
    with refused(desk.exchange.OrderNotReducing, **held):
        desk.settle(made, taken, wad(3) + 1, signatures, by=maker)
    desk.settle(made, taken, wad(3), signatures, by=maker)
    assert dove(desk) == 0


def test_reduce_only_and_the_smallest_size(desk: Desk) -> None:
    """It may end the position, not leave dust."""
    fill(desk, TEN)
    desk.set_parameters(min_size=wad(1))
    maker, taker = desk.trader("hawk"), desk.trader("dove")
    made, taken = desk.order(maker, TEN, HUNDRED), desk.order(taker, -TEN, HUNDRED, reduce_only=True)
    signatures = desk.signed(made, maker), desk.signed(taken, taker)
    small = {"account": desk.account(maker), "contracts": 1, "minSize": wad(1)}
    with refused(desk.exchange.PositionTooSmall, **small):
        desk.settle(made, taken, TEN - 1, signatures, by=maker)
    desk.settle(made, taken, TEN, signatures, by=maker)
    assert dove(desk) == 0
