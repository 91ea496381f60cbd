"""The end of a market, `Exchange.closeMarket`: its final price, what goes on and what does not."""

from __future__ import annotations

import pytest
from ape import project

from backstop.chain.snapshot import read_chain
from backstop.keeper.duties import take_overs
from backstop.keeper.liquidations import weak_accounts
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.contracts.endings import (
    BOOK,
    DAY,
    HUNDRED,
    close,
    open_ending,
    seat_book,
    settle,
    state_of,
    traders,
    undone,
    wait_for_settlement,
)
from tests.support.acting import act, emitted, now, refused, wait_until
from tests.support.deficits import withdraw
from tests.support.desk import NO_LIMIT, Desk, open_desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes
from tests.support.stakers import fresh


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 10x, mmf 5 %, in a pool of its own that is empty."""
    return open_ending(venue)


@pytest.fixture
def book(desk: Desk) -> Desk:
    """Two longs and a short of 10 from 100, and a pool of 1,000; the mark is 103."""
    return seat_book(desk)


# ---------------------------------------------------------------------- closing


def test_the_final_price_is_the_mark(book: Desk) -> None:
    done = close(book)
    settles_at = done.timestamp + DAY
    event = {"market": book.market.id, "price": wad(103), "settlesAt": settles_at}
    assert emitted(done, book.exchange.MarketEnded) == [event]
    assert emitted(done, book.price_feed.PriceFixed) == [{"market": book.market.id, "price": wad(103)}]
    assert book.exchange.settlesAt(book.market.id) == settles_at
    book.price("50")
    wait_until(now() + 10 * DAY)
    assert book.mark() == wad(103)
    assert tuple(book.price_feed.markOrLast(book.market.id)) == (wad(103), True)
    assert book.price_feed.accepted(book.market.id)[0] == wad(103)
    act(book.trader("stranger"), book.price_feed.accept, book.market.id)
    act(book.trader("stranger"), book.price_feed.acceptOrLast, book.market.id)
    assert book.mark() == wad(103)


def test_of_a_dead_feed_it_is_the_last_accepted_price(book: Desk) -> None:
    """103 was never accepted: nobody traded at it."""
    wait_until(book.priced_at() + 3601)
    (event,) = emitted(close(book), book.exchange.MarketEnded)
    assert event["price"] == book.mark() == wad(100)


@pytest.mark.parametrize("dead", [False, True], ids=["live", "dead"])
def test_its_owner_says_between_which_prices(venue: Venue, book: Desk, dead: bool) -> None:
    """Of a dead feed the last accepted price is asked."""
    if dead:
        wait_until(book.priced_at() + 3601)
    price = HUNDRED if dead else wad(103)
    error = book.exchange.FinalPriceOutsideBounds
    for lowest, highest in ((price + 1, price + 2), (price - 2, price - 1), (price + 1, price - 1)):
        with (
            nothing_changes(venue),
            refused(error, market=book.market.id, price=price, lowest=lowest, highest=highest),
        ):
            close(book, lowest, highest)
    (event,) = emitted(close(book, price, price), book.exchange.MarketEnded)
    assert event["price"] == price


def test_a_market_that_never_had_a_price_is_not_closed(venue: Venue, desk: Desk) -> None:
    other = open_desk(venue, "MUTE-USD", 100)
    wait_until(other.priced_at() + 3601)
    with nothing_changes(venue), refused(other.price_feed.FeedMissing, market=other.market.id):
        close(other)


def test_the_sequencer_has_no_say_any_more(venue: Venue, book: Desk) -> None:
    close(book)
    down = venue.owner.deploy(project.MockAggregator, 0, 1)
    act(venue.owner, book.price_feed.setSequencer, down.address, 3600)
    assert book.mark() == wad(103)
    wait_for_settlement(book)
    settle(book, *traders(book, "hawk eagle dove"))
    assert book.open_interest() == 0


def test_it_is_closed_once_and_for_ever(venue: Venue, book: Desk) -> None:
    close(book)
    exchange, market = book.exchange, book.market.id
    with nothing_changes(venue), refused(exchange.MarketClosed, market=market):
        close(book)
    with nothing_changes(venue), refused(exchange.MarketClosed, market=market):
        act(venue.owner, exchange.setParameters, market, book.parameters()._replace(price_band=2**64 - 1))
    with nothing_changes(venue), refused(book.price_feed.PriceFinal, market=market):
        act(venue.owner, book.price_feed.setFeed, market, book.market.feed.address, 3600, 1, 2)


def test_only_the_exchange_fixes_a_price(venue: Venue, desk: Desk) -> None:
    for who in (venue.owner, desk.trader("stranger")):
        with refused(desk.price_feed.CallerNotExchange, caller=who.address):
            act(who, desk.price_feed.fix, desk.market.id)
    with refused(desk.price_feed.AlreadyWired):
        act(venue.owner, desk.price_feed.wire, desk.trader("stranger").address)


def test_an_unlisted_market_is_neither_closed_nor_settled(venue: Venue, desk: Desk) -> None:
    unlisted = desk.exchange.marketCount() + 1
    with refused(desk.exchange.MarketUnlisted, market=unlisted):
        act(venue.owner, desk.exchange.closeMarket, unlisted, 0, 1)
    for market in (unlisted, desk.market.id):
        with refused(desk.exchange.MarketNotClosed, market=market):
            act(venue.owner, desk.exchange.settleClosed, market, [])


# ---------------------------------------------------------------------- what stops, what goes on


def test_nothing_is_traded_liquidated_or_sold(venue: Venue, book: Desk) -> None:
    book.inherit("icarus", 10, 100, 100, 92)
    weak = book.open("weak", wad(5), wad(92), 46)
    book.price("89")
    close(book)
    exchange, closed = book.exchange, {"market": book.market.id}
    hawk, dove, whale = traders(book, "hawk dove whale")
    with nothing_changes(venue), refused(exchange.MarketClosed, **closed):
        book.trade(hawk, dove, wad(1), wad(89))
    with nothing_changes(venue), refused(exchange.MarketClosed, **closed):
        book.liquidate(weak, by=whale)
    with nothing_changes(venue), refused(exchange.MarketClosed, **closed):
        act(whale, exchange.buyInventory, book.account(whale), book.market.id, Side.LONG, 1, NO_LIMIT[Side.LONG])
    assert book.auction(Side.LONG) == (0, 0)
    state = state_of(book)
    assert not state.terms[book.market.name].auctions
    assert state.terms[book.market.name].settles_at == exchange.settlesAt(book.market.id)
    assert not weak_accounts(state)


def test_who_has_equity_is_left_alone(venue: Venue, book: Desk) -> None:
    """At 91.5 the equity of 15 is less than half of the maintenance margin of 45.75; settled, it is paid out."""
    book.deposit(book.trader("whale"), 1000)
    book.price("100")
    weak = book.open("weak", wad(10), HUNDRED, 100)
    book.price("91.5")
    with undone():
        book.take_over(weak)
    close(book)
    error = {"account": book.account(weak), "equity": wad(15), "maintenanceMargin": 0}
    with nothing_changes(venue), refused(book.exchange.TakeoverNotDue, **error):
        book.take_over(weak)
    assert not take_overs(read_chain(venue.endpoint, venue.deployment))
    wait_for_settlement(book)
    settle(book, weak)
    assert book.holding(weak).margin == wad(15)


def test_funding_stands(venue: Venue, desk: Desk) -> None:
    """What is over is accrued, the running hour's fills are forgotten, and the index is the same for all."""
    desk.set_parameters(funding_cap=wad("0.01"), price_band=wad("0.1"))
    desk.seat(BOOK)
    venue.next_hour()
    fresh(desk)
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    desk.trade(desk.trader("dove"), desk.trader("hawk"), wad(2), wad(101))
    accrued = desk.exchange.fundingIndex(desk.market.id)
    close(desk)
    settled = desk.funding()
    assert (settled.premium, settled.volume, settled.cap) == (0, 0, 0)
    for hours in (1, 5, 100):
        wait_until(now() + hours * 3600)
        assert desk.exchange.fundingIndex(desk.market.id) == accrued == settled.index


def test_money_goes_by_the_usual_rules(book: Desk) -> None:
    """Hawk has 100 and a gain of 21: 100 less an initial margin of 72.1 may leave, at the final price for ever."""
    close(book)
    wait_until(now() + DAY // 2)
    hawk = book.trader("hawk")
    book.deposit(hawk, 10)
    with refused(
        book.exchange.MarginInsufficient,
        account=book.account(hawk),
        available=wad("72.099999"),
        required=wad("72.1"),
    ):
        withdraw(book, hawk, tokens("37.900001"))
    withdraw(book, hawk, tokens("37.9"))
