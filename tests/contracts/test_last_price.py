"""Accepted prices: they never go back, outlive their feed where that is safe, and rest while the L2 is down."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from scripts.stage.venue import HEARTBEAT, Venue, wad
from tests.support.acting import act, emitted, now, refused, refused_without_reason, rpc, wait_until
from tests.support.desk import Desk
from tests.support.proofs import nothing_changes

MARKET = 7  # listed or not, a feed can be set
ONE = 10**8  # of a feed with 8 decimals
ZERO = "0x" + "0" * 40
UP, DOWN = 0, 1
GRACE = 3600


class Feed:
    """A feed of its own for `MARKET`, at 100, with a heartbeat of an hour."""

    def __init__(self, venue: Venue) -> None:
        self.venue, self.owner, self.price_feed = venue, venue.owner, venue.system.price_feed
        self.stranger = venue.trader("stranger")
        rpc("anvil_autoImpersonateAccount", True)
        self.aggregator = self.new_aggregator()
        self.round = 1
        self.set()

    def new_aggregator(self, answer: int = 100 * ONE) -> Any:
        return self.owner.deploy(project.MockAggregator, 8, answer)

    def set(self) -> None:
        act(self.owner, self.price_feed.setFeed, MARKET, self.aggregator.address, HEARTBEAT, wad(10), wad(1000))

    def publish(self, price: int, updated: int | None = None) -> int:
        """A round; its time."""
        updated = now() if updated is None else updated
        self.round += 1
        act(self.owner, self.aggregator.setRound, self.round, price * ONE, updated, self.round)
        return updated

    def accept(self) -> None:
        act(self.stranger, self.price_feed.accept, MARKET)

    def accepted(self) -> tuple[int, int]:
        """Price and time of the last accepted one."""
        last = self.price_feed.accepted(MARKET)
        return last.price, last.updatedAt

    def call(self, method: Any) -> str:
        """A view at the latest block, asked for without ape, which would not show why it is refused."""
        data = "0x" + bytes(method.encode_input(MARKET)).hex()
        return str(rpc("eth_call", {"to": self.price_feed.address, "data": data}, "latest"))

    def mark(self) -> int:
        return int(self.call(self.price_feed.markPrice), 16)

    def mark_or_last(self) -> tuple[int, bool]:
        words = self.call(self.price_feed.markOrLast)[2:]
        return int(words[:64], 16), bool(int(words[64:], 16))


@pytest.fixture
def feed(venue: Venue) -> Feed:
    return Feed(venue)


@pytest.fixture
def sequencer(feed: Feed) -> Any:
    """The uptime feed of an L2, up for long, with a grace period of an hour."""
    aggregator = feed.owner.deploy(project.MockAggregator, 0, UP)
    act(feed.owner, feed.price_feed.setSequencer, aggregator.address, GRACE)
    report(feed, aggregator, UP, now() - 2 * GRACE)
    return aggregator


def report(feed: Feed, sequencer: Any, status: int, since: int) -> None:
    """The sequencer is up or down since then."""
    act(feed.owner, sequencer.setRound, 1, status, since, 1)


# ---------------------------------------------------------------------- acceptance


def test_anybody_has_a_price_accepted(feed: Feed) -> None:
    updated = feed.publish(120)
    assert feed.accepted() == (0, 0)
    feed.accept()
    assert feed.accepted() == (wad(120), updated)


def test_what_is_refused_is_not_remembered(feed: Feed) -> None:
    updated = feed.publish(120)
    feed.accept()
    feed.publish(2000)
    with refused(
        feed.price_feed.PriceOutOfBounds, market=MARKET, price=2000 * ONE, minPrice=wad(10), maxPrice=wad(1000)
    ):
        feed.accept()
    assert feed.accepted() == (wad(120), updated)
    assert feed.mark_or_last() == (wad(120), False)


def test_a_reading_is_not_an_acceptance(feed: Feed) -> None:
    feed.publish(120)
    assert (feed.mark(), feed.mark_or_last()) == (wad(120), (wad(120), True))
    assert feed.accepted() == (0, 0)


@pytest.mark.parametrize("good", [True, False])
def test_accept_or_last(feed: Feed, good: bool) -> None:
    """A good price is accepted; where there is none, nothing is, and nothing reverts."""
    first = feed.publish(120)
    feed.accept()
    second = feed.publish(130) if good else feed.publish(0)
    act(feed.stranger, feed.price_feed.acceptOrLast, MARKET)
    assert feed.accepted() == ((wad(130), second) if good else (wad(120), first))


def test_there_is_no_last_price_where_there_never_was_one(feed: Feed) -> None:
    feed.publish(0)
    for method in (feed.price_feed.markOrLast, feed.price_feed.acceptOrLast):
        with refused(feed.price_feed.FeedMissing, market=MARKET):
            feed.call(method)


def test_trades_accept(desk: Desk) -> None:
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    desk.price(101)
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(1), wad(101))
    last = desk.price_feed.accepted(desk.market.id)
    assert (last.price, last.updatedAt) == (wad(101), desk.priced_at())


# ---------------------------------------------------------------------- never back


def test_an_answer_older_than_the_accepted_one(feed: Feed) -> None:
    accepted = feed.publish(120)
    feed.accept()
    back = {"market": MARKET, "updatedAt": accepted - 1, "acceptedAt": accepted}
    feed.publish(90, accepted - 1)
    with refused(feed.price_feed.PriceWentBack, **back):
        feed.mark()
    with refused(feed.price_feed.PriceWentBack, **back):
        feed.accept()
    assert feed.mark_or_last() == (wad(120), False)
    # The same time is no step back, and another answer may come with it.
    feed.publish(90, accepted)
    assert feed.mark() == wad(90)
    feed.accept()
    assert feed.accepted() == (wad(90), accepted)


def test_an_answer_that_nobody_accepted_binds_nobody(feed: Feed) -> None:
    later = feed.publish(120)
    feed.publish(90, later - 1)
    assert feed.mark() == wad(90)


def test_a_new_feed_starts_anew_and_the_price_is_kept(feed: Feed) -> None:
    accepted = feed.publish(120)
    feed.accept()
    feed.aggregator = feed.new_aggregator()
    feed.publish(90, 1)
    feed.set()
    with refused(feed.price_feed.PriceStale, market=MARKET, updatedAt=1, heartbeat=HEARTBEAT):
        feed.mark()
    assert feed.accepted() == (wad(120), 0)
    assert feed.mark_or_last() == (wad(120), False)
    feed.publish(90, accepted - 1000)
    assert feed.mark() == wad(90)
    feed.accept()
    assert feed.accepted() == (wad(90), accepted - 1000)


def test_one_call_sees_one_price(desk: Desk) -> None:
    """Whatever a call asks for, and accepts on the way, it gets the same answer."""
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1000)
    desk.price("100.5")
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(1), wad(100))
    assert desk.mark() == desk.price_feed.accepted(desk.market.id).price == wad("100.5")


# ---------------------------------------------------------------------- feeds that do not answer


@pytest.mark.parametrize("code", ["", "fe", "5b5f56", "5f5ffd"], ids=["gone", "burns all gas", "loops", "reverts"])
def test_the_last_price_whatever_a_feed_does(feed: Feed, code: str) -> None:
    feed.publish(120)
    feed.accept()
    feed.venue.endpoint.request("anvil_setCode", feed.aggregator.address, "0x" + code)
    assert feed.mark_or_last() == (wad(120), False)
    done = act(feed.stranger, feed.price_feed.acceptOrLast, MARKET)
    assert done.gas_used < feed.price_feed.READ_GAS() + 60_000


@pytest.mark.parametrize("gas", [50_000, 60_000, 80_000, 120_000, 200_000, 290_000])
def test_too_little_gas_does_not_turn_a_good_price_into_a_dead_one(feed: Feed, gas: int) -> None:
    """Who is short of gas gets nothing at all, or the good price."""
    feed.publish(120)
    feed.accept()
    feed.publish(130)
    data = "0x" + bytes(feed.price_feed.acceptOrLast.encode_input(MARKET)).hex()
    request = {"from": feed.stranger.address, "to": feed.price_feed.address, "data": data, "gas": hex(gas)}
    try:
        words = str(rpc("eth_call", request, "latest"))[2:]
    except Exception:
        return
    assert (int(words[:64], 16), int(words[64:], 16)) == (wad(130), 1)


def test_a_good_feed_needs_a_third_of_what_it_may_burn(feed: Feed) -> None:
    """From nothing accepted, with a sequencer to ask too."""
    aggregator = feed.owner.deploy(project.MockAggregator, 0, UP)
    act(feed.owner, feed.price_feed.setSequencer, aggregator.address, 1)
    report(feed, aggregator, UP, now() - 100)
    feed.publish(120)
    done = act(feed.stranger, feed.price_feed.accept, MARKET)
    assert done.gas_used - 21_000 < feed.price_feed.READ_GAS() // 3


# ---------------------------------------------------------------------- the L2's sequencer


def test_while_it_is_up(feed: Feed, sequencer: Any) -> None:
    feed.publish(120)
    assert feed.mark() == wad(120)


def test_while_it_is_down(feed: Feed, sequencer: Any) -> None:
    feed.publish(120)
    feed.accept()
    report(feed, sequencer, DOWN, now() - 2 * GRACE)
    feed.publish(130)
    for attempt in (feed.mark, feed.accept):
        with refused(feed.price_feed.SequencerDown):
            attempt()
    assert feed.mark_or_last() == (wad(120), False)


def test_a_round_of_the_sequencer_that_never_started(feed: Feed, sequencer: Any) -> None:
    report(feed, sequencer, UP, 0)
    with refused(feed.price_feed.SequencerDown):
        feed.mark()


def test_the_grace_period_to_the_second(feed: Feed, sequencer: Any) -> None:
    """Prices published while it was down had nobody to act on them: they rest until everybody could."""
    since = now()
    report(feed, sequencer, UP, since)
    feed.publish(120, since + GRACE - 10)
    wait_until(since + GRACE)
    with refused(feed.price_feed.SequencerGrace, startedAt=since, grace=GRACE):
        feed.mark()
    wait_until(since + GRACE + 1)
    assert feed.mark() == wad(120)


def test_without_a_grace_period_a_second_is_enough(feed: Feed, sequencer: Any) -> None:
    act(feed.owner, feed.price_feed.setSequencer, sequencer.address, 0)
    since = now() + 10
    feed.publish(120)
    report(feed, sequencer, UP, since)
    wait_until(since)
    with refused(feed.price_feed.SequencerGrace, startedAt=since, grace=0):
        feed.mark()
    wait_until(since + 1)
    assert feed.mark() == wad(120)


def test_a_dead_sequencer_feed_stops_all_prices(feed: Feed, sequencer: Any) -> None:
    feed.publish(120)
    feed.accept()
    feed.venue.endpoint.request("anvil_setCode", sequencer.address, "0x")
    with refused_without_reason():
        feed.mark()
    assert feed.mark_or_last() == (wad(120), False)


def test_a_chain_without_one(feed: Feed, sequencer: Any) -> None:
    report(feed, sequencer, DOWN, now())
    feed.publish(120)
    act(feed.owner, feed.price_feed.setSequencer, ZERO, 0)
    assert feed.mark() == wad(120)


def test_the_exchange_rests_while_it_is_down(desk: Desk) -> None:
    """Trades and withdrawals do; a takeover goes on at the last accepted price."""
    owner, price_feed = desk.venue.owner, desk.price_feed
    desk.deposit(desk.trader("whale"), 10_000)
    icarus = desk.open("icarus", wad(10), wad(100), 100)
    desk.price(85)
    act(desk.trader("keeper"), price_feed.accept, desk.market.id)
    sequencer = owner.deploy(project.MockAggregator, 0, DOWN)
    act(owner, price_feed.setSequencer, sequencer.address, GRACE)
    whale = desk.trader("whale")
    with nothing_changes(desk.venue), refused(price_feed.SequencerDown):
        desk.trade(whale, desk.trader("icarus"), wad(1), wad(85))
    with refused(price_feed.SequencerDown):
        act(whale, desk.exchange.withdraw, desk.account(whale), 1, whale.address)
    with refused(price_feed.SequencerDown):
        desk.liquidate(icarus, by=whale)
    (taken,) = emitted(desk.take_over(icarus), desk.exchange.TakenOver)
    assert taken["mark"] == wad(85)


# ---------------------------------------------------------------------- the owner's setter


@pytest.mark.parametrize("grace", [0, 86400])
def test_the_sequencer_is_set(feed: Feed, grace: int) -> None:
    done = act(feed.owner, feed.price_feed.setSequencer, feed.aggregator.address, grace)
    assert emitted(done, feed.price_feed.SequencerSet) == [
        {"sequencer": feed.aggregator.address.lower(), "grace": grace}
    ]
    assert (feed.price_feed.sequencer(), feed.price_feed.grace()) == (feed.aggregator.address, grace)


@pytest.mark.parametrize("grace", [86401, 2**32 - 1])
def test_a_grace_period_of_more_than_a_day(feed: Feed, grace: int) -> None:
    with refused(feed.price_feed.GraceOutOfBounds, grace=grace, maximum=86400):
        act(feed.owner, feed.price_feed.setSequencer, feed.aggregator.address, grace)
