"""What the plan and the fund make of inventory whose feed is dead."""

from __future__ import annotations

import pytest

from backstop.adl.due import due_inventory
from backstop.math.wad import WAD
from backstop.orders import Order

from .actions import Action, Answer, BadAnswer, Checkpoint, Contribute, Deposit, Settle, TakeOver
from .machine import Machine
from .sequences import Ground
from .snapshots import compensation_of, name_of, snapshot_of
from .world import NAMES, TRADERS

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")

HAWK, HERON = NAMES.index("hawk"), NAMES.index("heron")
TOKEN = 10**6


def deposit(trader: int, market: int, tokens: int) -> Deposit:
    return Deposit(trader, 1, market << 64, tokens * TOKEN)


def buy(machine: Machine, market: int, contracts: int, price: int) -> Settle:
    """By hawk from heron."""

    def order(trader: int, size: int) -> Order:
        expiry = machine.model.now + 3600
        return Order(TRADERS[trader].account(market), market, size * WAD, price, expiry, salt=market)

    return Settle(HAWK, 1, order(HERON, -contracts), HERON, order(HAWK, contracts), HAWK, contracts * WAD)


def accepted(machine: Machine, *performed: Action) -> None:
    for action in performed:
        result = machine.perform(action)
        assert not result.violations
        assert not result.refusal


@pytest.fixture
def depleted(ground: Ground) -> Machine:
    """hawk is taken over in markets 3 and 5 of one pool, which has 300 and has lost more than that.

    |   | contracts | price    | deposit | price after | equity |
    | 3 |   100,000 | 0.077777 |     400 |        0.07 |   -380 |
    | 5 |     1,000 | 7        |     700 |         6.2 |   -170 |
    """
    machine = ground.machine()
    for market, tokens, contracts, price in ((3, 400, 100_000, 77_777 * 10**12), (5, 700, 1_000, 7 * WAD)):
        accepted(machine, deposit(HAWK, market, tokens), deposit(HERON, market, 10_000))
        accepted(machine, buy(machine, market, contracts, price))
    accepted(machine, Contribute(HERON, 1, 3, 0, 300 * TOKEN), Answer(HERON, 1, ((3, 70_000), (5, 62 * 10**7))))
    accepted(machine, *(TakeOver(HERON, 1, TRADERS[HAWK].account(market)) for market in (3, 5)))
    return machine


def compensations(machine: Machine) -> tuple[int, int]:
    """Of the long inventory of market 3: by the plan, and by the fund."""
    plans = {one.inventory.market: one.compensation for one in due_inventory(snapshot_of(machine.state))}
    return plans[name_of(3)], compensation_of(machine.state, 3, 0)


def test_with_every_feed_good_plan_and_fund_agree(depleted: Machine) -> None:
    planned, due = compensations(depleted)
    assert planned == due > 0


def test_with_the_feed_of_market_5_dead_they_still_agree(depleted: Machine) -> None:
    accepted(depleted, BadAnswer(HERON, 1, 5, 62 * 10**7, 0, False))
    planned, due = compensations(depleted)
    assert planned == due > 0


def test_an_outage_does_not_bring_adl_about(ground: Ground) -> None:
    """The price is the same before and after: a loss of 270 of 1,000, between stop (25 %) and trigger (30 %)."""
    machine = ground.machine()
    accepted(machine, deposit(HAWK, 1, 1_000), deposit(HERON, 1, 10_000), Contribute(HERON, 1, 1, 0, 1_000 * TOKEN))
    accepted(machine, buy(machine, 1, 100, 100 * WAD), Answer(HERON, 1, ((1, 8_730_000_000),)))
    accepted(machine, TakeOver(HERON, 1, TRADERS[HAWK].account(1)))
    assert compensation_of(machine.state, 1, 0) == 0
    accepted(machine, BadAnswer(HERON, 1, 1, 8_730_000_000, 0, False), Checkpoint(HERON, 1, 1))
    accepted(machine, Answer(HERON, 1, ((1, 8_730_000_000),)))
    assert compensation_of(machine.state, 1, 0) == 0
