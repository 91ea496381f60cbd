"""Mark prices: `ChainlinkPriceFeed`, its limits to the second and to the unit."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, wad
from tests.support.acting import act, emitted, now, refused, refused_without_reason, rpc, wait_until
from tests.support.desk import Desk

MARKET = 7  # listed or not, a feed can be set
LOW, HIGH = wad(10), wad(1000)
TWO_DAYS = 2 * 86400
ONE = 10**8  # of a feed with 8 decimals
INT256_MAX = 2**255 - 1


class Feed:
    """A feed of its own for `MARKET`, bounded by 10 and 1,000, with a heartbeat of an hour."""

    def __init__(self, venue: Venue, decimals: int = 8, answer: int = 100 * ONE) -> None:
        self.venue, self.owner, self.price_feed = venue, venue.owner, venue.system.price_feed
        self.aggregator = self.owner.deploy(project.MockAggregator, decimals, answer)

    def set(self, heartbeat: int = HEARTBEAT, low: int = LOW, high: int = HIGH) -> Any:
        return act(self.owner, self.price_feed.setFeed, MARKET, self.aggregator.address, heartbeat, low, high)

    def publish(self, answer: int, *, updated: int | None = None, round_id: int = 2, answered_in: int = 2) -> int:
        """A round; its time."""
        updated = now() if updated is None else updated
        act(self.owner, self.aggregator.setRound, round_id, answer, updated, answered_in)
        return updated

    def mark(self) -> int:
        """The mark at the latest block, asked for without ape, which would not show why it is refused."""
        call = self.price_feed.markPrice
        data = "0x" + bytes(call.encode_input(MARKET)).hex()
        return int(rpc("eth_call", {"to": self.price_feed.address, "data": data}, "latest"), 16)


@pytest.fixture
def feed(venue: Venue) -> Feed:
    feed = Feed(venue)
    feed.set()
    return feed


@pytest.mark.parametrize(
    ("decimals", "answer", "mark"),
    [
        (8, 12_345_678_901, wad("123.45678901")),
        (18, wad(100) + 1, wad(100) + 1),
        (0, 100, wad(100)),
        (6, 10**8, wad(100)),
    ],
)
def test_an_answer_is_scaled_to_wad(venue: Venue, decimals: int, answer: int, mark: int) -> None:
    feed = Feed(venue, decimals, answer)
    feed.set()
    assert feed.mark() == mark


def test_age(feed: Feed) -> None:
    updated = feed.publish(100 * ONE)
    wait_until(updated + HEARTBEAT)
    assert feed.mark() == wad(100)
    wait_until(updated + HEARTBEAT + 1)
    with refused(feed.price_feed.PriceStale, market=MARKET, updatedAt=updated, heartbeat=HEARTBEAT):
        feed.mark()


def test_a_heartbeat_of_a_second(feed: Feed) -> None:
    feed.set(heartbeat=1)
    updated = feed.publish(100 * ONE)
    wait_until(updated + 1)
    assert feed.mark() == wad(100)
    wait_until(updated + 2)
    with refused(feed.price_feed.PriceStale, market=MARKET, updatedAt=updated, heartbeat=1):
        feed.mark()


def test_the_future(feed: Feed) -> None:
    soon = now() + 100
    feed.publish(100 * ONE, updated=soon)
    wait_until(soon - 1)
    with refused(feed.price_feed.PriceFromFuture, market=MARKET, updatedAt=soon):
        feed.mark()
    wait_until(soon)
    assert feed.mark() == wad(100)


@pytest.mark.parametrize("answer", [0, -1, -(2**255)])
def test_not_positive(feed: Feed, answer: int) -> None:
    feed.publish(answer)
    with refused(feed.price_feed.PriceNotPositive, market=MARKET, answer=answer):
        feed.mark()


def test_a_round_without_an_update(feed: Feed) -> None:
    feed.publish(100 * ONE, updated=0)
    with refused(feed.price_feed.PriceIncomplete, market=MARKET):
        feed.mark()


def test_an_answer_of_an_earlier_round(feed: Feed) -> None:
    feed.publish(100 * ONE, round_id=5, answered_in=4)
    with refused(feed.price_feed.PriceIncomplete, market=MARKET):
        feed.mark()
    feed.publish(100 * ONE, round_id=5, answered_in=5)
    assert feed.mark() == wad(100)


def test_lower_bound(feed: Feed) -> None:
    feed.publish(10 * ONE)
    assert feed.mark() == LOW
    feed.publish(10 * ONE - 1)
    with refused(feed.price_feed.PriceOutOfBounds, market=MARKET, price=wad("9.99999999"), minPrice=LOW, maxPrice=HIGH):
        feed.mark()


@pytest.mark.parametrize("excess", [1, INT256_MAX - 1000 * ONE], ids=["by one", "absurdly"])
def test_upper_bound(feed: Feed, excess: int) -> None:
    """What is too high is reported as the feed gave it: scaled it might not fit."""
    feed.publish(1000 * ONE)
    assert feed.mark() == HIGH
    answer = 1000 * ONE + excess
    feed.publish(answer)
    with refused(feed.price_feed.PriceOutOfBounds, market=MARKET, price=answer, minPrice=LOW, maxPrice=HIGH):
        feed.mark()


def test_bounds_between_two_answers(feed: Feed) -> None:
    """Bounds finer than the feed: what is a wei beyond is refused."""
    feed.set(low=LOW + 1, high=HIGH - 1)
    for answer, price in ((10 * ONE, LOW), (1000 * ONE, 1000 * ONE)):
        feed.publish(answer)
        with refused(feed.price_feed.PriceOutOfBounds, market=MARKET, price=price, minPrice=LOW + 1, maxPrice=HIGH - 1):
            feed.mark()
    for answer in (10 * ONE + 1, 1000 * ONE - 1):
        feed.publish(answer)
        assert feed.mark() == answer * 10**10


def test_missing(venue: Venue) -> None:
    feed = Feed(venue)
    with refused(feed.price_feed.FeedMissing, market=MARKET):
        feed.mark()


@pytest.mark.parametrize("code", ["", "fe", "00"], ids=["gone", "broken", "silent"])
def test_a_dead_aggregator(feed: Feed, code: str) -> None:
    feed.venue.endpoint.request("anvil_setCode", feed.aggregator.address, "0x" + code)
    with refused_without_reason():
        feed.mark()


def test_one_feed_does_not_stop_another(feed: Feed, desk: Desk) -> None:
    feed.publish(0)
    assert desk.mark() == wad(100)


# ---------------------------------------------------------------------- the owner's setter


def test_a_feed_is_set(venue: Venue) -> None:
    feed = Feed(venue)
    done = feed.set()
    assert emitted(done, feed.price_feed.FeedSet) == [
        {
            "market": MARKET,
            "aggregator": feed.aggregator.address.lower(),
            "heartbeat": HEARTBEAT,
            "minPrice": LOW,
            "maxPrice": HIGH,
        }
    ]
    found = feed.price_feed.feedOf(MARKET)
    assert (found.aggregator, found.heartbeat, found.scale, found.minPrice, found.maxPrice) == (
        feed.aggregator.address,
        HEARTBEAT,
        10**10,
        LOW,
        HIGH,
    )


def test_a_feed_is_replaced(feed: Feed, venue: Venue) -> None:
    other = Feed(venue, 18, wad(50))
    other.set()
    assert feed.mark() == wad(50)


@pytest.mark.parametrize("decimals", [19, 255])
def test_too_many_decimals(venue: Venue, decimals: int) -> None:
    feed = Feed(venue, decimals)
    with refused(feed.price_feed.AggregatorInvalid, aggregator=feed.aggregator.address, decimals=decimals):
        feed.set()


@pytest.mark.parametrize("heartbeat", [0, TWO_DAYS + 1, 2**32 - 1])
def test_heartbeat_out_of_bounds(feed: Feed, heartbeat: int) -> None:
    with refused(feed.price_feed.HeartbeatOutOfBounds, heartbeat=heartbeat, maximum=TWO_DAYS):
        feed.set(heartbeat=heartbeat)


@pytest.mark.parametrize("heartbeat", [1, TWO_DAYS])
def test_heartbeat_at_its_bounds(feed: Feed, heartbeat: int) -> None:
    feed.set(heartbeat=heartbeat)
    assert feed.price_feed.feedOf(MARKET).heartbeat == heartbeat


@pytest.mark.parametrize(("low", "high"), [(0, HIGH), (LOW, LOW), (LOW + 1, LOW), (LOW, 0)])
def test_invalid_bounds(feed: Feed, low: int, high: int) -> None:
    with refused(feed.price_feed.BoundsInvalid, minPrice=low, maxPrice=high):
        feed.set(low=low, high=high)


@pytest.mark.parametrize(("low", "high"), [(1, 2), (LOW, LOW + 1), (1, 2**96 - 1)])
def test_narrowest_and_widest_bounds(feed: Feed, low: int, high: int) -> None:
    feed.set(low=low, high=high)
    found = feed.price_feed.feedOf(MARKET)
    assert (found.minPrice, found.maxPrice) == (low, high)


def test_highest_price_of_all(venue: Venue) -> None:
    """A mark has at most 96 bits."""
    feed = Feed(venue, 18, 2**96 - 1)
    feed.set(high=2**96 - 1)
    assert feed.mark() == 2**96 - 1
    feed.publish(2**96)
    with refused(feed.price_feed.PriceOutOfBounds, market=MARKET, price=2**96, minPrice=LOW, maxPrice=2**96 - 1):
        feed.mark()


def test_an_address_without_a_feed(venue: Venue, market: TestMarket) -> None:
    s = venue.system
    for address in (s.token.address, venue.trader("nobody").address, "0x" + "0" * 40):
        call = (market.id, address, HEARTBEAT, LOW, HIGH)
        if address == s.token.address:
            # It has decimals, but answers no round.
            act(venue.owner, s.price_feed.setFeed, *call)
            continue
        with refused_without_reason():
            act(venue.owner, s.price_feed.setFeed, *call)


def test_only_the_owner(feed: Feed, venue: Venue) -> None:
    stranger = venue.trader("stranger")
    with refused(feed.price_feed.OwnableUnauthorizedAccount, account=stranger.address):
        act(stranger, feed.price_feed.setFeed, MARKET, feed.aggregator.address, HEARTBEAT, LOW, HIGH)
