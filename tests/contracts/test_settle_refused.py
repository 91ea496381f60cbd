"""Orders that do not fit: accounts, markets, sides, sizes, prices."""

from __future__ import annotations

import pytest

from backstop.account_id import isolated_account
from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, wad
from tests.contracts.bouts import HUNDRED, ROLES, TEN, Bout, open_ring
from tests.support.acting import act, emitted, refused
from tests.support.desk import Cross, Desk, open_desk
from tests.support.proofs import nothing_changes

HIGHEST = 2**96 - 1


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """Hawk and dove have 1,000 each; the market is at 100, IM 10 %, MM 5 %."""
    return open_ring(venue, market)


@pytest.fixture(scope="module")
def other(venue: Venue) -> Desk:
    """Another market."""
    return open_desk(venue, "BTC-USD", 100)


@ROLES
def test_account_of_another_market(desk: Desk, other: Desk, role: str) -> None:
    bout = Bout(desk)
    account = other.account(bout.owner(role))
    bout.change(role, account=account)
    with refused(desk.exchange.AccountOfOtherMarket, account=account, market=desk.market.id):
        bout.settle()


@ROLES
def test_account_of_an_unlisted_market(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    unlisted = desk.exchange.marketCount() + 1
    bout.change(role, account=isolated_account(bout.owner(role).address, unlisted))
    with refused(desk.exchange.MarketUnlisted, market=unlisted):
        bout.settle()


@pytest.mark.parametrize("market_id", [0, 999])
def test_orders_for_an_unlisted_market(desk: Desk, market_id: int) -> None:
    bout = Bout(desk)
    for role in ("maker", "taker"):
        bout.change(role, market=market_id)
    with refused(desk.exchange.MarketUnlisted, market=market_id):
        bout.settle()


@ROLES
@pytest.mark.parametrize("sub_id", [0, 1 << 80 | 1 << 64, 1 << 95 | 1 << 64], ids=["none", "reserved", "cross"])
def test_malformed_account(desk: Desk, role: str, sub_id: int) -> None:
    bout = Bout(desk)
    account = (int(bout.owner(role).address, 16) << 96 | sub_id).to_bytes(32, "big")
    bout.change(role, account=account)
    with refused(desk.exchange.AccountMalformed, account=account):
        bout.settle()


@ROLES
def test_cross_account_in_a_market_whose_pool_stands_behind_it_alone(desk: Desk, role: str) -> None:
    bout = Bout(desk)
    cross = Cross(bout.owner(role))
    bout.change(role, account=cross.id)
    desk.deposit(cross, 1000)
    with nothing_changes(desk.venue), refused(desk.exchange.MarketIsolatedOnly, market=desk.market.id):
        bout.settle()


def test_markets_differ(desk: Desk, other: Desk) -> None:
    bout = Bout(desk)
    bout.taken = other.order(bout.taker, TEN, HUNDRED)
    with refused(desk.exchange.OrderMarketMismatch, maker=desk.market.id, taker=other.market.id):
        bout.settle()


def test_with_itself(desk: Desk) -> None:
    bout = Bout(desk, taker="hawk")
    with refused(desk.exchange.OrderWithSelf, account=desk.account(bout.maker)):
        bout.settle()


@pytest.mark.parametrize("size", [TEN, -TEN], ids=["both buy", "both sell"])
def test_sides_are_equal(desk: Desk, size: int) -> None:
    bout = Bout(desk, size=size)
    bout.change("maker", size=size)
    with refused(desk.exchange.OrderSidesEqual, maker=size, taker=size):
        bout.settle()


@pytest.mark.parametrize(("maker", "taker"), [(0, 0), (0, -TEN), (-TEN, 0)])
def test_an_empty_order_counts_as_a_sale(desk: Desk, maker: int, taker: int) -> None:
    bout = Bout(desk)
    bout.change("maker", size=maker)
    bout.change("taker", size=taker)
    with refused(desk.exchange.OrderSidesEqual, maker=maker, taker=taker):
        bout.settle()


@ROLES
def test_an_empty_order_against_a_purchase(desk: Desk, role: str) -> None:
    bout = Bout(desk, size=-TEN if role == "taker" else TEN)
    bout.change(role, size=0)
    with refused(desk.exchange.OrderSizeZero, order=bout.hash(role)):
        bout.settle(1)


def test_an_empty_fill(desk: Desk) -> None:
    with refused(desk.exchange.FillZero):
        Bout(desk).settle(0)


@pytest.mark.parametrize("price", [0, HIGHEST + 1, 2**256 - 1])
def test_makers_price_out_of_bounds(desk: Desk, price: int) -> None:
    bout = Bout(desk)
    bout.change("maker", limit_price=price)
    bout.change("taker", limit_price=2**256 - 1)
    with refused(desk.exchange.OrderPriceOutOfBounds, price=price):
        bout.settle()


def test_lowest_and_highest_price(desk: Desk) -> None:
    """One wei of a contract, whose value both can bear; a taker who sells at any price, one who buys at any price."""
    hawk, dove = desk.trader("hawk"), desk.trader("dove")
    for size, price, limit, value in ((1, HIGHEST, 2**256 - 1, HIGHEST // 10**18 + 1), (-1, 1, 0, 0)):
        made, taken = desk.order(hawk, -size, price), desk.order(dove, size, limit)
        signatures = desk.signed(made, hawk), desk.signed(taken, dove)
        (event,) = emitted(desk.settle(made, taken, 1, signatures, by=dove), desk.exchange.Settled)
        assert (event["price"], event["value"]) == (price, value)


@pytest.mark.parametrize(
    ("size", "limit"), [(TEN, HUNDRED - 1), (-TEN, HUNDRED + 1)], ids=["buying taker", "selling taker"]
)
def test_prices_that_do_not_cross(desk: Desk, size: int, limit: int) -> None:
    bout = Bout(desk, size=size)
    bout.change("taker", limit_price=limit)
    with refused(desk.exchange.PriceNotCrossed, makerPrice=HUNDRED, takerPrice=limit):
        bout.settle()


def price_tiny(desk: Desk) -> int:
    """The least that the feed can tell: at it even the largest sizes are worth little."""
    feed = desk.market.feed.address
    act(desk.venue.owner, desk.price_feed.setFeed, desk.market.id, feed, HEARTBEAT, 1, wad(10**9))
    desk.price("0.00000001")
    return desk.mark()


@ROLES
def test_sizes_beyond_a_position(desk: Desk, role: str) -> None:
    """A short of 2**111 wei is the largest that fits, a long is smaller by a wei."""
    largest = 2**111 - 1
    penny = price_tiny(desk)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 10**11)

    def bout(size: int) -> Bout:
        drawn = Bout(desk, size=size if role == "taker" else -size)
        for each in ("maker", "taker"):
            drawn.change(each, limit_price=penny)
        return drawn

    with refused(desk.exchange.SafeCastOverflowedIntDowncast, bits=112, value=largest + 1):
        bout(largest + 1).settle()
    drawn = bout(largest)
    drawn.settle()
    assert desk.holding(drawn.owner(role)).size == largest


def test_open_interest_beyond_an_inventory(desk: Desk) -> None:
    """What accounts hold together must fit where a pool could have to hold it."""
    largest = 2**111 - 1
    penny = price_tiny(desk)
    hawk, dove, swan, crow = (desk.trader(name) for name in ("hawk", "dove", "swan", "crow"))
    for who in (hawk, dove):
        desk.deposit(who, 10**11)
    for who in (swan, crow):
        desk.deposit(who, 1)
    desk.trade(hawk, dove, largest - 5, penny)
    desk.trade(swan, crow, 5, penny)
    assert desk.open_interest() == largest
    with refused(
        desk.exchange.OpenInterestTooLarge, market=desk.market.id, openInterest=largest + 1, maxOpenInterest=largest
    ):
        desk.trade(swan, crow, 1, penny)


def test_smallest_int256_as_a_size(desk: Desk) -> None:
    bout = Bout(desk)
    bout.change("maker", size=-(2**255))
    bout.settle()
    assert desk.holding(bout.maker).size == -desk.holding(bout.taker).size != 0
