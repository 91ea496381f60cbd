"""A round of auto-deleveraging: `ADLEngine.deleverage`, end to end on the deployed wiring; only the feed is a mock."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from scripts.stage.venue import TestMarket, Venue, wad
from tests.contracts.published_case import (
    LEVERAGED_RETURNS,
    PRICE,
    fill,
    fills,
    mirrored_case,
    outcome,
    published_case,
    skips,
    traders,
)
from tests.support.acting import emitted, refused, rpc
from tests.support.desk import Account, Desk
from tests.support.enums import Side, SkipReason, Trigger


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """The published case after the takeover: 800 long contracts to close."""
    return published_case(venue)


@pytest.fixture
def mirrored(venue: Venue) -> Desk:
    """The same book with the sides changed: 800 short contracts to close."""
    return mirrored_case(venue)


# ---------------------------------------------------------------------- the published case


def test_the_published_case(desk: Desk) -> None:
    keeper = desk.trader("keeper")
    done = desk.deleverage(Side.LONG, traders(desk, "hawk swift heron owl finch"))

    assert emitted(done, desk.engine.Deleveraged) == [
        {
            "round": 1,
            "account": desk.account(desk.trader(name)),
            "size": wad(contracts),
            "value": wad(value),
            "price": PRICE,
            "leveragedReturn": LEVERAGED_RETURNS[name],
            "rank": rank,
        }
        for rank, name, contracts, value in ((1, "hawk", 300, 24_750), (2, "swift", 500, 41_250))
    ]
    assert emitted(done, desk.engine.RoundExecuted) == [
        {
            "round": 1,
            "market": desk.market.id,
            "keeper": keeper.address.lower(),
            "outcome": {
                "side": Side.LONG,
                "trigger": Trigger.DRAWDOWN,
                "mark": wad(80),
                "price": PRICE,
                "contracts": wad(800),
                "netted": 0,
                "value": wad(66_000),
                "compensation": wad(2000),
            },
        }
    ]
    assert emitted(done, desk.fund.InventoryClosed) == [
        {
            "pool": desk.market.pool,
            "market": desk.market.id,
            "side": Side.LONG,
            "size": wad(800),
            "value": wad(66_000),
            "result": wad(-5000),
        }
    ]
    assert emitted(done, desk.fund.ADLEnded) == [{"market": desk.market.id, "drawdown": wad("0.25")}]
    assert emitted(done, desk.fund.InventoryNetted) == emitted(done, desk.engine.CandidateSkipped) == []

    # hawk: 3,000 and 300 * (100 - 82.5); swift: 5,400 and 500 * (90 - 82.5), 100 contracts stay.
    assert desk.holding(desk.trader("hawk")) == Account(0, 0, wad(8250))
    assert desk.holding(desk.trader("swift")) == Account(wad(-100), wad(-9000), wad(9150))
    backing = desk.backing()
    assert (backing.balance, backing.loss, backing.base) == (wad(15_000), wad(5000), wad(20_000))
    assert (backing.drawdown, backing.drawdownDue) == (wad("0.25"), False)
    assert desk.inventory(Side.LONG) == (0, 0)
    assert desk.open_interest() == wad(900)
    assert desk.engine.roundCount() == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_permuted_list_executes_in_the_right_order(desk: Desk, seed: int) -> None:
    candidates = traders(desk, "hawk swift heron owl finch whale icarus")
    random.Random(seed).shuffle(candidates)
    done = desk.deleverage(Side.LONG, candidates)
    assert fills(desk, done) == [fill("hawk", 300, "82.5", "24750"), fill("swift", 500, "82.5", "41250")]


def test_a_reversed_list(desk: Desk) -> None:
    done = desk.deleverage(Side.LONG, traders(desk, "finch owl heron swift hawk"))
    assert fills(desk, done) == [fill("hawk", 300, "82.5", "24750"), fill("swift", 500, "82.5", "41250")]


def test_the_view_ranks_as_the_round_executes(desk: Desk) -> None:
    candidates = [desk.account(each) for each in traders(desk, "finch icarus owl hawk whale swift heron hawk")]
    ranked = desk.engine.ranking(desk.market.id, Side.LONG, candidates)
    assert [(bytes(each.account), each.leveragedReturn) for each in ranked] == [
        (desk.account(desk.trader(name)), expected) for name, expected in LEVERAGED_RETURNS.items()
    ]
    assert [each.equity for each in ranked] == [wad(each) for each in (9000, 11_400, 16_000, 14_000, 8000)]
    assert (ranked[0].size, ranked[0].entryNotional) == (wad(-300), wad(-30_000))
    (only,) = desk.engine.ranking(desk.market.id, Side.SHORT, candidates)
    assert bytes(only.account) == desk.account(desk.trader("whale"))
    assert desk.engine.ranking(desk.market.id, Side.LONG, []) == []


def test_only_the_last_fill_is_partial(desk: Desk) -> None:
    done = desk.deleverage(Side.LONG, traders(desk, "finch owl heron"))
    assert [(each.name, each.contracts) for each in fills(desk, done)] == [("heron", 400), ("owl", 200), ("finch", 200)]
    assert outcome(desk, done)["contracts"] == wad(800)
    assert desk.holding(desk.trader("finch")) == Account(0, 0, wad(7500))


def test_fewer_contracts_than_the_inventory(desk: Desk) -> None:
    """What is closed is closed at the price of the whole; the rest stays for the next round."""
    done = desk.deleverage(Side.LONG, traders(desk, "owl"))
    assert fills(desk, done) == [fill("owl", 200, "82.5", "16500")]
    assert outcome(desk, done)["contracts"] == wad(200)
    assert desk.inventory(Side.LONG) == (wad(600), wad(600) * Decimal("88.75"))
    assert desk.backing().drawdown == wad("0.325")


@pytest.mark.parametrize(
    "lists",
    [["hawk", "swift"], ["swift", "hawk"], ["hawk", "heron", "finch"], ["owl", "finch", "heron"]],
    ids=", then ".join,
)
def test_rounds_one_after_the_other_get_the_same_price(desk: Desk, lists: list[str]) -> None:
    """Recomputed from the state that it finds, the price stays until nothing is left."""
    total = Decimal(0)
    for number, names in enumerate(lists, start=1):
        done = desk.deleverage(Side.LONG, traders(desk, names))
        (each,) = fills(desk, done)
        assert each.price == Decimal("82.5")
        total += each.contracts
        assert outcome(desk, done)["compensation"] == wad(2000 - (total - each.contracts) * Decimal("2.5"))
        assert emitted(done, desk.engine.RoundExecuted)[0]["round"] == number
    assert desk.inventory(Side.LONG)[0] == wad(800 - total)


def test_single_rounds_end_where_one_batch_ends(desk: Desk) -> None:
    snapshot = rpc("evm_snapshot")
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    names = "hawk swift heron owl finch"
    batch = [desk.holding(each) for each in traders(desk, names)], desk.fund.pool(desk.market.pool)
    rpc("evm_revert", snapshot)
    for name in ("hawk", "swift"):
        desk.deleverage(Side.LONG, traders(desk, name))
    assert ([desk.holding(each) for each in traders(desk, names)], desk.fund.pool(desk.market.pool)) == batch


def test_once_the_drawdown_is_down_nothing_is_due(desk: Desk) -> None:
    desk.deleverage(Side.LONG, traders(desk, "hawk swift"))
    with refused(desk.engine.ADLNotDue, market=desk.market.id, side=Side.LONG):
        desk.deleverage(Side.LONG, traders(desk, "heron"))


# ---------------------------------------------------------------------- a short inventory


def test_a_short_inventory(mirrored: Desk) -> None:
    desk = mirrored
    done = desk.deleverage(Side.SHORT, traders(desk, "finch owl heron swift hawk whale"))
    assert fills(desk, done) == [
        fill("hawk", -300, "97.5", "-29250"),
        fill("heron", -400, "97.5", "-39000"),
        fill("swift", -100, "97.5", "-9750"),
    ]
    assert skips(desk, done) == [(desk.account(desk.trader("whale")), SkipReason.INVENTORY_SIDE)]
    assert outcome(desk, done) == {
        "side": Side.SHORT,
        "trigger": Trigger.DRAWDOWN,
        "mark": wad(100),
        "price": wad("97.5"),
        "contracts": wad(800),
        "netted": 0,
        "value": wad(-78_000),
        "compensation": wad(2000),
    }
    (closed,) = emitted(done, desk.fund.InventoryClosed)
    assert (closed["side"], closed["size"], closed["result"]) == (Side.SHORT, wad(-800), wad(-5000))
    assert desk.holding(desk.trader("hawk")) == Account(0, 0, wad(3000 + 5250))
    assert desk.holding(desk.trader("swift")) == Account(wad(500), wad(45_000), wad(5400 + 750))
    assert desk.inventory(Side.SHORT) == (0, 0)
    assert desk.backing().drawdown == wad("0.25")


def test_the_best_shorts_and_the_best_longs_go_first(desk: Desk, mirrored: Desk) -> None:
    """More leverage on the same gain goes first on either side, and losers come last."""
    for each, side in ((desk, Side.LONG), (mirrored, Side.SHORT)):
        names = traders(each, "owl heron hawk")
        ranked = each.engine.ranking(each.market.id, side, [each.account(who) for who in names])
        assert [bytes(place.account) for place in ranked] == [each.account(who) for who in reversed(names)]
        assert all(place.leveragedReturn > 0 for place in ranked)


# ---------------------------------------------------------------------- ranking


def test_losers_go_after_winners_the_more_leveraged_first(desk: Desk) -> None:
    desk.seat("""
        kite    -10 75 5000
        lark    -10 75  500
        anchor   20 75 5000
    """)
    desk.price(80)
    candidates = [desk.account(each) for each in traders(desk, "kite lark finch")]
    ranked = desk.engine.ranking(desk.market.id, Side.LONG, candidates)
    assert [bytes(each.account) for each in ranked] == candidates[::-1]
    assert ranked[0].leveragedReturn > 0 > ranked[1].leveragedReturn > ranked[2].leveragedReturn
    done = desk.deleverage(Side.LONG, traders(desk, "lark kite finch"))
    order = [(each.name, each.contracts) for each in fills(desk, done, "lark kite finch")]
    assert order == [("finch", 200), ("lark", 10), ("kite", 10)]


def test_ties_go_by_account_id(desk: Desk) -> None:
    """Four that are alike: from each as much as there is, the smallest id first."""
    alike = [desk.trader(f"twin {i}") for i in range(4)]
    desk.price(90)
    desk.deposit(desk.trader("anchor"), 10_000)
    for each in alike:
        desk.deposit(each, 100)
        desk.trade(desk.trader("anchor"), each, wad(-10), wad(90))
    desk.price(80)
    by_id = sorted(desk.account(each) for each in alike)
    for candidates in (by_id, by_id[::-1], by_id[2:] + by_id[:2]):
        ranked = desk.engine.ranking(desk.market.id, Side.LONG, candidates)
        assert [bytes(each.account) for each in ranked] == by_id
        assert len({each.leveragedReturn for each in ranked}) == 1
    done = desk.deleverage(Side.LONG, by_id[::-1])
    assert [each["account"] for each in emitted(done, desk.engine.Deleveraged)] == by_id
