"""What a group lacks is the same before and after its redistribution, also while inventories owe funding."""

from __future__ import annotations

import pytest

from backstop.math.wad import WAD
from backstop.orders import Order

from .actions import Action, Answer, Contribute, Deposit, Settle, TakeOver, Withdraw
from .machine import Machine
from .sequences import Ground
from .world import NAMES, TRADERS

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform")

HAWK, HERON, OWL, WHALE = (NAMES.index(name) for name in ("hawk", "heron", "owl", "whale"))
MARKET, POOL, CARRIER = 7, 5, 2
TOKEN = 10**6
HOUR = 3600
ABOVE = 918 * WAD  # 2 % above the mark of 900, ten times what a fill's premium counts for


def account(trader: int, index: int = 0) -> bytes:
    return TRADERS[trader].account(MARKET, index)


def deposit(trader: int, tokens: int, index: int = 0) -> Deposit:
    return Deposit(trader, 1, MARKET << 64 | index, tokens * TOKEN)


def buy(machine: Machine, buyer: bytes, seller: bytes, contracts: int, price: int) -> Settle:
    owners = {account(trader, index): trader for trader in (HAWK, HERON, OWL, WHALE) for index in (0, 1)}

    def order(holder: bytes, size: int) -> Order:
        salt = machine.model.now
        return Order(holder, MARKET, size * WAD, price, machine.model.now + HOUR, salt=salt)

    orders = order(seller, -contracts), order(buyer, contracts)
    return Settle(HAWK, 1, orders[0], owners[seller], orders[1], owners[buyer], contracts * WAD)


def accepted(machine: Machine, *performed: Action) -> None:
    for action in performed:
        result = machine.perform(action)
        assert not result.violations
        assert not result.refusal


def an_hour_at_a_premium(machine: Machine) -> None:
    """Fills above mark; then the hour is over. The inventory, which is long, owes 0.2 % of its value."""
    rest = HOUR - machine.model.now % HOUR + 1
    accepted(machine, buy(machine, account(OWL), account(WHALE), 10, ABOVE))
    accepted(
        machine, Answer(HAWK, rest, tuple((market, machine.model.feeds[market - 1].answer) for market in range(1, 8)))
    )


def test_funding_that_is_owed_and_not_settled_is_no_deficit(ground: Ground) -> None:
    """Pool 5 has inventory without a loss, for which it has paid funding once and owes more.

    |                      | cash | owed | balance |
    | an hour, settled     |  -17 |    0 |     -17 |
    | another hour         |  -17 |  364 |    -381 |
    | pool 2 gives its 200 |  183 |  364 |    -181 |

    The pool still owns something before it pays, so there is no open deficit, before the redistribution as after it;
    what a withdrawal gave up would find nobody to go to.
    """
    machine = ground.machine()
    accepted(machine, deposit(HERON, 50_000), deposit(OWL, 50_000), deposit(WHALE, 50_000))
    accepted(machine, deposit(HAWK, 9_100), deposit(HAWK, 100, 1), Contribute(HERON, 1, CARRIER, 0, 200 * TOKEN))
    accepted(machine, buy(machine, account(HAWK), account(HERON), 200, 900 * WAD))
    accepted(machine, buy(machine, account(HAWK, 1), account(HERON), 2, 900 * WAD))
    # Both can be taken over, and both are worth something: the inventory loses nothing.
    accepted(machine, Answer(HAWK, 1, ((MARKET, 860 * 10**8),)), TakeOver(OWL, 1, account(HAWK)))
    accepted(machine, Answer(HAWK, 1, ((MARKET, 900 * 10**8),)))
    an_hour_at_a_premium(machine)
    accepted(machine, Answer(HAWK, 1, ((MARKET, 860 * 10**8),)), TakeOver(OWL, 1, account(HAWK, 1)))
    accepted(machine, Answer(HAWK, 1, ((MARKET, 900 * 10**8),)))
    assert machine.state.pools[POOL - 1].cash < 0
    an_hour_at_a_premium(machine)

    fund = machine.model.fund
    lacking = -fund.balance(POOL)[0]
    assert fund.balance(CARRIER)[0] < lacking
    assert fund.cash[POOL] + fund.balance(CARRIER)[0] > 0
    assert machine.state.deficit == 0
    accepted(machine, Withdraw(HERON, 1, account(HERON), 1_000 * TOKEN, HERON))
    assert fund.cash[POOL] == machine.state.pools[POOL - 1].cash
