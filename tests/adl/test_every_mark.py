"""The mark at which ADL becomes due, against every mark there is: small books in whole wei, looked at one by one."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from backstop.adl.snapshot import Backing, Inventory, Market, Pool, PoolKind, Snapshot
from backstop.adl.trigger_price import at_mark, trigger_at, trigger_prices
from backstop.math.wad import WAD

HERE = "E"
TOP = 150  # no inventory has an entry beyond 60, and three contracts lose what any pool has within 60 more
# A book in which one inventory ceases to lose before the other begins to make it due.
RARE = 628


def book(seed: int) -> Snapshot:
    """Up to three markets of whole contracts at up to 60 wei: in one pool, each in its own, or in a group."""
    chance = Random(seed)
    names = [HERE, "A", "Z"][: chance.choice([1, 2, 2, 3])]
    chance.shuffle(names)
    is_group = chance.choice([True, True, False])
    is_shared = not is_group and len(names) > 1 and chance.random() < 0.5
    markets: dict[str, Market] = {}
    inventory: dict[str, list[Inventory]] = {}
    for name in names:
        trigger = chance.randint(1, 9) * WAD // 10
        stop = min(chance.randint(1, 9) * WAD // 10, trigger)
        result = chance.randint(-30, 30)
        markets[name] = Market(
            name=name,
            mark_price=chance.randint(1, 60),
            maintenance_margin_fraction=WAD // 20,
            pool="all" if is_shared else name,
            trigger=trigger,
            stop=stop,
            target=chance.choice([stop, trigger, (stop + trigger) // 2]),
            adl_active=chance.random() < 0.5,
            pnl=result,
            max_pnl_8h=result + chance.choice([0, 0, chance.randint(0, 40)]),
        )
        sides = [(1,), (-1,), (1, -1)] if name == HERE else [(1,), (-1,), (1, -1), ()]
        sizes = [side * chance.randint(1, 3) for side in chance.choice(sides)]
        inventory[name] = [Inventory(name, size * WAD, size * chance.randint(1, 60)) for size in sizes]
    if is_shared:
        whole = tuple(item for name in names for item in inventory[name])
        return Snapshot(None, markets, {"all": Pool("all", PoolKind.SHARED, Backing.OWN, balance(chance), whole)}, ())
    pools = {}
    for name in names:
        backing = Backing.MUTUAL if is_group and chance.random() < 0.85 else Backing.OWN
        pools[name] = Pool(name, PoolKind.ISOLATED, backing, balance(chance), tuple(inventory[name]))
    return Snapshot(None, markets, pools, ())


def balance(chance: Random) -> int:
    """Of a pool, in wei."""
    return chance.randint(-40, 60)


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_it_is_the_nearest_of_all_marks(first: int) -> None:
    for seed in range(first, first + 50):
        assert_nearest(seed)


def test_a_book_in_which_a_turn_counts() -> None:
    assert_nearest(RARE)


def assert_nearest(seed: int) -> None:
    state = book(seed)
    start = state.markets[HERE].mark_price
    found = trigger_prices(state, HERE)
    for one, marks in ((found.down, range(start, 0, -1)), (found.up, range(start, TOP))):
        nearest = next((mark for mark in marks if trigger_at(state, HERE, mark)), None)
        told = one.price if one is not None and one.price < TOP else None
        assert told == nearest, seed


def test_a_mark_moves_the_losses_of_its_own_market_alone() -> None:
    """Long two from 90 elsewhere in the pool lose nothing where this mark falls; two here would lose 80."""
    here = Market(HERE, 100, WAD // 20, "all", WAD // 3, WAD // 4, WAD // 4, adl_active=False, pnl=0, max_pnl_8h=0)
    markets = {HERE: here, "A": replace(here, name="A")}
    for name, balance_then in (("A", 1000), (HERE, 920)):
        held = (Inventory(name, 2 * WAD, 180),)
        state = Snapshot(None, markets, {"all": Pool("all", PoolKind.SHARED, Backing.OWN, 1000, held)}, ())
        assert at_mark(state, HERE, 50).pools["all"].balance == balance_then
