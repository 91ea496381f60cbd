"""A given shock without slippage and fees against exact integers: `due_inventory` of the shocked snapshot."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from backstop.adl.due import Trigger, due_inventory
from backstop.adl.snapshot import Inventory, Snapshot
from backstop.math import fund
from backstop.math.wad import WAD
from backstop.stress.book import read_book
from backstop.stress.scenario import Given
from backstop.stress.simulation import Outcome, simulate

from .books import HALF, random_snapshot, shocked, terms

SEEDS = range(150)
# Quote: amounts are some 10^5 at most, and sums of them in float64 are right to about 10^-10.
NEAR = 1e-6


def estimate(snapshot: Snapshot, shocks: dict[str, int], ratio: int = HALF) -> Outcome:
    book = read_book(snapshot)
    given = Given(np.array([shocks.get(name, 0) / WAD for name in snapshot.markets]))
    return simulate(book, terms(book, ratio=ratio / WAD), given)


def drawn_shocks(rng: Random, snapshot: Snapshot) -> dict[str, int]:
    """Some markets by up to a third either way, some not at all."""
    return {name: rng.randint(-33, 33) * WAD // 100 for name in snapshot.markets if rng.random() < 0.8}


@pytest.mark.parametrize("seed", SEEDS)
def test_due_and_compensation_are_those_of_the_exactly_shocked_snapshot(seed: int) -> None:
    rng = Random(seed)
    snapshot = random_snapshot(rng)
    shocks, ratio = drawn_shocks(rng, snapshot), rng.randint(10, 90) * WAD // 100
    exact = shocked(snapshot, shocks, ratio)
    result = estimate(snapshot, shocks, ratio)
    due = due_inventory(exact)

    for place, (name, market) in enumerate(exact.markets.items()):
        mine = [item for item in due if item.inventory.market == name]
        figures = result.markets
        assert figures.compensation[place, 0] == near(sum(item.compensation for item in mine))
        assert figures.contracts[place, 0] == near(sum(abs(item.inventory.size) for item in mine))
        assert figures.loss[place, 0] == near(snapshot.markets[name].pnl - market.pnl)
        assert figures.window_loss[place, 0] == near(fund.window_loss(market.max_pnl_8h, market.pnl))
        lost = {item: inventory_loss(exact, item.inventory) for item in mine}
        assert figures.given_up[place, 0] == near(sum(min(item.compensation, lost[item]) for item in mine))

    for place, pool in enumerate(exact.pools.values()):
        mine = [item for item in due if item.pool == pool.name]
        assert bool(result.pools.due_by_drawdown[place, 0]) == any(one.trigger is Trigger.DRAWDOWN for one in mine)
        assert bool(result.pools.due_by_depletion[place, 0]) == any(one.trigger is Trigger.DEPLETION for one in mine)
        assert result.pools.loss[place, 0] == near(snapshot.pools[pool.name].balance - pool.balance)


def near(amount: int) -> object:
    return pytest.approx(amount / WAD, rel=1e-9, abs=NEAR)


def inventory_loss(snapshot: Snapshot, item: Inventory) -> int:
    return fund.inventory_loss(item.size, item.entry_notional, snapshot.markets[item.market].mark_price)


def test_the_random_books_reach_every_kind_of_outcome() -> None:
    seen = {"drawdown": 0, "depletion": 0, "nothing": 0, "rest": 0}
    for seed in SEEDS:
        rng = Random(seed)
        snapshot = random_snapshot(rng)
        shocks, ratio = drawn_shocks(rng, snapshot), rng.randint(10, 90) * WAD // 100
        exact = shocked(snapshot, shocks, ratio)
        due = due_inventory(exact)
        seen["drawdown"] += any(item.trigger is Trigger.DRAWDOWN for item in due)
        seen["depletion"] += any(item.trigger is Trigger.DEPLETION for item in due)
        seen["nothing"] += len({item.pool for item in due}) < len(exact.pools)
        group = [pool.balance for pool in exact.pools.values() if pool.backing.value == "mutual"]
        seen["rest"] += any(fund.rests_as_giver(balance, group) for balance in group)
    assert min(seen.values()) >= 5, seen
