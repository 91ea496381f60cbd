"""Open deficits: how one comes about, what there is of them, and a withdrawal while there is one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from scripts.stage.venue import wad
from tests.support.acting import Done, act
from tests.support.desk import Desk
from tests.support.enums import Side


def open_deficit(desk: Desk, amount: Decimal | int | str) -> None:
    """An empty pool ends with an open deficit of at most 8,100 tokens, at a mark of 90.

    |        | position         | at 90   |                                                      |
    | icarus | 1,000 from 100   |  -9,000 | taken over: inventory from 99                        |
    | whale  | -1,000 from 100  | +10,000 | leaves in time, against swan                         |
    | swan   | -1,000 from 90   |       0 | has 9,000 less the amount; the round takes all of it |
    """
    icarus, whale, swan = (desk.trader(name) for name in ("icarus", "whale", "swan"))
    for who, margin in ((icarus, 1000), (whale, 50_000), (swan, 9000 - Decimal(amount))):
        desk.deposit(who, margin)
    desk.price(100)
    desk.trade(whale, icarus, wad(1000), wad(100))
    desk.price(90)
    desk.trade(swan, whale, wad(1000), wad(90))
    desk.take_over(icarus)
    desk.deleverage(Side.LONG, [swan])


def held(desk: Desk) -> int:
    """Token units of the exchange."""
    return int(desk.token.balanceOf(desk.exchange))


def deficit(desk: Desk) -> int:
    """All that is open, WAD: the sum of its parts, which are of the pools with negative cash."""
    total = int(desk.fund.deficit())
    pools, parts = desk.fund.deficits()
    assert total == sum(parts)
    assert set(pools) == {pool for pool in range(1, desk.fund.poolCount() + 1) if desk.fund.pool(pool).cash < 0}
    return total


def withdraw(desk: Desk, who: Any, units: int) -> Done:
    """Token units out of somebody's account, to themselves."""
    return act(who, desk.exchange.withdraw, desk.account(who), units, who.address)
