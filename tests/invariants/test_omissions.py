"""Rounds that leave somebody out, challenged whatever the one who was left out does after them."""

from __future__ import annotations

import pytest

from backstop.math.wad import WAD
from backstop.orders import Order
from tests.support.enums import Exemption

from .actions import Action, Answer, Challenge, Contribute, Deleverage, Deposit, Settle, TakeOver
from .calls import Bounds
from .machine import Machine
from .sequences import Ground
from .world import CROSS, NAMES, TRADERS

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")

HAWK, HERON, OWL, WHALE = (NAMES.index(name) for name in ("hawk", "heron", "owl", "whale"))
SEVEN, DIME = 5, 3  # markets of the shared pool, at 7 and at 0.077777
TOKEN = 10**6


def cross(trader: int) -> bytes:
    return TRADERS[trader].cross()


def trade(machine: Machine, market: int, buyer: tuple[int, bytes], seller: tuple[int, bytes], contracts: int) -> Settle:
    """At mark."""
    price, salt = machine.marks[market - 1], machine.model.now

    def order(account: bytes, size: int) -> Order:
        return Order(account, market, size * WAD, price, machine.model.now + 3600, salt=salt)

    maker, taker = order(seller[1], -contracts), order(buyer[1], contracts)
    return Settle(HAWK, 1, maker, seller[0], taker, buyer[0], contracts * WAD)


def accepted(machine: Machine, *performed: Action) -> None:
    for action in performed:
        result = machine.perform(action)
        assert not result.violations, result.violations
        assert not result.refusal


@pytest.fixture
def left_out(ground: Ground) -> Machine:
    """hawk's long of 1,000 at 7 is taken over at 6; a round closes owl, who has more margin than heron, not heron."""
    machine = ground.machine()
    for trader, tokens in ((HAWK, 750), (HERON, 2_000), (OWL, 50_000), (WHALE, 50_000)):
        accepted(machine, Deposit(trader, 1, CROSS, tokens * TOKEN))
    accepted(machine, Contribute(WHALE, 1, 3, 0, 100 * TOKEN))
    for seller in (HERON, OWL):
        accepted(machine, trade(machine, SEVEN, (HAWK, cross(HAWK)), (seller, cross(seller)), 500))
    accepted(machine, Answer(WHALE, 30, ((SEVEN, 6 * 10**8),)), TakeOver(WHALE, 1, cross(HAWK)))
    accepted(machine, Deleverage(WHALE, 1, SEVEN, 0, (cross(OWL),), Bounds(), 0))
    assert machine.model.records[1].omission(cross(HERON)).reason is Exemption.NONE
    return machine


def challenge(machine: Machine) -> None:
    accepted(machine, Challenge(WHALE, 1, 1, SEVEN, cross(HERON)))
    assert machine.state.bonds[WHALE] < machine.state.bonds[HAWK]
    assert machine.state.claimable[WHALE] == machine.state.claimable[OWL] > 0


def test_who_did_nothing(left_out: Machine) -> None:
    challenge(left_out)


def test_who_deposits(left_out: Machine) -> None:
    accepted(left_out, Deposit(HERON, 1, CROSS, 100 * TOKEN))
    challenge(left_out)


def test_who_closes_the_position(left_out: Machine) -> None:
    accepted(left_out, trade(left_out, SEVEN, (HERON, cross(HERON)), (WHALE, cross(WHALE)), 500))
    challenge(left_out)


def test_who_opens_a_leg_in_a_market_that_no_cross_account_held(left_out: Machine) -> None:
    accepted(left_out, Deposit(WHALE, 1, DIME << 64, 1_000 * TOKEN))
    accepted(left_out, trade(left_out, DIME, (HERON, cross(HERON)), (WHALE, TRADERS[WHALE].account(DIME)), 100))
    challenge(left_out)
