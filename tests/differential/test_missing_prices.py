"""Feeds that fall silent: what can't be valued is left out with its reason, and what is left is still exact."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from backstop.adl.due import due_inventory
from backstop.adl.planning import plan
from backstop.adl.snapshot import Side
from backstop.chain.bindings import Function
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import RevertError
from backstop.math.wad import WAD

from .model import SIDES, Trigger
from .stage import TOKEN, Stage
from .views import FUND_ADL_TERMS
from .world import World, build

SET_FEED = Function("setFeed(uint16,address,uint32,uint96,uint96)")
HEARTBEAT = 60
SILENT = "0x5f5ffd"  # code that reverts and says nothing
SIBLINGS = ("BTC-USD", "DOGE-USD")


@pytest.fixture(scope="module")
def world(owner: Any) -> World:
    """A system of its own."""
    return build(owner)


@pytest.fixture
def stage(world: World) -> Stage:
    """Two markets of one pool, each with a long and a short of 250 at 100, on 3,000 each; the pool has 10,000."""
    stage = Stage(world, Random("prices"), Counter())
    stage.contribute("majors", None, 10_000 * WAD // TOKEN)
    long, short, *_ = world.traders
    for name in (*SIBLINGS, "ETH-USD"):
        stage.set_mark(name, 100 * WAD)
        for trader in (long, short):
            stage.deposit(name, trader, 3_000 * WAD // TOKEN)
        stage.trade(name, stage.account_of(short, name), stage.account_of(long, name), 250 * WAD, 100 * WAD)
    return stage


def ruin(stage: Stage, name: str, mark: int) -> None:
    """The market falls to `mark`, and its pool takes the long over."""
    stage.set_mark(name, mark)
    stage.take_over(name, stage.account_of(stage.world.traders[0], name))


def let_go_stale(stage: Stage, name: str) -> None:
    """A shorter heartbeat, and time; the other feeds go on."""
    listing = stage.world.listings[name]
    data = SET_FEED.encode(listing.id, listing.feed, HEARTBEAT, 1, 2**96 - 1)
    stage.world.clock.send(stage.world.owner, stage.world.deployment.price_feed, data, at=stage.now)
    stage.now += HEARTBEAT + 1
    others = [other for other in stage.model.books if other != name]
    for other in others:
        stage.set_mark(other, stage.model.books[other].mark)


def read(stage: Stage) -> ChainState:
    """The state of the latest block."""
    return read_chain(stage.world.endpoint, stage.world.deployment)


def terms(stage: Stage, name: str, side: Side) -> Any:
    """What the contract says."""
    market = stage.model.books[name].id
    return stage.world.endpoint.call(stage.world.deployment.fund, FUND_ADL_TERMS, market, SIDES.index(side))


def assert_exact(stage: Stage, state: ChainState) -> None:
    """What the snapshot holds is what the model and the contract say; for everything else there is a reason."""
    whole = stage.model.snapshot(state.block)
    assert set(state.snapshot.markets) | set(state.unpriced) == set(stage.model.books)
    assert not set(state.snapshot.markets) & set(state.unpriced)
    for name, market in state.snapshot.markets.items():
        assert market == whole.markets[name]
        assert state.snapshot.pools[market.pool] == whole.pools[market.pool]
    due = {(item.inventory.market, Side.of(item.inventory.size)): item for item in due_inventory(state.snapshot)}
    for name in state.snapshot.markets:
        for side in SIDES:
            found = terms(stage, name, side)
            item = due.get((name, side))
            assert (found[0], found[4]) == ((0, 0) if item is None else (Trigger[item.trigger.name], item.compensation))
    assert state.tokens_held == state.claims
    assert set(state.sums_of_sizes.values()) == {0}


def test_sibling_without_inventory_or_loss_costs_nothing(stage: Stage) -> None:
    ruin(stage, "BTC-USD", 72 * WAD)
    let_go_stale(stage, "DOGE-USD")
    state = read(stage)
    assert set(state.unpriced) == {"DOGE-USD"}
    assert state.unpriced["DOGE-USD"].startswith("PriceStale(3, ")
    assert_exact(stage, state)
    (planned,) = plan(state.snapshot)
    assert (planned.market, planned.drawdown) == ("BTC-USD", 4 * WAD // 10)
    stage.state = state
    stage.planned_round(planned)


def test_sibling_with_a_loss_of_the_window_takes_the_pool_along(stage: Stage) -> None:
    """Its loss is part of the base, so without it the drawdown of the others would be shown too high."""
    ruin(stage, "DOGE-USD", 70 * WAD)
    stage.check()
    stage.planned_round(plan(stage.state.snapshot)[0])
    ruin(stage, "BTC-USD", 72 * WAD)
    let_go_stale(stage, "DOGE-USD")
    state = read(stage)
    assert set(state.unpriced) == set(SIBLINGS)
    assert all(reason.startswith("PriceStale(3, ") for reason in state.unpriced.values())
    assert set(state.snapshot.pools) == {"eth"}
    assert_exact(stage, state)


def test_sibling_with_inventory_takes_the_pool_along(stage: Stage) -> None:
    """There the contract has no answer either."""
    ruin(stage, "DOGE-USD", 70 * WAD)
    ruin(stage, "BTC-USD", 72 * WAD)
    let_go_stale(stage, "DOGE-USD")
    state = read(stage)
    assert set(state.unpriced) == set(SIBLINGS)
    assert_exact(stage, state)
    with pytest.raises(RevertError, match=r"PriceStale\(3, "):
        terms(stage, "BTC-USD", Side.LONG)


def test_market_with_a_pool_of_its_own_concerns_nobody_else(stage: Stage) -> None:
    ruin(stage, "BTC-USD", 72 * WAD)
    let_go_stale(stage, "ETH-USD")
    state = read(stage)
    assert set(state.unpriced) == {"ETH-USD"}
    assert set(state.snapshot.pools) == {"eth", "majors"}
    assert_exact(stage, state)


@pytest.mark.parametrize("inventory", [False, True], ids=["no inventory", "inventory"])
def test_feed_that_reverts_without_a_word_is_no_price_of_zero(inventory: bool, stage: Stage) -> None:
    """Its accounts are not valued at nothing: nobody is taken over for it."""
    if inventory:
        ruin(stage, "DOGE-USD", 70 * WAD)
    stage.world.endpoint.request("anvil_setCode", stage.world.listings["DOGE-USD"].feed, SILENT)
    state = read(stage)
    assert set(state.unpriced) == (set(SIBLINGS) if inventory else {"DOGE-USD"})
    assert set(state.unpriced.values()) == {"no revert data"}
    assert_exact(stage, state)
