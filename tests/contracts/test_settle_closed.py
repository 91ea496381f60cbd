"""The positions of a market that has ended, `Exchange.settleClosed`; and those who staked in its pool."""

from __future__ import annotations

import pytest

from backstop.deployment.pool_terms import PoolKind
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.contracts.endings import HUNDRED, close, open_ending, seat_book, settle, traders, wait_for_settlement
from tests.support.acting import act, emitted, now, refused
from tests.support.desk import Desk, create_pool, open_desk
from tests.support.enums import Side
from tests.support.proofs import nothing_changes
from tests.support.stakers import COOLDOWN, Stakers, fresh, open_group


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 10x, mmf 5 %, in a pool of its own that is empty."""
    return open_ending(venue)


@pytest.fixture
def book(desk: Desk) -> Desk:
    """Two longs and a short of 10 from 100, and a pool of 1,000; the mark is 103."""
    return seat_book(desk)


# ---------------------------------------------------------------------- settlement


def test_not_before_the_delay(venue: Venue, book: Desk) -> None:
    close(book)
    settles_at = book.exchange.settlesAt(book.market.id)
    hawk = book.trader("hawk")
    with refused(book.exchange.SettlementNotDue, market=book.market.id, settlesAt=settles_at):
        settle(book, hawk, at=settles_at - 1)
    settle(book, hawk, at=settles_at)
    assert book.holding(hawk).size == 0


def test_each_is_paid_the_final_price(book: Desk) -> None:
    close(book)
    wait_for_settlement(book)
    hawk, eagle, dove = traders(book, "hawk eagle dove")
    done = settle(book, hawk, dove)
    assert [(each["size"], each["value"]) for each in emitted(done, book.exchange.PositionSettled)] == [
        (wad(7), wad(721)),
        (-wad(10), -wad(1030)),
    ]
    (event,) = emitted(done, book.fund.InventoryNetted)
    assert (event["contracts"], event["mark"]) == (wad(7), wad(103))
    assert (book.inventory(Side.LONG), book.inventory(Side.SHORT)) == ((0, 0), (-wad(3), -wad(309)))
    assert book.open_interest() == wad(3)
    (event,) = emitted(settle(book, eagle), book.fund.InventoryNetted)
    assert event["contracts"] == wad(3)
    assert [book.holding(each).margin for each in (hawk, eagle, dove)] == [wad(121), wad(99), wad(370)]
    assert (book.open_interest(), book.inventory(Side.LONG), book.inventory(Side.SHORT)) == (0, (0, 0), (0, 0))
    assert book.pool_cash() == wad(1000)


def test_those_who_are_not_there_are_passed_over(venue: Venue, book: Desk) -> None:
    close(book)
    wait_for_settlement(book)
    hawk, stranger = traders(book, "hawk stranger")
    done = settle(book, stranger, hawk, hawk, bytes(32), b"\xff" * 32)
    assert len(emitted(done, book.exchange.PositionSettled)) == 1
    with nothing_changes(venue):
        settle(book, hawk, stranger)
        settle(book)


def test_settled_it_may_change_pools(venue: Venue, book: Desk) -> None:
    """So that it takes no place in the pool that it had; before that who bears what stays as it was."""
    attic = create_pool(venue, "attic", PoolKind.SHARED)
    close(book)
    wait_for_settlement(book)
    settle(book, *traders(book, "hawk eagle"))
    with nothing_changes(venue), refused(book.exchange.MarketClosed, market=book.market.id):
        act(venue.owner, book.exchange.moveMarket, book.market.id, attic)
    settle(book, *traders(book, "dove"))
    act(venue.owner, book.exchange.moveMarket, book.market.id, attic)
    assert list(book.fund.pool(book.market.pool).markets) == []
    open_desk(venue, "NEXT-USD", 100, pool=book.market.pool)


def test_rounding_to_the_wei(desk: Desk) -> None:
    """Sizes of odd wei at an odd price: each loses less than a wei, which the pool has in the end."""
    sizes = {"ant": wad(3) + 1, "bee": wad(2) + 7, "cat": -(wad(1) + 5), "dog": -(wad(4) + 3)}
    assert sum(sizes.values()) == 0
    for name in sizes:
        desk.deposit(desk.trader(name), 1000)
    for long, short, contracts in (("ant", "cat", wad(1) + 5), ("ant", "dog", wad(2) - 4), ("bee", "dog", wad(2) + 7)):
        desk.trade(desk.trader(short), desk.trader(long), contracts, HUNDRED)
    desk.price("101.23456789")
    mark = desk.mark()
    entries = {name: desk.holding(desk.trader(name)).entry for name in sizes}
    close(desk)
    wait_for_settlement(desk)
    settle(desk, *traders(desk, "cat ant"))
    settle(desk, *traders(desk, "dog bee"))
    paid = {name: desk.holding(desk.trader(name)).margin - wad(1000) for name in sizes}
    assert paid == {name: size * mark // wad(1) - entries[name] for name, size in sizes.items()}
    assert desk.pool_cash() == -sum(paid.values()) == -sum(size * mark // wad(1) for size in sizes.values())
    assert 0 < desk.pool_cash() <= len(sizes)


# ---------------------------------------------------------------------- stakers


def test_a_market_half_settled_holds_no_exit_of_its_group(venue: Venue, market: TestMarket) -> None:
    """A has nothing, and after the first settlement inventory that cannot lose: B's stakers come and go, not A's."""
    a, b, _ = open_group(venue, {"A-USD": 0, "B-USD": 600, "C-USD": 400})
    stakers = Stakers(b)
    stakers.stake("anna", 500)
    a.seat("""
        ant   1 100 1000
        bee  -1 100 1000
    """)
    close(a)
    wait_for_settlement(a)
    fresh(b)
    settle(a, a.trader("ant"))
    assert a.inventory(Side.LONG) == (wad(1), HUNDRED)
    assert b.fund.mayExit(b.market.pool, tokens(100))
    assert b.fund.maxStake(b.market.pool) > 0
    assert b.fund.maxStake(a.market.pool) == 0
    stakers.stake("berta", 100)


def test_stakers_leave_a_pool_whose_market_has_ended(book: Desk) -> None:
    stakers = Stakers(book)
    stakers.stake("early", 500)
    book.price("103")
    close(book)
    wait_for_settlement(book)
    settle(book, *traders(book, "hawk eagle dove"))
    worth = stakers.worth("early")
    assert worth >= tokens(500) - 1
    ripe = stakers.request_exit("early")
    assert ripe == now() + COOLDOWN
    assert stakers.settle_exit("early", at=ripe) == worth
