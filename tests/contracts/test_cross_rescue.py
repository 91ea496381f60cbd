"""Cross accounts that are taken over, at which bankruptcy prices, and cross accounts as counterparties of a round."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest

from backstop.adl.planning import plan
from backstop.chain.snapshot import read_chain
from backstop.math.margin import bankruptcy_notionals, value_leg
from scripts.stage.venue import Venue, wad
from tests.support.acting import act, emitted, refused, wait_until
from tests.support.desk import FLAT, Account, Cross, Desk, open_shared
from tests.support.enums import Side, SkipReason
from tests.support.proofs import nothing_changes

TEN = wad(10)
HUNDRED = wad(100)
MMF = wad("0.05")


@pytest.fixture
def majors(venue: Venue) -> list[Desk]:
    """Three markets at 100, 10x, mmf 5 %, of one shared pool; in each of them whale trades with everybody."""
    desks = open_shared(venue, "A-USD", "B-USD", "C-USD")
    for each in desks:
        each.deposit(each.trader("whale"), 100_000)
    return desks


def swan_with(majors: list[Desk], margin: int, sizes: dict[int, int]) -> Cross:
    """A cross account that takes whole signed contracts at 100 of some of the markets, in the order given."""
    swan = majors[0].cross("swan")
    majors[0].deposit(swan, margin)
    for i, contracts in sizes.items():
        each = majors[i]
        each.trade(each.trader("whale"), swan, wad(contracts), HUNDRED)
    return swan


def taken(desk: Desk, done: Any) -> dict[int, dict[str, Any]]:
    """The events of a takeover, by market."""
    events = emitted(done, desk.exchange.TakenOver)
    assert [each["market"] for each in events] == sorted(each["market"] for each in events)
    return {each["market"]: each for each in events}


# ---------------------------------------------------------------------- takeover


def test_all_legs_in_one_call(majors: list[Desk]) -> None:
    """E = 300 - 100 - 160 = 40 of MM 45 + 54, so below its half: A and B carry it 5 : 6 at their margins."""
    a, b, _ = majors
    swan = swan_with(majors, 300, {1: -10, 0: 10})
    a.price(90)
    b.price(116)
    equity, maintenance = wad(40), wad(45 + 58)
    health = a.exchange.health(swan.id)
    assert (health.equity, health.maintenanceMargin) == (equity, maintenance)
    events = taken(a, a.take_over(swan))
    shares = [equity * wad(45) // maintenance, equity - equity * wad(45) // maintenance]
    assert events == {
        a.market.id: {
            "account": swan.id,
            "market": a.market.id,
            "size": TEN,
            "bankruptcyNotional": wad(900) - shares[0],
            "equity": equity,
            "mark": wad(90),
        },
        b.market.id: {
            "account": swan.id,
            "market": b.market.id,
            "size": -TEN,
            "bankruptcyNotional": wad(-1160) - shares[1],
            "equity": equity,
            "mark": wad(116),
        },
    }
    assert a.holding(swan) == b.holding(swan) == FLAT
    margin, listed, marker, _, legs = a.exchange.crossAccount(swan.id)
    assert (margin, listed, marker, legs) == (0, True, 0, 0)
    assert a.inventory(Side.LONG) == (TEN, wad(900) - shares[0])
    assert b.inventory(Side.SHORT) == (-TEN, wad(-1160) - shares[1])
    # What was left of the margin is the pool's: nothing of it is lost.
    assert -(a.inventory(Side.LONG)[1] + b.inventory(Side.SHORT)[1]) == wad(300)
    with refused(a.exchange.PositionMissing, account=swan.id):
        a.take_over(swan)


def test_it_is_due_by_the_sum(majors: list[Desk]) -> None:
    """Long 10 and short 10 on 200: E = 200 - 10 d at 100 -+ d/2, and MM is 100 all the way: due at 50."""
    a, b, _ = majors
    swan = swan_with(majors, 200, {0: 10, 1: -10})
    a.price("92.5")
    b.price("107.49999999")
    with refused(
        a.exchange.TakeoverNotDue,
        account=swan.id,
        equity=wad("50.0000001"),
        maintenanceMargin=wad("99.999999995"),
    ):
        a.take_over(swan)
    b.price("107.5")
    assert len(taken(a, a.take_over(swan))) == 2


def test_a_gain_of_one_leg_saves_all(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = swan_with(majors, 200, {0: 10, 1: 10})
    a.price(80)
    b.price(110)
    with refused(a.exchange.TakeoverNotDue, account=swan.id, equity=wad(100), maintenanceMargin=wad(95)):
        a.take_over(swan)


def test_sixteen_legs_in_one_call_of_six_million_gas(venue: Venue) -> None:
    desks = open_shared(venue, *(f"M{i}-USD" for i in range(16)))
    swan = desks[0].cross("swan")
    desks[0].deposit(swan, 16 * 10)
    for i, each in enumerate(desks):
        each.deposit(each.trader("whale"), 1000)
        each.trade(each.trader("whale"), swan, wad((-1) ** i), HUNDRED)
    for i, each in enumerate(desks):
        each.price(100 - 11 * (-1) ** i)
    done = desks[0].take_over(swan)
    assert len(taken(desks[0], done)) == 16
    assert done.gas_used <= 6_000_000, done.gas_used
    assert {each.holding(swan) for each in desks} == {FLAT}
    assert all(each.inventory(Side(i % 2))[0] == wad((-1) ** i) for i, each in enumerate(desks))


def test_what_starts_again_is_a_new_account_in_all_but_name(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = swan_with(majors, 200, {0: 10, 1: 10})
    a.price(80)
    a.take_over(swan)
    a.deposit(swan, 50)
    b.trade(b.trader("whale"), swan, wad(-1), HUNDRED)
    assert b.holding(swan) == Account(wad(-1), wad(-100), wad(50))
    assert a.exchange.crossAccountCount() == 1


# ---------------------------------------------------------------------- bankruptcy prices

GAP = ("84", "103", "91")  # E = 300 - 160 + 30 - 90 = 80, or as the margin will have it


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("gap", [GAP, ("75", "103", "91")], ids=["E > 0", "E < 0"])
def test_bankruptcy_prices_do_not_depend_on_the_order_in_which_legs_were_opened(
    majors: list[Desk], gap: tuple[str, ...], order: tuple[int, ...]
) -> None:
    swan = swan_with(majors, 300, dict.fromkeys(order, 10))
    for each, price in zip(majors, gap, strict=True):
        each.price(price)
    prices = [wad(price) for price in gap]
    legs = [value_leg(TEN, wad(1000), price, MMF) for price in prices]
    equity = wad(300) + sum(leg.unrealized_pnl for leg in legs)
    assert majors[0].exchange.health(swan.id).equity == equity
    assert (equity < 0) == (gap != GAP)
    if equity > 0:  # above the threshold: a higher one makes it due
        act(majors[0].venue.owner, majors[0].exchange.setBackstopRatio, wad("0.9"))
    events = taken(majors[0], majors[0].take_over(swan))
    found = [events[each.market.id]["bankruptcyNotional"] for each in majors]
    assert found == bankruptcy_notionals(legs, equity)
    assert sum(found) == wad(3000) - wad(300)


@pytest.mark.parametrize(
    ("margin", "gap"),
    [(300, ("75", "103", "90")), (300, ("69", "100", "70")), (300, ("55", "140", "70"))],
    ids=["one gains", "one stands", "one gains much"],
)
def test_short_of_equity_each_loser_carries_it_between_mark_and_entry(
    majors: list[Desk], margin: int, gap: tuple[str, ...]
) -> None:
    """The margin was not negative, so the legs together lost no more than their losers did."""
    swan = swan_with(majors, margin, {0: 10, 1: 10, 2: 10})
    for each, price in zip(majors, gap, strict=True):
        each.price(price)
    equity = majors[0].exchange.health(swan.id).equity
    if equity >= 0:
        pytest.fail("the gap was to make it bankrupt")
    states = majors[0].lens.account(swan.id).legs
    events = taken(majors[0], majors[0].take_over(swan))
    for each, price, state in zip(majors, gap, states, strict=True):
        mark = wad(price)
        bankruptcy = Decimal(events[each.market.id]["bankruptcyNotional"]) / 10
        if mark < HUNDRED:
            assert mark < bankruptcy <= HUNDRED
        else:
            assert bankruptcy == mark
        # And the page had said so, rounded toward the mark.
        assert abs(state.bankruptcyPrice - bankruptcy) < 1
    assert sum(event["bankruptcyNotional"] for event in events.values()) == wad(3000 - margin)


def test_equity_of_nothing_is_taken_over_at_mark(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = swan_with(majors, 200, {0: 10, 1: 10})
    a.price(80)
    events = taken(a, a.take_over(swan))
    assert [events[each.market.id]["bankruptcyNotional"] for each in (a, b)] == [wad(800), wad(1000)]


# ---------------------------------------------------------------------- dead feeds


def test_a_dead_leg_is_taken_over_at_its_last_accepted_price(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = swan_with(majors, 200, {0: 10, 1: 10})
    b.price(95)
    act(b.trader("keeper"), b.price_feed.accept, b.market.id)
    wait_until(b.priced_at() + 3601)
    a.price(80)
    events = taken(a, a.take_over(swan))
    assert {each.market.id: events[each.market.id]["mark"] for each in (a, b)} == {
        a.market.id: wad(80),
        b.market.id: wad(95),
    }
    # E = 200 - 200 - 50, carried 4 : 1.
    assert [events[each.market.id]["bankruptcyNotional"] for each in (a, b)] == [wad(840), wad(960)]


def test_all_legs_dead(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = swan_with(majors, 200, {0: 10, 1: 10})
    a.price(80)
    act(a.trader("keeper"), a.price_feed.accept, a.market.id)
    wait_until(a.priced_at() + 3601)
    events = taken(a, a.take_over(swan))
    assert [events[each.market.id]["mark"] for each in (a, b)] == [wad(80), wad(100)]


@pytest.mark.parametrize("code", ["fe", "", "5b5f56"], ids=["burns all gas", "gone", "loops for ever"])
def test_a_feed_that_burns_all_its_gas_holds_up_no_takeover(majors: list[Desk], code: str) -> None:
    a, b, _ = majors
    swan = swan_with(majors, 200, {0: 10, 1: 10})
    b.venue.endpoint.request("anvil_setCode", b.market.feed.address, "0x" + code)
    a.price(80)
    done = a.take_over(swan)
    assert done.gas_used < 6_000_000
    assert [event["mark"] for event in taken(a, done).values()] == [wad(80), wad(100)]
    assert a.lens.market(b.market.id).mark == wad(100)


# ---------------------------------------------------------------------- counterparties of a round


def rescued(majors: list[Desk], margin: int, sizes: dict[int, int], *, price: int = 85) -> Cross:
    """A pool that has 100 and 1,000 contracts of A from 90, now at 85; and a cross account on the other side."""
    a, *_ = majors
    swan = swan_with(majors, margin, sizes)
    a.contribute(100)
    a.inherit("icarus", 1000, 100, 10_000, price, against="whale")
    return swan


def test_a_cross_counterparty_is_ranked_and_closed_by_its_whole_equity(majors: list[Desk]) -> None:
    """Short 10 of A and long 10 of B: 150 of profit there, 50 of loss here, on 300."""
    a, b, _ = majors
    swan = rescued(majors, 300, {0: -10, 1: 10})
    b.price(95)
    exposure = a.exchange.exposures(a.market.id, [swan.id], wad(85))[0]
    assert tuple(exposure) == (-TEN, wad(-1000), wad(400), wad("42.5") + wad("47.5"))
    (ranked,) = a.engine.ranking(a.market.id, Side.LONG, [swan.id])
    # lr = uPnL / entry * MM / E.
    assert (bytes(ranked.account), ranked.equity) == (swan.id, wad(400))
    done = a.deleverage(Side.LONG, [swan])
    (fill,) = emitted(done, a.engine.Deleveraged)
    assert (fill["account"], fill["size"]) == (swan.id, TEN)
    value = fill["value"]
    assert a.holding(swan) == Account(0, 0, wad(300) + wad(1000) - value)
    assert b.holding(swan) == Account(TEN, wad(1000), wad(300) + wad(1000) - value)
    assert a.exchange.crossAccount(swan.id).legs == b.market.id


def test_the_plan_of_the_mirror_is_what_happens(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = rescued(majors, 300, {0: -10, 1: 10})
    crow = a.cross("crow")
    a.deposit(crow, 900)
    a.trade(a.trader("whale"), crow, wad(-20), wad(85))
    b.trade(b.trader("whale"), crow, wad(-30), HUNDRED)
    b.price(96)
    due = [each for each in plan(read_chain(a.venue.endpoint, a.venue.deployment).snapshot) if each.fills]
    assert due
    done = a.deleverage(Side.LONG, [crow, swan, a.trader("whale")])
    fills = emitted(done, a.engine.Deleveraged)
    planned = [(each.account, each.contracts, each.value) for each in due[0].fills]
    assert planned == [("0x" + each["account"].hex(), each["size"], each["value"]) for each in fills]
    assert swan.id in {each["account"] for each in fills}


def test_a_cross_counterparty_that_is_bankrupt_in_sum_is_skipped(majors: list[Desk]) -> None:
    """Its leg of A gains 150, but it has lost 450 of 300 elsewhere."""
    a, b, _ = majors
    swan = rescued(majors, 300, {0: -10, 1: 10})
    b.price(55)
    done = a.deleverage(Side.LONG, [swan, a.trader("whale")])
    skipped = [(each["account"], each["reason"]) for each in emitted(done, a.engine.CandidateSkipped)]
    assert skipped == [(swan.id, SkipReason.BANKRUPT)]
    assert a.holding(swan).size == -TEN


def test_a_round_does_not_wait_for_a_dead_other_leg(majors: list[Desk]) -> None:
    """The other leg counts at its last accepted price, in the ranking as in the round."""
    a, b, _ = majors
    swan = rescued(majors, 300, {0: -10, 1: 10})
    b.price(95)
    act(b.trader("keeper"), b.price_feed.accept, b.market.id)
    wait_until(b.priced_at() + 3601)
    a.price(85)
    exposure = a.exchange.exposures(a.market.id, [swan.id], wad(85))[0]
    assert exposure.equity == wad(400)
    done = a.deleverage(Side.LONG, [swan])
    (fill,) = emitted(done, a.engine.Deleveraged)
    assert fill["account"] == swan.id
    assert a.exchange.crossAccount(swan.id).legs == b.market.id


def test_a_dead_market_itself_has_no_rounds(majors: list[Desk]) -> None:
    a, *_ = majors
    swan = rescued(majors, 300, {0: -10, 1: 10})
    updated = a.priced_at()
    wait_until(updated + 3601)
    with (
        nothing_changes(a.venue),
        refused(a.price_feed.PriceStale, market=a.market.id, updatedAt=updated, heartbeat=3600),
    ):
        a.deleverage(Side.LONG, [swan])


def test_a_remainder_keeps_the_leg(majors: list[Desk]) -> None:
    a, b, _ = majors
    swan = swan_with(majors, 3000, {0: -100, 1: 10})
    a.contribute(10)
    a.inherit("icarus", 40, 100, 400, 85, against="whale")
    a.deleverage(Side.LONG, [swan])
    assert a.holding(swan).size == wad(-60)
    assert a.exchange.crossAccount(swan.id).legs == a.market.id | b.market.id << 16
