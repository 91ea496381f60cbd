"""The end of a market: its final price, what goes on and what does not, and settlement in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import permutations
from typing import Any

import pytest
from ape import project

from backstop.adl.ranking import rank
from backstop.chain.snapshot import ChainState, read_chain
from backstop.deployment.pool_terms import PoolKind
from backstop.keeper.duties import take_overs
from backstop.keeper.liquidations import weak_accounts
from backstop.math.liquidation import contracts_to_restore
from scripts.stage.venue import TestMarket, Venue, tokens, wad
from tests.support.acting import Done, act, emitted, now, refused, rpc, wait_until
from tests.support.deficits import deficit, withdraw
from tests.support.desk import NO_LIMIT, Desk, create_pool, open_desk, open_shared
from tests.support.enums import Side, Trigger
from tests.support.proofs import assert_proofs, nothing_changes
from tests.support.stakers import COOLDOWN, Stakers, fresh, open_group

DAY = 86_400
HUNDRED = wad(100)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """A market at 100, 10x, mmf 5 %, in a pool of its own that is empty."""
    return open_desk(venue, "END-USD", 100, initial="0.1", maintenance="0.05")


def close(desk: Desk, lowest: int = 0, highest: int = 2**256 - 1) -> Done:
    return act(desk.venue.owner, desk.exchange.closeMarket, desk.market.id, lowest, highest)


def wait_for_settlement(desk: Desk) -> None:
    wait_until(desk.exchange.settlesAt(desk.market.id))


def settle(desk: Desk, *who: Any, by: str = "stranger", at: int | None = None) -> Done:
    accounts = [desk.account(each) for each in who]
    return act(desk.trader(by), desk.exchange.settleClosed, desk.market.id, accounts, at=at)


def state_of(desk: Desk) -> ChainState:
    return read_chain(desk.venue.endpoint, desk.venue.deployment)


def traders(desk: Desk, names: str) -> list[Any]:
    return [desk.trader(name) for name in names.split()]


@contextmanager
def undone() -> Iterator[None]:
    """What the block does is taken back."""
    state = rpc("evm_snapshot")
    yield
    assert rpc("evm_revert", state)


BOOK = """
    hawk    7  100 100
    eagle   3  100  90
    dove  -10  100 400
"""


@pytest.fixture
def book(desk: Desk) -> Desk:
    """Two longs and a short of 10 from 100, and a pool of 1,000; the mark is 103."""
    desk.contribute(1000)
    desk.seat(BOOK)
    desk.price("103")
    return desk


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


# ---------------------------------------------------------------------- the bankrupt first


RUIN = """
    ruin   10  100 100
    hawk   10  100 500
    dove  -10  100 900
    kite  -10  100 700
"""


@pytest.fixture
def ruined(desk: Desk) -> Desk:
    """Ruin is long 10 from 100 with 100, hawk long 10 with 500, dove and kite short; the mark is 85, the loss 50."""
    desk.seat(RUIN)
    desk.price("85")
    return desk


# What the pool has: enough; too little for its drawdown; nothing.
POOLS = {"borne by the pool": 1000, "a drawdown of 50 %": 100, "nothing in the pool": 0}


@pytest.mark.parametrize("capital", POOLS.values(), ids=list(POOLS))
def test_everybody_gets_the_same_in_every_order(ruined: Desk, capital: int) -> None:
    """Whoever comes first, and whether ruin is taken over before or in the same call: all end the same, to the wei."""
    desk = ruined
    if capital:
        desk.contribute(capital)
    close(desk)
    wait_for_settlement(desk)
    everybody = traders(desk, "ruin hawk dove kite")
    ends = set()
    for order in permutations(everybody):
        with undone():
            settle_one_by_one(desk, order)
            ends.add((*(desk.holding(each) for each in everybody), desk.pool_cash()))
            assert_proofs(desk.venue)
    if capital == 1000:
        ((*held, cash),) = ends
        assert [each.margin for each in held] == [0, wad(350), wad(1050), wad(850)]
        assert cash == wad(950)
        return
    # Who was settled before ruin was taken over has left the queue: see the next test. All who wait get the same.
    waiting = set()
    for order in permutations(everybody[1:]):
        with undone():
            desk.take_over(everybody[0])
            settle_one_by_one(desk, order)
            waiting.add((*(desk.holding(each) for each in everybody), desk.pool_cash()))
    assert len(waiting) == 1
    ((*held, cash),) = waiting
    target = capital - min(50, capital // 4) if capital else 0
    given = 50 - (capital - target)
    assert cash == wad(target)
    assert held[1].margin == wad(350)
    assert sum(each.margin for each in held[2:]) == wad(1900 - given)


def settle_one_by_one(desk: Desk, order: Sequence[Any]) -> None:
    """In this order; where a round is due it comes first, by a keeper that lists all who hold the other side."""
    for who in order:
        deleverage_if_due(desk)
        settle(desk, who)
    deleverage_if_due(desk)
    settle(desk)
    assert desk.open_interest() == 0


def deleverage_if_due(desk: Desk) -> None:
    for side in Side:
        if desk.terms(side).trigger:
            count, market = desk.exchange.accountCount(desk.market.id), desk.market.id
            sizes = {
                account: desk.exchange.position(account, market).size
                for account in (desk.exchange.accountAt(market, i) for i in range(count))
            }
            desk.deleverage(
                side, [account for account, size in sizes.items() if size and (size > 0) is (side is Side.SHORT)]
            )


def test_nobody_is_settled_while_a_round_is_due(venue: Venue, ruined: Desk) -> None:
    """Who has the profit cannot leave with it: the round comes first, and takes from the first in rank."""
    desk = ruined
    ruin, hawk, dove, kite = traders(desk, "ruin hawk dove kite")
    close(desk)
    desk.take_over(ruin)
    assert desk.terms(Side.LONG).trigger == Trigger.DEPLETION
    wait_for_settlement(desk)
    for who in ((dove,), (kite, dove), (hawk,), ()):
        with nothing_changes(venue), refused(desk.exchange.SettlementWaits, market=desk.market.id):
            settle(desk, *who)
    desk.deleverage(Side.LONG, [kite, dove])
    settle(desk, dove, kite, hawk)
    assert desk.open_interest() == 0
    assert [desk.holding(each).margin for each in (ruin, hawk, dove, kite)] == [0, wad(350), wad(1050), wad(800)]


def test_the_bankrupt_of_a_call_are_taken_over_and_the_others_wait(ruined: Desk) -> None:
    """The takeover stands although it is what makes the round due."""
    desk = ruined
    ruin, hawk, dove = traders(desk, "ruin hawk dove")
    close(desk)
    wait_for_settlement(desk)
    done = settle(desk, dove, ruin, hawk)
    assert len(emitted(done, desk.exchange.TakenOver)) == 1
    assert not emitted(done, desk.exchange.PositionSettled)
    assert (desk.holding(ruin).size, desk.holding(ruin).margin) == (0, 0)
    assert desk.holding(dove).size == -wad(10)
    with refused(desk.exchange.SettlementWaits, market=desk.market.id):
        settle(desk, dove)


def test_what_is_netted_at_a_loss_is_a_deficit(ruined: Desk) -> None:
    """Kite left while ruin lay there: what ruin lacks is not asked of dove, against whom hawk stands."""
    desk = ruined
    ruin, hawk, dove, kite = traders(desk, "ruin hawk dove kite")
    close(desk)
    wait_for_settlement(desk)
    settle(desk, kite)
    settle(desk, ruin)
    assert (desk.inventory(Side.LONG), desk.inventory(Side.SHORT)) == ((0, 0), (0, 0))
    assert deficit(desk) == wad(50)
    settle(desk, dove, hawk)
    assert [desk.holding(each).margin for each in (hawk, dove, kite)] == [wad(350), wad(1050), wad(850)]


def test_what_is_left_is_a_deficit_that_all_share(desk: Desk) -> None:
    """Ruin owes 500; who gained by it has left before the end, and who stands there in their place has 30.

    The round takes those 30, and the rest is open: whatever the order of withdrawals, each gets the same part.
    """
    ruin, fox, heir = traders(desk, "ruin fox heir")
    saver, other = traders(desk, "saver other")
    for who, margin in ((ruin, 100), (fox, 1000), (heir, 50), (saver, 3000), (other, 500)):
        desk.deposit(who, margin)
    desk.trade(fox, ruin, wad(10), HUNDRED)
    desk.price("50")
    desk.trade(heir, fox, wad(10), wad(50))
    close(desk)
    desk.take_over(ruin)
    wait_for_settlement(desk)
    with refused(desk.exchange.SettlementWaits, market=desk.market.id):
        settle(desk, heir)
    desk.deleverage(Side.LONG, [heir])
    settle(desk)
    assert desk.open_interest() == 0
    whole = deficit(desk)
    assert whole == wad(350)
    owners = (fox, heir, saver, other)
    claims = [desk.holding(each).margin for each in owners]
    paid = set()
    for order in permutations(range(len(owners))):
        with undone():
            got = dict.fromkeys(range(len(owners)), 0)
            for i in order:
                before = desk.token.balanceOf(owners[i].address)
                if claims[i]:
                    withdraw(desk, owners[i], claims[i] // 10**12)
                got[i] = desk.token.balanceOf(owners[i].address) - before
            paid.add(tuple(got[i] for i in range(len(owners))))
    # To a unit of the token for each withdrawal, by which a rate is rounded down.
    for i in range(len(owners)):
        parts = [each[i] for each in paid]
        assert max(parts) - min(parts) <= len(owners)
        assert all(part <= claims[i] // 10**12 for part in parts)
    assert all(sum(each) <= sum(claims) // 10**12 - whole // 10**12 + len(owners) for each in paid)


def test_what_netting_makes_good_is_asked_of_nobody(desk: Desk) -> None:
    """The pool is short 10 from 110 and long 10 from 90: at 80 it has 200, though depleted by the longs alone."""
    bull, ruin, hawk, lark = traders(desk, "bull ruin hawk lark")
    take_over_both_sides(desk, wad(10), wad(10))
    close(desk)
    desk.take_over(ruin)
    assert desk.terms(Side.LONG).trigger == Trigger.DEPLETION
    wait_for_settlement(desk)
    settle(desk, hawk, lark)
    assert [desk.holding(each).margin for each in (bull, ruin, hawk, lark)] == [0, 0, wad(1100), wad(700)]
    assert (desk.open_interest(), desk.pool_cash()) == (0, wad(200))
    assert_proofs(desk.venue)


def test_what_was_netted_stands_while_the_rest_waits_for_a_round(venue: Venue, desk: Desk) -> None:
    """Short 5 and long 20: the 5 bring 100, of the other 15 the 150 that they lose are 50 more than there is."""
    ruin, hawk, lark = traders(desk, "ruin hawk lark")
    take_over_both_sides(desk, wad(5), wad(20))
    close(desk)
    desk.take_over(ruin)
    assert desk.terms(Side.LONG).compensation == wad(200)
    wait_for_settlement(desk)
    done = settle(desk, hawk)
    assert [each["contracts"] for each in emitted(done, desk.fund.InventoryNetted)] == [wad(5)]
    assert desk.holding(hawk).size == -wad(20)
    assert (desk.inventory(Side.LONG)[0], desk.inventory(Side.SHORT)[0]) == (wad(15), 0)
    assert desk.terms(Side.LONG).compensation == wad(50)
    with nothing_changes(venue), refused(desk.exchange.SettlementWaits, market=desk.market.id):
        settle(desk, hawk)
    desk.deleverage(Side.LONG, [hawk])
    settle(desk, hawk, lark)
    # The price of the round is rounded for the pool: 1 for each of its 15 contracts at most.
    assert desk.holding(hawk).margin == wad(1250) - desk.pool_cash()
    assert 0 <= desk.pool_cash() <= 15


def take_over_both_sides(desk: Desk, short: int, long: int) -> None:
    """An empty pool is short from 110, ruin is long from 100 with a tenth; hawk and lark stand against them. At 80."""
    bull, ruin, hawk, lark = traders(desk, "bull ruin hawk lark")
    for who, margin in ((bull, short // 10**17), (ruin, long // 10**17), (hawk, 900), (lark, 900)):
        desk.deposit(who, margin)
    desk.trade(lark, bull, -short, HUNDRED)
    desk.price("107.6")
    desk.take_over(bull)
    desk.price(100)
    desk.trade(hawk, ruin, long, HUNDRED)
    desk.price(80)


# ---------------------------------------------------------------------- shared pools and cross accounts


@pytest.fixture(scope="module")
def pair(venue: Venue, desk: Desk) -> list[Desk]:
    """Two markets at 100, 10x, in a shared pool of 1,000."""
    desks = open_shared(venue, "ENDS-USD", "LASTS-USD")
    desks[0].contribute(1000)
    for each in desks:
        each.deposit(each.trader("whale"), 10_000)
    return desks


def test_the_other_markets_of_a_pool_go_on(venue: Venue, pair: list[Desk]) -> None:
    ends, lasts = pair
    hawk = ends.open("hawk", wad(10), HUNDRED, 500)
    lark = lasts.open("lark", wad(10), HUNDRED, 500)
    ends.price("110")
    close(ends)
    wait_for_settlement(ends)
    fresh(lasts)
    before = tuple(lasts.exchange.market(lasts.market.id)), lasts.backing(), lasts.holding(lark)
    settle(ends, hawk, ends.trader("whale"))
    assert (tuple(lasts.exchange.market(lasts.market.id)), lasts.backing(), lasts.holding(lark)) == before
    assert ends.holding(hawk).margin == wad(600)
    lasts.trade(lasts.trader("whale"), lark, -wad(10), HUNDRED)
    assert lasts.open_interest() == ends.open_interest() == 0


def test_a_cross_account_keeps_its_other_legs(pair: list[Desk]) -> None:
    """Its equity is the same before and after; with the other feed dead it is judged at the last price there."""
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 500)
    for each, contracts in ((ends, 10), (lasts, -5)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    ends.price("104")
    close(ends)
    wait_for_settlement(ends)  # the other feed is dead by now
    equity = ends.exchange.health(squid.id).equity
    assert equity == wad(540)
    settle(ends, squid)
    assert ends.exchange.health(squid.id).equity == equity
    assert ends.holding(squid).size == 0
    assert lasts.holding(squid).size == -wad(5)
    assert (ends.exchange.market(ends.market.id).crossHolders, lasts.exchange.market(lasts.market.id).crossHolders) == (
        0,
        1,
    )
    fresh(lasts)
    lasts.trade(lasts.trader("whale"), squid, wad(5), HUNDRED)
    withdraw(ends, squid, tokens(540))


def test_a_bankrupt_cross_account_is_taken_over_whole(pair: list[Desk]) -> None:
    """The loss is in the market that goes on; the leg of the ended one passes to the pool with it."""
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 300)
    for each, contracts in ((ends, 10), (lasts, 10)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    close(ends)
    wait_for_settlement(ends)
    lasts.price("60")
    done = settle(ends, squid)
    assert [each["market"] for each in emitted(done, ends.exchange.TakenOver)] == [ends.market.id, lasts.market.id]
    assert ends.inventory(Side.LONG)[0] == lasts.inventory(Side.LONG)[0] == wad(10)


def test_a_cross_account_is_judged_by_the_legs_that_move(venue: Venue, pair: list[Desk]) -> None:
    """While it has equity the ended leg asks for no takeover; the other one does, and takes both with it."""
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 300)
    for each, contracts in ((ends, 10), (lasts, 10)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    close(ends)
    lasts.price("74")  # an equity of 40, MM of 50 and 37
    error = {"account": squid.id, "equity": wad(40), "maintenanceMargin": wad(37)}
    with nothing_changes(venue), refused(ends.exchange.TakeoverNotDue, **error):
        ends.take_over(squid)
    assert not take_overs(read_chain(venue.endpoint, venue.deployment))
    with refused(ends.exchange.MarketClosed, market=ends.market.id):
        ends.liquidate(squid, by=ends.trader("whale"))
    lasts.price("71.8")  # 18, and half of 35.9 is 17.95
    with refused(ends.exchange.TakeoverNotDue, account=squid.id, equity=wad(18), maintenanceMargin=wad("35.9")):
        ends.take_over(squid)
    lasts.price("71.7")  # 17, and half of 35.85 is 17.925
    assert len(take_overs(read_chain(venue.endpoint, venue.deployment))) == 1
    ends.take_over(squid)
    assert ends.inventory(Side.LONG)[0] == wad(10)


def test_an_ended_leg_gets_nobody_liquidated_elsewhere(venue: Venue, pair: list[Desk]) -> None:
    """Squid has 80 where the leg that moves asks for 39: not due, although the ended one would ask for 50 more."""
    ends, lasts = pair
    squid = open_two_legs(ends, lasts)
    close(ends)
    whale = lasts.trader("whale")
    lasts.price("78")
    with (
        nothing_changes(venue),
        refused(ends.exchange.LiquidationNotDue, account=squid.id, equity=wad(80), maintenanceMargin=wad(39)),
    ):
        lasts.liquidate(squid, by=whale)
    state = state_of(lasts)
    assert not weak_accounts(state)
    # 300 - 10 * (100 - p) = 0.05 * 10 * p, in the lens and in the queue.
    ended, open_leg = ends.lens.account(squid.id).legs
    assert (ended.liquidationPrice, open_leg.liquidationPrice) == (0, -(-wad(700) * 2 // 19))
    places = [rank(state.snapshot, each.market.name, "long")[0].liquidation_price for each in pair]
    assert places == [None, open_leg.liquidationPrice]


def test_a_liquidation_restores_what_the_open_legs_ask_for(pair: list[Desk]) -> None:
    """At 73 squid has 30: 6.5 below the MM of the leg that moves, and 43 below its IM. The keeper says the same."""
    ends, lasts = pair
    lasts.set_parameters(liquidation_discount=wad("0.01"), liquidation_fee=wad("0.01"))
    squid = open_two_legs(ends, lasts)
    close(ends)
    lasts.price("73")
    (weak,) = weak_accounts(state_of(lasts))
    assert (weak.equity, weak.maintenance_margin, weak.shortfall) == (wad(30), wad("36.5"), wad(43))
    (leg,) = weak.legs
    assert (leg.market, leg.size) == (lasts.market.name, wad(10))
    # By the part of the equity that a takeover would give the leg: 36.5 of 86.5.
    assert leg.share == wad(30) * wad("36.5") // wad("86.5")
    needed = contracts_to_restore(wad(10), wad(73), wad(43), wad("0.1"), wad("0.02"))
    assert wad(7) < needed < wad(8)
    lasts.liquidate(squid, by=lasts.trader("whale"))
    assert lasts.holding(squid).size == wad(10) - needed
    assert ends.exchange.health(squid.id).equity == wad(30) - leg.share * needed // wad(10)


def open_two_legs(ends: Desk, lasts: Desk) -> Any:
    """Squid's cross account with 300, long 10 from 100 in both markets."""
    squid = ends.cross("squid")
    ends.deposit(squid, 300)
    for each in (ends, lasts):
        each.trade(each.trader("whale"), squid, wad(10), HUNDRED)
    return squid


def test_a_settlement_exempts_nobody_from_a_challenge_elsewhere(pair: list[Desk]) -> None:
    ends, lasts = pair
    squid = ends.cross("squid")
    ends.deposit(squid, 500)
    for each, contracts in ((ends, 10), (lasts, -5)):
        each.trade(each.trader("whale"), squid, wad(contracts), HUNDRED)
    close(ends)
    wait_for_settlement(ends)
    before = ends.exchange.crossAccount(squid.id).riskTime
    settle(ends, squid)
    assert ends.holding(squid).size == 0
    assert ends.exchange.crossAccount(squid.id).riskTime == before


@pytest.mark.parametrize("first", ["hawk", "dove"])
def test_what_stands_against_the_settled_is_not_asked_of_the_others(pair: list[Desk], first: str) -> None:
    """The pool bore what ruin lacked: whoever was settled against it, the other one pays nothing for a later loss."""
    ends, lasts = pair
    lose_in_the_ended(ends, lasts)
    settle(ends, ends.trader(first))
    lasts.price("80")
    lasts.take_over(lasts.trader("gull"))
    assert ends.fund.balanceOf(ends.market.pool) < 0
    assert ends.terms(Side.LONG).trigger == Trigger.NONE
    settle(ends, *traders(ends, "lark hawk dove"))
    assert [ends.holding(each).margin for each in traders(ends, "hawk dove")] == [wad(1200), wad(1200)]
    assert ends.open_interest() == 0
    lasts.deleverage(Side.LONG, [lasts.trader("whale")])
    assert_proofs(ends.venue)


def test_of_those_who_wait_a_round_takes_from_the_first_in_rank(pair: list[Desk]) -> None:
    """Nobody was settled against what the pool took over: the loss of another market makes a round due in both."""
    ends, lasts = pair
    lose_in_the_ended(ends, lasts)
    lasts.price("80")
    lasts.take_over(lasts.trader("gull"))
    with refused(ends.exchange.SettlementWaits, market=ends.market.id):
        settle(ends, *traders(ends, "lark hawk dove"))
    ends.deleverage(Side.LONG, traders(ends, "hawk dove"))
    lasts.deleverage(Side.LONG, [lasts.trader("whale")])
    settle(ends, *traders(ends, "lark hawk dove"))
    lower, upper = sorted(ends.holding(each).margin for each in traders(ends, "hawk dove"))
    assert lower < upper == wad(1200)
    assert_proofs(ends.venue)


SHORTS = """
    ruin   10  100 100
    lark   10  100 900
    hawk  -10  100 900
    dove  -10  100 900
"""


def lose_in_the_ended(ends: Desk, lasts: Desk) -> None:
    """Of the pool's 1,000 ruin has cost 200, which is no reason for a round; gull is long 100 in the other market."""
    ends.seat(SHORTS)
    lasts.deposit(lasts.trader("gull"), 1000)
    lasts.trade(lasts.trader("whale"), lasts.trader("gull"), wad(100), HUNDRED)
    ends.price("70")
    close(ends)
    ends.take_over(ends.trader("ruin"))
    wait_for_settlement(ends)
    fresh(lasts)
    assert not ends.backing().drawdownDue


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
