"""What attackers have tried on rounds and challenges, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.adl import listing
from backstop.chain.snapshot import read_chain
from backstop.keeper.duties import Deleverage, rounds
from scripts.stage.venue import Venue, wad
from tests.support.acting import RefusedError, act, later, refused, rpc
from tests.support.desk import Desk, open_desk, open_shared
from tests.support.enums import Exemption
from tests.support.omissions import FOUR, LONG, challenge, seat


def planned(desk: Desk) -> tuple[Any, Deleverage]:
    state = read_chain(desk.venue.endpoint, desk.venue.deployment)
    [duty] = [d for d in rounds(state) if state.market_ids[d.plan.market] == desk.market.id]
    return state, duty


def send(desk: Desk, state: Any, duty: Deleverage) -> int:
    keeper = desk.trader("keeper")
    desk.bond(keeper)
    to, data = duty.transaction(state, desk.venue.deployment)
    sent = rpc(
        "eth_sendTransaction", {"from": keeper.address, "to": to, "data": "0x" + data.hex(), "gas": hex(30_000_000)}
    )
    receipt = None
    while receipt is None:
        receipt = rpc("eth_getTransactionReceipt", sent)
    if int(receipt["status"], 16) != 1:
        output = rpc("debug_traceTransaction", sent, {"tracer": "callTracer"}).get("output", "0x")
        raise RefusedError(bytes.fromhex(output[2:]))
    return int(desk.engine.roundCount())


def hexed(account: bytes) -> str:
    return "0x" + account.hex()


def test_a_withdrawal_disguised_as_two_trades_slashes_nobody(venue: Venue) -> None:
    """A withdrawal in disguise: the leg that carried the risk time is gone when the round comes."""
    first, second = open_shared(venue, "A-USD", "B-USD")
    seat(first, {"ant": 40, "bee": 60, "cat": 100, "dog": 160})
    elk, whale = first.cross("elk"), first.trader("whale")
    first.deposit(elk, 400)
    first.trade(whale, elk, -FOUR, wad(100))
    second.deposit(whale, 5000)
    later(600)
    first.price(80)
    second.price(100)
    first.take_over(first.trader("icarus"))
    state, duty = planned(first)
    assert hexed(elk.id) not in duty.plan.listing.accounts
    # Front-run: buys four at 197 where the mark is 100 from a friend, sells them at the mark.
    second.trade(whale, elk, FOUR, wad(197))
    second.trade(whale, elk, -FOUR, wad(100))
    number = send(first, state, duty)
    assert Exemption(first.book.omission(number, elk.id).reason) == Exemption.RAISED_RISK


@pytest.mark.parametrize("rise", ["107", "110"])
def test_the_mark_of_another_market_slashes_nobody(venue: Venue, rise: str) -> None:
    """Short of B, it would rank above the cutoff once B has risen: the round is refused, and planned anew."""
    first, second = open_shared(venue, "A-USD", "B-USD")
    seat(first, {"ant": 40, "bee": 60, "cat": 64, "dog": 160})
    elk, whale = first.cross("elk"), first.trader("whale")
    # A: short 4 from 100; B: short 40 at 100: MM 16 + 200; E / MM = 10.1 where the spare has 9; 8.3 with B at 107.
    first.deposit(elk, 2100)
    first.trade(whale, elk, -FOUR, wad(100))
    second.deposit(whale, 9000)
    second.trade(whale, elk, wad(-40), wad(100))
    later(600)
    first.price(80)
    second.price(100)
    first.take_over(first.trader("icarus"))
    state, duty = planned(first)
    assert hexed(elk.id) not in duty.plan.listing.accounts
    second.price(rise)
    bounds = {"lowest": wad(99), "highest": wad(101)}
    with refused(first.engine.MarkOutsideBounds, market=second.market.id, mark=wad(rise), **bounds):
        send(first, state, duty)
    state, duty = planned(first)
    number = send(first, state, duty)
    assert Exemption(first.book.omission(number, elk.id).reason) != Exemption.NONE


def test_nobody_makes_up_for_a_round_at_next_to_no_cost(venue: Venue) -> None:
    """Spared 40 in the first round; closed whole at a hundredth of that in another: no omission any more."""
    desk = open_desk(venue, "SOL-USD", 100, initial="0.1", maintenance="0.05")
    seat(desk, {"ant": 40, "bee": 60, "cat": 100, "dog": 160})
    later(600)
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    desk.deleverage(LONG, [desk.trader("bee"), desk.trader("cat")])
    number = int(desk.engine.roundCount())
    ant = desk.trader("ant")
    assert Exemption(desk.book.omission(number, desk.account(ant)).reason) == Exemption.NONE
    desk.inherit("midas", 4, 88, 36, "78.9", against="kraken")
    desk.deleverage(LONG, [ant])
    assert desk.holding(ant).size == 0
    assert Exemption(desk.book.omission(number, desk.account(ant)).reason) == Exemption.NONE
    challenge(desk, number, ant)


def test_dust_of_high_leverage_stops_no_round(venue: Venue, monkeypatch: Any) -> None:
    """More accounts with equity below 1 % of their notional than fit the list: the bound is the largest int256."""
    monkeypatch.setattr(listing, "MOST_GAS", 400_000)
    desk = open_desk(venue, "DUST-USD", 100)  # 100x, mmf 0.5 %
    icarus, whale = desk.trader("icarus"), desk.trader("whale")
    desk.deposit(icarus, 8)
    desk.deposit(whale, 5000)
    for name in ("ant", "bee"):
        desk.deposit(desk.trader(name), 40)
        desk.trade(icarus, desk.trader(name), -FOUR, wad(100))
    desk.price("98.5")
    for i in range(5):
        desk.deposit(desk.trader(f"dust{i}"), "3.95")
        desk.trade(whale, desk.trader(f"dust{i}"), -FOUR, wad("98.5"))
    later(600)
    desk.price("98.55")
    desk.take_over(icarus)
    state, duty = planned(desk)
    send(desk, state, duty)


def test_no_bond_waits_behind_a_longer_window(venue: Venue) -> None:
    """One of 7 days keeps a later one of 10 minutes from being freed in order: by its place it is freed at once."""
    desk = open_desk(venue, "SOL-USD", 100, initial="0.1", maintenance="0.05")
    seat(desk, {"ant": 40, "bee": 60, "cat": 100, "dog": 160})
    later(600)
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    p = list(desk.book.roundParameters())
    act(venue.owner, desk.book.setRoundParameters, (7 * 86400, *p[1:]))
    desk.deleverage(LONG, [desk.trader("ant")])
    act(venue.owner, desk.book.setRoundParameters, (600, *p[1:]))
    keeper = desk.trader("keeper")
    one = desk.book.bond(keeper.address).reserved
    desk.deleverage(LONG, [desk.trader("bee")])
    places = list(range(len(desk.book.roundsOf(keeper.address, 0, 100))))
    act(keeper, desk.book.releaseBond, keeper.address, places)
    assert desk.book.bond(keeper.address).reserved > one
    later(700)
    for _ in range(2):
        act(keeper, desk.book.releaseBond, keeper.address, [*places, len(places)])
        assert desk.book.bond(keeper.address).reserved == one
    later(7 * 86400)
    assert desk.book.availableBond(keeper.address) == desk.book.bond(keeper.address).amount


def test_closed_rounds_keep_no_larger_round_waiting(venue: Venue) -> None:
    """`availableBond` says there is enough, and the round frees as many of the closed ones as it takes."""
    desk = open_desk(venue, "SOL-USD", 100, initial="0.1", maintenance="0.05")
    seat(desk, {"ant": 40, "bee": 60, "cat": 100, "dog": 160})
    whale, keeper = desk.trader("whale"), desk.trader("keeper")
    pups = [f"pup{i}" for i in range(10)]
    for name in pups:
        desk.deposit(desk.trader(name), "0.3")
        desk.trade(whale, desk.trader(name), -wad("0.02"), wad(100))
    later(600)
    desk.price(80)
    desk.take_over(desk.trader("icarus"))
    act(keeper, desk.token.mint, keeper.address, 10**20)
    act(keeper, desk.token.approve, desk.book.address, 10**20)
    act(keeper, desk.book.postBond, 2000 * 10 ** desk.token.decimals())
    for name in pups:  # 160 of 2,000 each
        desk.deleverage(LONG, [desk.trader(name)])
    later(3700)
    # The price has moved on: the rest needs 2 * 617.
    desk.price(20)
    need = max(2 * min(desk.terms(LONG).compensation, wad(10**6)), wad(100))
    assert desk.book.availableBond(keeper.address) >= need
    desk.deleverage(LONG, [desk.trader("ant"), desk.trader("bee")])


def test_a_round_in_another_market_slashes_nobody(venue: Venue) -> None:
    """After the plan in A a rival's round in B closes a leg of an account that A's list leaves off, far from mark."""
    first, second = open_shared(venue, "A-USD", "B-USD")
    seat(first, {"ant": 40, "bee": 60, "cat": 64, "dog": 160})
    elk, whale, zeus = first.cross("elk"), first.trader("whale"), first.trader("zeus")
    first.deposit(elk, 60)
    first.trade(whale, elk, -FOUR, wad(100))
    second.deposit(whale, 5000)
    second.deposit(zeus, 20)
    second.trade(whale, zeus, wad(2), wad(100))
    second.price(80)
    second.trade(whale, elk, -wad(2), wad(80))
    later(600)
    first.price(80)
    second.price(50)
    first.take_over(first.trader("icarus"))
    second.take_over(zeus)
    state, duty = planned(first)
    assert hexed(elk.id) not in duty.plan.listing.accounts
    second.deleverage(LONG, [elk], by=first.trader("rival"))
    number = send(first, state, duty)
    assert Exemption(first.book.omission(number, elk.id).reason) == Exemption.RAISED_RISK
