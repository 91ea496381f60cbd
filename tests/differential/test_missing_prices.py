"""Feeds that fall silent: what there is stands at the last accepted price, with the reason, and all else is exact."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from backstop.adl.due import due_inventory
from backstop.adl.planning import plan
from backstop.adl.snapshot import Side
from backstop.chain.bindings import WITHDRAW, Function
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
    price_is_gone(stage, name)
    others = [other for other in stage.model.books if other != name]
    for other in others:
        stage.set_mark(other, stage.model.books[other].mark)


def price_is_gone(stage: Stage, name: str) -> None:
    """From now on the pool's inventory is valued with a haircut of `mmf`."""
    book = stage.model.books[name]
    book.haircut = book.mark * book.maintenance // WAD


def read(stage: Stage) -> ChainState:
    """The state of the latest block."""
    return read_chain(stage.world.endpoint, stage.world.deployment)


def terms(stage: Stage, name: str, side: Side) -> Any:
    """What the contract says."""
    market = stage.model.books[name].id
    return stage.world.endpoint.call(stage.world.deployment.fund, FUND_ADL_TERMS, market, SIDES.index(side))


def refusal_of_terms(stage: Stage, name: str, side: Side) -> str | None:
    """Why the contract has no terms, None where it says that nothing is due."""
    try:
        found = terms(stage, name, side)
    except RevertError as refusal:
        return str(refusal)
    assert (found[0], found[4]) == (0, 0)
    return None


def assert_exact(stage: Stage, state: ChainState) -> None:
    """What the snapshot holds is what the model and the contract say; a dead feed's market stands at its last price."""
    whole = stage.model.snapshot(state.block)
    assert list(state.snapshot.markets) == list(stage.model.books)
    assert state.snapshot == whole
    assert state.left_out == {}
    due = {(item.inventory.market, Side.of(item.inventory.size)): item for item in due_inventory(state.snapshot)}
    for name in state.snapshot.markets:
        for side in SIDES:
            item = due.get((name, side))
            if name in state.unpriced:
                # No round is planned there; one that would be due is refused for want of a price.
                assert item is None
                reason = state.unpriced[name].replace("FeedSilent(3)", "execution reverted")
                is_due = stage.model.terms(name, side, state.block.timestamp).trigger is not Trigger.NONE
                assert refusal_of_terms(stage, name, side) == (reason if is_due else None)
                continue
            found = terms(stage, name, side)
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


def test_sibling_with_a_loss_of_the_window_counts_as_before(stage: Stage) -> None:
    """Its loss is part of the base, with or without a price: there is no inventory to value."""
    ruin(stage, "DOGE-USD", 70 * WAD)
    stage.check()
    stage.planned_round(plan(stage.state.snapshot)[0])
    ruin(stage, "BTC-USD", 72 * WAD)
    let_go_stale(stage, "DOGE-USD")
    state = read(stage)
    assert set(state.unpriced) == {"DOGE-USD"}
    assert_exact(stage, state)
    (planned,) = (item for item in plan(state.snapshot) if item.market == "BTC-USD")
    stage.state = state
    stage.planned_round(planned)


@pytest.mark.parametrize("mark", [72, 50], ids=["drawdown", "depletion"])
def test_sibling_s_inventory_is_valued_at_the_last_price_moved_by_mmf(mark: int, stage: Stage) -> None:
    """Against the pool: 5 % of 70 on 250 contracts. What falls to the priced market by depletion is shared by that."""
    ruin(stage, "DOGE-USD", 70 * WAD)
    if mark == 50:
        stage.set_bounds("BTC-USD", *[9 * WAD // 10] * 3)
    before = stage.model.standing("BTC-USD", stage.now).balance
    ruin(stage, "BTC-USD", mark * WAD)
    let_go_stale(stage, "DOGE-USD")
    assert stage.model.books["DOGE-USD"].haircut == 7 * WAD // 2
    state = read(stage)
    assert set(state.unpriced) == {"DOGE-USD"}
    gap = (100 - mark) * 250 * WAD - 3_000 * WAD
    assert state.snapshot.pools["majors"].balance == before - gap - 875 * WAD
    assert_exact(stage, state)
    (planned,) = (item for item in plan(state.snapshot) if item.market == "BTC-USD")
    assert planned.trigger == ("drawdown" if mark == 72 else "depletion")
    stage.state = state
    stage.planned_round(planned)


def test_ruined_account_is_taken_over_at_the_last_price(stage: Stage) -> None:
    """Without a price the takeover does not wait; trades do."""
    stage.set_mark("DOGE-USD", 70 * WAD)
    long, short, *_ = stage.world.traders
    # Looked at once, so that the exchange has accepted it.
    stage.deposit("DOGE-USD", long, 1)
    stage.withdraw("DOGE-USD", stage.account_of(short, "DOGE-USD"), 1)
    let_go_stale(stage, "DOGE-USD")
    stage.take_over("DOGE-USD", stage.account_of(long, "DOGE-USD"))
    state = read(stage)
    assert set(state.unpriced) == {"DOGE-USD"}
    assert_exact(stage, state)
    data = WITHDRAW.encode(stage.account_of(short, "DOGE-USD"), 1, short.address)
    refusal = stage.world.clock.refusal(short.address, stage.world.deployment.exchange, data, stage.now)
    assert refusal is not None
    assert refusal.startswith("PriceStale(3, ")


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
    price_is_gone(stage, "DOGE-USD")
    state = read(stage)
    assert state.unpriced == {"DOGE-USD": "FeedSilent(3)"}
    assert_exact(stage, state)


def test_market_that_never_had_a_price_is_left_out_alone(owner: Any) -> None:
    """Nothing is there to be valued: its pool's other market is shown."""
    world = build(owner)
    stage = Stage(world, Random("never"), Counter())
    stage.contribute("majors", None, 10_000 * WAD // TOKEN)
    world.endpoint.request("anvil_setCode", world.listings["DOGE-USD"].feed, SILENT)
    state = read(stage)
    assert state.left_out == {"DOGE-USD": "FeedSilent(3)"}
    assert state.unpriced == {}
    assert list(state.snapshot.markets) == ["ETH-USD", "BTC-USD"]
    assert state.snapshot.pools["majors"].balance == 10_000 * WAD
    assert state.tokens_held == state.claims
