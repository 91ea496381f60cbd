"""Redistribution of random groups, held equal to the same in exact integers; and without any group."""

from __future__ import annotations

import random
from typing import Any

from backstop.math.fund import redistribute
from scripts.stage.venue import TestMarket, Venue
from tests.support.acting import act, refused
from tests.support.desk import Desk
from tests.support.enums import Side
from tests.support.stakers import open_group


def judged(group: list[Desk]) -> list[Any]:
    """What is due in each market, and on what terms."""
    return [(each.backing().drawdownDue, *(tuple(each.terms(side)) for side in Side)) for each in group]


def redistribute_now(desk: Desk) -> None:
    act(desk.trader("stranger"), desk.fund.redistribute)


def test_without_a_group_there_is_nothing_to_redistribute(desk: Desk) -> None:
    assert tuple(desk.fund.group()) == ([], [])
    with refused(desk.fund.RedistributionNotDue):
        redistribute_now(desk)


def test_random_balances(venue: Venue, market: TestMarket) -> None:
    """Equal to the same in exact integers; what is due and its terms are the same before and after; sums stay."""
    dice = random.Random(11)
    group = open_group(venue, {f"M{i}-USD": 0 for i in range(5)})
    for i, each in enumerate(group):
        side = dice.choice((-1, 1))
        each.inherit("icarus", side * 7, 100, 7, 100 - side, wei=dice.randint(0, 1), against=f"whale {i}")
    depleted = 0
    for _ in range(14):
        for each in group:
            each.price(f"{dice.uniform(94, 106):.8f}")
            if dice.random() < 0.4:
                each.contribute(f"{dice.uniform(0, 14):.6f}", to_market=dice.random() < 0.5)
            if dice.random() < 0.3:
                each.checkpoint()
        before, due = group[0].fund.group()[1], judged(group)
        if sum(before) > 0 or max(before) <= 0:
            with refused(group[0].fund.RedistributionNotDue):
                redistribute_now(group[0])
            continue
        depleted += 1
        redistribute_now(group[0])
        assert group[0].fund.group()[1] == redistribute(before)
        assert judged(group) == due
    assert 3 <= depleted <= 11
