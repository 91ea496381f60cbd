"""Markets in different pools have nothing to do with each other's losses; what the one vault makes of that."""

from __future__ import annotations

import pytest

from backstop.math.wad import WAD
from backstop.orders import Order

from .actions import Action, Answer, Deposit, Settle, Withdraw
from .machine import Machine
from .sequences import Ground
from .world import NAMES, TRADERS

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")

HAWK, HERON, OWL, WHALE = (NAMES.index(name) for name in ("hawk", "heron", "owl", "whale"))
TOKEN = 10**6


def deposit(trader: int, market: int, tokens: int) -> Deposit:
    return Deposit(trader, 1, market << 64, tokens * TOKEN)


def withdraw(trader: int, market: int, tokens: int) -> Withdraw:
    return Withdraw(trader, 1, TRADERS[trader].account(market), tokens * TOKEN, trader)


def buy(machine: Machine, buyer: int, seller: int, contracts: int, price: int) -> Settle:
    """In market 1."""

    def order(trader: int, size: int) -> Order:
        expiry = machine.model.now + 3600
        return Order(TRADERS[trader].account(1), 1, size * WAD, price * WAD, expiry, salt=price)

    return Settle(buyer, 1, order(seller, -contracts), seller, order(buyer, contracts), buyer, contracts * WAD)


def accepted(machine: Machine, *performed: Action) -> None:
    for action in performed:
        result = machine.perform(action)
        assert not result.violations
        assert not result.refusal


@pytest.mark.xfail(
    strict=True, reason="the vault pays every claim from all tokens, so the first to leave are paid in full"
)
def test_a_shortfall_of_one_market_leaves_the_collateral_of_another_alone(ground: Ground) -> None:
    """heron is bankrupt by 4,000; before anyone takes it over, hawk closes against whale and leaves with its profit.

    |       | deposit | market | position        | at 150 | takes out |
    | hawk  |   1,000 | 1      | +100 from 100   |  6,000 |     6,000 |
    | heron |   1,000 | 1      | -100 from 100   | -4,000 |           |
    | whale |   1,500 | 1      | +100 from 150   |  1,500 |           |
    | owl   |  10,000 | 2      | never had one   |        |    10,000 |
    """
    machine = ground.machine()
    accepted(machine, deposit(HAWK, 1, 1_000), deposit(HERON, 1, 1_000), deposit(OWL, 2, 10_000))
    accepted(machine, buy(machine, HAWK, HERON, 100, 100), Answer(HAWK, 1, ((1, 150 * 10**8),)))
    accepted(machine, deposit(WHALE, 1, 1_500), buy(machine, WHALE, HAWK, 100, 150), withdraw(HAWK, 1, 6_000))
    accepted(machine, withdraw(OWL, 2, 10_000))
