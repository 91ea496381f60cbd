"""What the tests of the fund play: feeds that tell every wei, time that passes, and what the command line shows."""

from __future__ import annotations

from typing import Any

from ape import project

from scripts.stage.venue import HEARTBEAT, Venue, wad
from tests.support.acting import act, rpc
from tests.support.desk import Desk
from tests.trader.shell import Shell, done


def fine_feed(desk: Desk, price: int) -> Any:
    """A feed of the market with 18 decimals, at a WAD price."""
    feed = desk.venue.owner.deploy(project.MockAggregator, 18, price)
    act(desk.venue.owner, desk.price_feed.setFeed, desk.market.id, feed.address, HEARTBEAT, 1, wad(10**9))
    return feed


def set_fine(desk: Desk, feed: Any, price: int) -> None:
    """Its next answer, to the wei."""
    act(desk.venue.owner, feed.setAnswer, price)


def pass_time(venue: Venue, seconds: int) -> None:
    """Chain time goes on, and every feed publishes its last answer anew."""
    feeds = {desk.feed.address: desk.feed for desk in venue.markets.values()}
    answers = [(feed, feed.latestRoundData()[1]) for feed in feeds.values()]
    rpc("evm_increaseTime", seconds)
    rpc("evm_mine")
    for feed, answer in answers:
        act(venue.owner, feed.setAnswer, answer)


def status(shell: Shell, pool: str) -> Any:
    """A pool as the command shows it."""
    document = done(shell.run("fund", "status", "--pool", pool, "--json")).document
    (shown,) = document["pools"]
    return shown


def market_status(shell: Shell, pool: str, market: str) -> Any:
    """One of its markets."""
    (shown,) = [one for one in status(shell, pool)["markets"] if one["name"] == market]
    return shown


def stake(venue: Venue, shell: Shell, signer: Any, pool: str, amount: str) -> None:
    """Somebody stakes by the command line, with new tokens."""
    act(signer, venue.system.token.mint, signer.address, int(float(amount) * 10**6) + 1)
    done(shell.run("fund", "stake", pool, amount, "--send", by=signer))
