"""What margin a trade asks for, to the wei; and orders that may only reduce."""

from __future__ import annotations

from decimal import Decimal

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.bouts import HUNDRED, ROLES, SIDES, TEN, Bout, open_ring
from tests.support.acting import Done, refused
from tests.support.desk import FLAT, Account, Desk


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each; the market is at 100, IM 10 %, MM 5 %."""
    return open_ring(venue, market)


# ---------------------------------------------------------------------- margin


def squeeze(desk: Desk, name: str, role: str, side: int, wei: int) -> Done:
    """Somebody with a margin of 100 takes 9 contracts of a side at 100, then one more that is `wei` too dear."""
    thin = desk.trader(name)
    desk.deposit(thin, 100)
    for contracts, worse in ((9, 0), (1, wei)):
        price = HUNDRED + side * worse
        if role == "taker":
            done = desk.trade(desk.trader("hawk"), thin, side * wad(contracts), price)
        else:
            done = desk.trade(thin, desk.trader("hawk"), -side * wad(contracts), price)
    return done


@ROLES
@SIDES
def test_initial_margin_to_the_wei(desk: Desk, role: str, side: int) -> None:
    squeeze(desk, "thin", role, side, 0)
    assert desk.equity(desk.trader("thin")) == HUNDRED


@ROLES
@SIDES
def test_initial_margin_less_one_wei(desk: Desk, role: str, side: int) -> None:
    thin = desk.account(desk.trader("thin"))
    with refused(desk.exchange.InitialMarginInsufficient, account=thin, equity=HUNDRED - 1, required=HUNDRED):
        squeeze(desk, "thin", role, side, 1)


def test_initial_margin_is_rounded_up(desk: Desk) -> None:
    """One wei of a contract at 100 needs 10 wei of margin; at 95 it needs 9.5, so 10 too."""
    poor = desk.trader("poor")
    desk.price(95)
    with refused(desk.exchange.InitialMarginInsufficient, account=desk.account(poor), equity=9, required=10):
        desk.trade(desk.trader("hawk"), poor, 1, wad(86))
    desk.trade(desk.trader("hawk"), poor, 1, wad(85))
    assert desk.equity(poor) == 10


@pytest.mark.parametrize(("size", "paid", "equity"), [(1, 85, 10), (1, 86, 9), (-1, 106, 10), (-1, 105, 9)], ids=str)
def test_a_position_is_valued_down(desk: Desk, size: int, paid: int, equity: int) -> None:
    """One wei of a contract at 95.5 is worth 95 to a long, and costs a short 96; either needs 10."""
    poor = desk.trader("poor")
    desk.price("95.5")
    if equity < 10:
        with refused(desk.exchange.InitialMarginInsufficient, account=desk.account(poor), equity=equity, required=10):
            desk.trade(desk.trader("hawk"), poor, size, wad(paid))
        return
    desk.trade(desk.trader("hawk"), poor, size, wad(paid))
    assert desk.equity(poor) == equity


def test_a_flip_needs_initial_margin_for_the_remainder(desk: Desk) -> None:
    """Long 10 with a margin of 150: after a sale of 25 the short of 15 needs 150, of 25.1 it needs 151."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    desk.deposit(thin, 150)
    desk.trade(hawk, thin, TEN, HUNDRED)
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(thin),
        equity=wad(150),
        required=wad(151),
    ):
        desk.trade(hawk, thin, -wad("25.1"), HUNDRED)
    desk.trade(hawk, thin, -wad(25), HUNDRED)
    assert desk.holding(thin) == Account(-wad(15), wad(-1500), wad(150))


@SIDES
def test_an_account_below_initial_margin_may_still_reduce(desk: Desk, side: int) -> None:
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    mark = 100 - 5 * side
    desk.price(mark)
    with refused(
        desk.exchange.InitialMarginInsufficient,
        account=desk.account(thin),
        equity=wad(50),
        required=11 * wad(mark) // 10,
    ):
        desk.trade(hawk, thin, side * wad(1), wad(mark))
    desk.trade(hawk, thin, -side * wad(1), wad(mark))
    assert desk.holding(thin).size == side * wad(9)


@pytest.mark.parametrize(
    ("side", "mark", "worst"), [(1, 95, 90), (-1, 105, 110)], ids=["long sells half", "short buys half"]
)
@ROLES
def test_reducing_must_not_worsen_the_margin_rate(desk: Desk, role: str, side: int, mark: int, worst: int) -> None:
    """E is 50 for 10 contracts, so 25 must be left for 5: they may go at 5 from mark, and not a wei further."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    desk.price(mark)

    def halve(price: int) -> None:
        if role == "taker":
            desk.trade(hawk, thin, -side * wad(5), price)
        else:
            desk.trade(thin, hawk, side * wad(5), price)

    with refused(
        desk.exchange.MarginRateWorse,
        account=desk.account(thin),
        equity=wad(25) - 5,
        maintenanceMargin=wad(mark) // 4,
    ):
        halve(wad(worst) - side)
    halve(wad(worst))
    assert desk.equity(thin) == wad(25)


@pytest.mark.parametrize(("side", "mark", "worst"), [(1, 95, 90), (-1, 105, 110)], ids=["long", "short"])
def test_closing_needs_no_more_than_nothing_left(desk: Desk, side: int, mark: int, worst: int) -> None:
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    desk.price(mark)
    with refused(desk.exchange.EquityNegative, account=desk.account(thin), equity=-10):
        desk.trade(hawk, thin, -side * TEN, wad(worst) - side)
    desk.trade(hawk, thin, -side * TEN, wad(worst))
    assert desk.holding(thin) == FLAT


@SIDES
def test_reducing_to_no_equity(desk: Desk, side: int) -> None:
    """Five contracts that cost the whole equity of 50 leave five with none; a wei more leaves less than none."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    mark = 100 - 5 * side
    desk.price(mark)
    ruin = wad(mark - 10 * side)
    with refused(
        desk.exchange.MarginRateWorse,
        account=desk.account(thin),
        equity=0,
        maintenanceMargin=wad(mark) // 4,
    ):
        desk.trade(hawk, thin, -side * wad(5), ruin)
    with refused(desk.exchange.EquityNegative, account=desk.account(thin), equity=-5):
        desk.trade(hawk, thin, -side * wad(5), ruin - side)


@SIDES
@pytest.mark.parametrize("beyond", ["0", "0.00000001"], ids=["nothing left", "less than nothing"])
@pytest.mark.parametrize("size", [-10, -1, 1], ids=["closes", "reduces", "grows"])
def test_a_bankrupt_account_cannot_trade(desk: Desk, side: int, beyond: str, size: int) -> None:
    """Even at a price that would make it whole: takeover is what is left."""
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", side, 0)
    desk.price(Decimal(100 - 10 * side) - side * Decimal(beyond))
    with refused(desk.exchange.AccountBankrupt, account=desk.account(thin), equity=-10 * wad(beyond)):
        desk.trade(hawk, thin, side * wad(size), HUNDRED)


def test_a_bankrupt_maker_cannot_trade(desk: Desk) -> None:
    thin, dove = desk.trader("thin"), desk.trader("dove")
    squeeze(desk, "thin", "taker", 1, 0)
    desk.price(90)
    with refused(desk.exchange.AccountBankrupt, account=desk.account(thin), equity=0):
        desk.trade(thin, dove, TEN, HUNDRED)


def test_the_least_equity_may_close(desk: Desk) -> None:
    thin, hawk = desk.trader("thin"), desk.trader("hawk")
    squeeze(desk, "thin", "taker", 1, 0)
    desk.price("90.00000001")
    assert desk.equity(thin) == wad("0.0000001")
    desk.trade(hawk, thin, -TEN, wad("90.00000001"))
    assert desk.holding(thin) == Account(0, 0, wad("0.0000001"))


# ---------------------------------------------------------------------- reduce-only


@ROLES
def test_reduce_only_opens_nothing(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    order = bout.change(role, reduce_only=True)
    with refused(desk.exchange.OrderNotReducing, account=order.account, position=0, change=order.size):
        bout.settle()


@ROLES
def test_reduce_only_grows_nothing(desk: Desk, role: str) -> None:
    Bout(desk).settle()
    bout = Bout(desk, size=1)
    order = bout.change(role, reduce_only=True)
    with refused(
        desk.exchange.OrderNotReducing,
        account=order.account,
        position=-TEN if role == "maker" else TEN,
        change=order.size,
    ):
        bout.settle()


@ROLES
@SIDES
def test_reduce_only_by_one_unit_more(desk: Desk, role: str, side: int) -> None:
    """The whole position and not a wei more; what an order asks for does not matter, only what is filled."""
    Bout(desk, size=side * TEN).settle()
    bout = Bout(desk, size=-side * (TEN + 1))
    order = bout.change(role, reduce_only=True)
    with refused(
        desk.exchange.OrderNotReducing,
        account=order.account,
        position=side * TEN * (-1 if role == "maker" else 1),
        change=order.size,
    ):
        bout.settle()
    bout.settle(TEN)
    for who in (bout.maker, bout.taker):
        assert desk.holding(who) == Account(0, 0, wad(1000))
    with refused(
        desk.exchange.OrderNotReducing,
        account=order.account,
        position=0,
        change=1 if order.size > 0 else -1,
    ):
        bout.settle(1)


def test_reduce_only_in_parts(desk: Desk) -> None:
    Bout(desk).settle()
    bout = Bout(desk, size=-TEN)
    for role in ("maker", "taker"):
        bout.change(role, reduce_only=True)
    bout.settle(wad(3))
    bout.settle(wad(7))
    assert desk.holding(bout.taker) == Account(0, 0, wad(1000))
