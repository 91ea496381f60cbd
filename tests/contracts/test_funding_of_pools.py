"""Funding of what a pool holds: it pays and gets like anybody, at once in its result and so in its drawdown."""

from __future__ import annotations

from typing import Any

import pytest

from backstop.adl.planning import plan
from backstop.chain.snapshot import read_chain
from scripts.stage.venue import TestMarket, Venue, wad
from tests.support.acting import Done, act, emitted, now, rpc, wait_until
from tests.support.desk import Cross, Desk, open_desk, open_shared
from tests.support.enums import Side, Trigger
from tests.support.proofs import whole_state

HOUR = 3600
DAY = 24 * HOUR
TEN = wad(10)
HUNDRED = wad(100)


@pytest.fixture(scope="module")
def desk(venue: Venue, market: TestMarket) -> Desk:
    """At 100, 40x; a fill counts at most 1 % of mark. Hawk and dove have 1,000,000 each; the pool has 3,000."""
    desk = open_desk(venue, "FUND-USD", 100, initial="0.025", maintenance="0.02")
    desk.set_parameters(funding_cap=wad("0.01"))
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1_000_000)
    desk.contribute(3000)
    return desk


def hour_of(desk: Desk, price: int, mark: int | str = 100) -> None:
    """An hour in which 20 contracts are filled at a price, and the first second of the one after it."""
    start = (now() // HOUR + 1) * HOUR
    desk.price(mark, at=start)
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(20), price)
    desk.price(mark, at=start + HOUR)


def with_inventory(desk: Desk, side: Side, contracts: int = 1000) -> None:
    """Taken over at mark and at its price of bankruptcy, 97 or 103: no loss, no gain."""
    desk.inherit("icarus", side.sign * contracts, 100, 3 * contracts, 100 - 3 * side.sign)


def accrue(desk: Desk) -> Done:
    return act(desk.trader("stranger"), desk.exchange.accrue, desk.market.id)


# ---------------------------------------------------------------------- what it pays and gets


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("premium", ["0.5", "-0.5"])
def test_inventory_pays_and_gets_at_once_in_the_result(desk: Desk, side: Side, premium: str) -> None:
    with_inventory(desk, side)
    mark = 100 - 3 * side.sign
    hour_of(desk, wad(mark) + wad(premium), mark)
    paid = side.sign * wad(premium) * 1000
    for _ in range(2):
        backing = desk.backing()
        assert (backing.balance, backing.pnl, backing.loss) == (wad(3000) - paid, -paid, max(paid, 0))
        assert desk.pool_cash() == wad(3000)
        accrue(desk)


def test_it_is_settled_when_the_inventory_is_touched(desk: Desk) -> None:
    with_inventory(desk, Side.LONG)
    hour_of(desk, wad("97.5"), 97)
    desk.deposit(desk.trader("buyer"), 10_000)
    before = desk.backing()
    assert before.pnl == -wad(500)
    done = desk.buy(Side.LONG, wad(1), by=desk.trader("buyer"))
    assert emitted(done, desk.fund.InventoryFundingPaid) == [
        {"pool": desk.market.pool, "market": desk.market.id, "side": Side.LONG, "amount": wad(500)}
    ]
    (bought,) = emitted(done, desk.exchange.InventoryBought)
    assert desk.pool_cash() == wad(3000) - wad(500) + bought["value"] - wad(97)
    assert desk.funding().pot == wad(500)
    # And not again.
    done = desk.buy(Side.LONG, wad(1), by=desk.trader("buyer"))
    assert emitted(done, desk.fund.InventoryFundingPaid) == []


def test_what_comes_in_later_pays_nothing_for_the_past(desk: Desk) -> None:
    with_inventory(desk, Side.LONG)
    hour_of(desk, wad("97.5"), 97)
    desk.price(100)
    done = desk.inherit("midas", 500, 100, 1500, 97)
    assert [event["amount"] for event in emitted(done, desk.fund.InventoryFundingPaid)] == [wad(500)]
    assert desk.inventory(Side.LONG)[0] == wad(1500)
    assert desk.backing().pnl == -wad(500)


def test_both_sides_are_settled_by_a_round(desk: Desk) -> None:
    with_inventory(desk, Side.LONG)
    desk.inherit("midas", -400, 97, 1200, 100, against="kraken")
    hour_of(desk, wad("98.5"), 97)
    hour_of(desk, wad(95), 95)
    assert desk.terms(Side.LONG).trigger == Trigger.DRAWDOWN
    done = desk.deleverage(Side.LONG, [desk.trader(name) for name in ("whale", "hawk")])
    # 0.97, the cap at 97.
    assert [(event["side"], event["amount"]) for event in emitted(done, desk.fund.InventoryFundingPaid)] == [
        (Side.LONG, wad("970")),
        (Side.SHORT, -wad("388")),
    ]


def test_roundings_of_inventories_are_dust_too(desk: Desk) -> None:
    """An index of a third; the proofs hold it against the pot."""
    with_inventory(desk, Side.LONG)
    start = (now() // HOUR + 1) * HOUR
    desk.price(97, at=start)
    for contracts, price in ((wad(10), wad(97) + 1), (wad(20), wad(97) + wad("0.5"))):
        desk.trade(desk.trader("hawk"), desk.trader("dove"), contracts, price)
    desk.price(97, at=start + HOUR)
    desk.deposit(desk.trader("buyer"), 10_000)
    for contracts in (1, 7, wad(1) + 3):
        desk.buy(Side.LONG, contracts, by=desk.trader("buyer"))
        hour_of(desk, wad(97) + 7, 97)
    for name in ("hawk", "dove", "whale"):
        desk.trade(desk.trader("buyer"), desk.trader(name), wad(-1) - 1, wad(97))
    act(desk.trader("stranger"), desk.exchange.sweep, desk.market.id)
    assert desk.funding().dust == 0


# ---------------------------------------------------------------------- drawdown


@pytest.mark.parametrize(("premium", "due"), [("0.899999999999999999", False), ("0.9", True)])
def test_funding_alone_brings_the_drawdown_to_its_trigger(desk: Desk, premium: str, due: bool) -> None:
    """900 of 3,000 are 30 %, whether they are accrued, settled or only owed."""
    with_inventory(desk, Side.LONG)
    desk.checkpoint()
    hour_of(desk, wad(97) + wad(premium), 97)
    assert desk.backing().drawdownDue == due
    # There is nothing to close against anybody: the inventory itself has lost nothing at mark.
    assert desk.terms(Side.LONG).trigger == Trigger.NONE
    accrue(desk)
    done = desk.checkpoint()
    assert len(emitted(done, desk.fund.ADLStarted)) == due


def test_a_round_makes_up_for_it_as_far_as_the_inventory_has_lost(desk: Desk) -> None:
    with_inventory(desk, Side.LONG)
    hour_of(desk, wad(98), 97)
    desk.price("96.9")
    terms = desk.terms(Side.LONG)
    # 970 of funding and 100 of inventory, of 3,000: 320 are due, and 100 is all that the price of bankruptcy allows.
    assert (terms.trigger, terms.compensation, terms.inventoryLoss) == (Trigger.DRAWDOWN, wad(320), wad(100))
    assert terms.price == wad(97)


def test_what_it_gets_raises_the_peak(desk: Desk) -> None:
    with_inventory(desk, Side.SHORT)
    hour_of(desk, wad(104), 103)
    done = desk.checkpoint()
    (sample,) = emitted(done, desk.fund.Checkpointed)
    assert (sample["pnl"], sample["balance"]) == (wad(1000), wad(4000))
    desk.price(104)
    backing = desk.backing()
    assert (backing.loss, backing.base) == (wad(1000), wad(4000))


def test_depletion_by_funding(desk: Desk) -> None:
    """3,000 are gone after four hours at the cap; what falls below mark then is a deficit."""
    with_inventory(desk, Side.LONG)
    for _ in range(4):
        hour_of(desk, wad(110), 97)
    backing = desk.backing()
    assert backing.balance == wad(3000) - 4 * wad(970)
    desk.price(96)
    terms = desk.terms(Side.LONG)
    assert terms.trigger != Trigger.NONE
    assert terms.price == wad(97)


# ---------------------------------------------------------------------- thirty days on


def thirty_days_on(desk: Desk) -> tuple[list[Any], Cross]:
    """Inventory at a loss, funding owed on all sides, a cross account among the counterparties; nobody calls."""
    crow = desk.cross("crow")
    desk.deposit(crow, 5000)
    desk.trade(desk.trader("dove"), crow, -wad(300), HUNDRED)
    with_inventory(desk, Side.LONG)
    hour_of(desk, wad("97.7"), 97)
    hour_of(desk, wad("97.21") + 13, 97)
    # This hour stays open for thirty days.
    desk.trade(desk.trader("hawk"), desk.trader("dove"), wad(20), wad("97.333"))
    later = now() + 30 * DAY
    desk.price("95.5", at=later)
    return [desk.trader("whale"), desk.trader("hawk"), crow], crow


def outcome(desk: Desk, done: Done) -> tuple[Any, ...]:
    """All that a round did, and everything as it is after it."""
    fills = [{**fill} for fill in emitted(done, desk.engine.Deleveraged)]
    return fills, emitted(done, desk.engine.RoundExecuted), whole_state(desk.venue)


def test_a_round_is_the_same_whether_or_not_funding_was_accrued_before_it(venue: Venue) -> None:
    """adl(s) == adl(accrue(s)): the terms, the ranking, the fills, and the state to the wei."""
    desk, _ = open_shared(venue, "WARP-USD", "IDLE-USD", initial="0.025", maintenance="0.02")
    desk.set_parameters(funding_cap=wad("0.01"))
    for name in ("hawk", "dove"):
        desk.deposit(desk.trader(name), 1_000_000)
    desk.contribute(2500)
    candidates, crow = thirty_days_on(desk)
    at = now() + 100
    found = []
    for first in (False, True):
        saved = rpc("evm_snapshot")
        if first:
            done = act(desk.trader("stranger"), desk.exchange.accrue, desk.market.id, at=at - 50)
            assert len(emitted(done, desk.exchange.FundingAccrued)) == 1
        wait_until(at - 1)
        terms = desk.terms(Side.LONG)
        assert terms.trigger != Trigger.NONE
        planned = [each for each in plan(read_chain(venue.endpoint, venue.deployment).snapshot) if each.fills]
        ids = [desk.account(each) for each in candidates]
        ranking = desk.engine.ranking(desk.market.id, Side.LONG, ids)
        done = desk.deleverage(Side.LONG, candidates, at=at)
        assert [(fill.account, fill.contracts, fill.value) for fill in planned[0].fills] == [
            ("0x" + fill["account"].hex(), fill["size"], fill["value"])
            for fill in emitted(done, desk.engine.Deleveraged)
        ]
        found.append((terms, ranking, outcome(desk, done)))
        if not first:
            rpc("evm_revert", saved)
    assert found[0] == found[1]
    assert crow.id in {fill["account"] for fill in found[0][2][0]}


def test_a_takeover_is_the_same_too(desk: Desk) -> None:
    end = (now() // HOUR + 1) * HOUR
    swan = desk.trader("swan")
    desk.deposit(swan, 40)
    desk.price(100, at=end)
    desk.trade(desk.trader("hawk"), swan, TEN, wad("100.777"))
    desk.price(98, at=now() + 30 * DAY)
    at = now() + 100
    found = []
    for first in (False, True):
        saved = rpc("evm_snapshot")
        if first:
            act(desk.trader("stranger"), desk.exchange.accrue, desk.market.id, at=at - 50)
        done = desk.take_over(swan, at=at)
        found.append((emitted(done, desk.exchange.TakenOver), whole_state(desk.venue)))
        if not first:
            rpc("evm_revert", saved)
    assert found[0] == found[1]
