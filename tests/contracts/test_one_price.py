"""One price per market and call: whoever asks, and however often, works with the feed's present answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import decode

from scripts.stage.venue import Venue, wad
from tests.support.acting import Done, act, emitted, rpc
from tests.support.desk import Cross, Desk, open_shared
from tests.support.enums import Side

# What each function of the price feed returns first is a price.
PRICES = ("accept", "acceptOrLast", "markPrice", "markOrLast")


@pytest.fixture
def majors(venue: Venue) -> tuple[Desk, Desk]:
    """Two markets of a shared pool whose long inventories have lost; 100 was accepted, and the feeds say 88 and 87 now.

    swan holds both and is due; whale, short, is everybody's counterparty.
    """
    desks = open_shared(venue, "A-USD", "B-USD")
    swan = desks[0].cross("swan")
    desks[0].deposit(swan, 300)
    desks[0].contribute(1000)
    for each in desks:
        for name in ("whale", "kraken", "liquidator"):
            each.deposit(each.trader(name), 100_000)
        each.trade(each.trader("whale"), swan, wad(10), wad(100))
        icarus = each.open(f"icarus of {each.market.name}", wad(100), wad(100), 1000)
        each.price("89.99999999")
        each.take_over(icarus)
        each.price(100)
        act(each.trader("keeper"), each.price_feed.accept, each.market.id)
    a, b = desks
    a.price(88)
    b.price(87)
    return a, b


def trade(a: Desk, swan: Cross) -> Done:
    return a.trade(a.trader("whale"), a.trader("kraken"), wad(1), wad(88))


def liquidate(a: Desk, swan: Cross) -> Done:
    return a.liquidate(swan, wad(1), by=a.trader("liquidator"))


def take_over(a: Desk, swan: Cross) -> Done:
    act(a.venue.owner, a.exchange.setBackstopRatio, wad("0.9"))
    return a.take_over(swan)


def buy(a: Desk, swan: Cross) -> Done:
    return a.buy(Side.LONG, wad(1), by=a.trader("liquidator"))


def checkpoint(a: Desk, swan: Cross) -> Done:
    return a.checkpoint()


def flag(a: Desk, swan: Cross) -> Done:
    return act(a.trader("keeper"), a.exchange.flag, swan.id)


def withdraw(a: Desk, swan: Cross) -> Done:
    whale = a.trader("whale")
    return act(whale, a.exchange.withdraw, a.account(whale), 1, whale.address)


def deleverage(a: Desk, swan: Cross) -> Done:
    act(a.venue.owner, a.fund.setDrawdownBounds, a.market.id, wad("0.05"), wad("0.05"), wad("0.05"))
    return a.deleverage(Side.LONG, [a.trader("whale")])


def prices_in(desk: Desk, done: Done) -> dict[int, set[int]]:
    """Every price that the feed's functions returned in a transaction, by market."""
    selectors = {bytes(getattr(desk.price_feed, name).encode_input(0))[:4]: name for name in PRICES}
    found: dict[int, set[int]] = {}
    frames = [rpc("debug_traceTransaction", done.transaction, {"tracer": "callTracer"})]
    while frames:
        frame = frames.pop()
        frames += frame.get("calls", [])
        data = bytes.fromhex(frame["input"][2:])
        if frame["to"].lower() != desk.price_feed.address.lower() or data[:4] not in selectors:
            continue
        (market,) = decode(["uint16"], data[4:36])
        found.setdefault(market, set()).add(int(frame["output"][2:66], 16))
    return found


@pytest.mark.parametrize(
    "call", [trade, liquidate, take_over, buy, checkpoint, flag, withdraw, deleverage], ids=lambda each: each.__name__
)
def test_one_price_per_market_and_call(majors: tuple[Desk, Desk], call: Callable[[Desk, Cross], Done]) -> None:
    """Not the one that was accepted before, and not another for another contract of the system."""
    a, b = majors
    done = call(a, a.cross("swan"))
    found = prices_in(a, done)
    assert found[a.market.id] == {wad(88)}
    assert found.get(b.market.id, {wad(87)}) == {wad(87)}


@pytest.mark.parametrize("call", [liquidate, take_over, deleverage], ids=lambda each: each.__name__)
def test_events_tell_that_price(majors: tuple[Desk, Desk], call: Callable[[Desk, Cross], Done]) -> None:
    a, b = majors
    done = call(a, a.cross("swan"))
    told: list[dict[str, Any]] = [*emitted(done, a.exchange.Liquidated), *emitted(done, a.exchange.TakenOver)]
    marks = {each["market"]: each["mark"] for each in told}
    marks |= {each["market"]: each["outcome"]["mark"] for each in emitted(done, a.engine.RoundExecuted)}
    assert marks
    assert marks.items() <= {a.market.id: wad(88), b.market.id: wad(87)}.items()
