"""The engine's queues, held against `score_sides` and `rank`, which define them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.adl.ranking import rank
from backstop.adl.scoring import score_sides
from backstop.adl.snapshot import Account, MarginMode, Position, Side, Snapshot
from backstop.errors import UnknownMarketError
from backstop.math.wad import WAD
from backstop.ranking import Queue, RankingEngine

from .books import MARKETS, SIDES, account, book, mark_of, market

SEEDS = st.integers(0, 2**32)


def assert_same(engine: RankingEngine, state: Snapshot) -> None:
    """Every side in the same order, with the same returns and the same bankrupt accounts."""
    for name in state.markets:
        for side in SIDES:
            queue, expected = engine.queue(name, side), score_sides(state, [(name, side)])[name, side]
            assert queue.accounts() == [one.account.id for one in expected.ranked]
            assert queue.leveraged_returns() == [one.leveraged_return for one in expected.ranked]
            assert queue.bankrupt == expected.bankrupt
            assert len(queue) == len(expected.ranked)


def at(state: Snapshot, marks: dict[str, int]) -> Snapshot:
    moved = {name: replace(one, mark_price=marks.get(name, one.mark_price)) for name, one in state.markets.items()}
    return replace(state, markets=moved)


@given(SEEDS, st.integers(0, 60))
def test_books_of_all_kinds(seed: int, count: int) -> None:
    state = book(Random(seed), count)
    assert_same(RankingEngine.of(state), state)


@given(SEEDS)
@settings(max_examples=30)
def test_marks_that_move(seed: int) -> None:
    draws = Random(seed)
    state = book(draws, 40)
    engine = RankingEngine.of(state)
    for _ in range(6):
        marks = {name: mark_of(draws) for name in draws.sample(MARKETS, draws.randrange(4))}
        state = at(state, marks)
        engine.move_marks(marks)
        assert_same(engine, state)


@given(SEEDS)
@settings(max_examples=30)
def test_accounts_that_change(seed: int) -> None:
    draws = Random(seed)
    state = book(draws, 30)
    engine = RankingEngine.of(state)
    for _ in range(6):
        held = {one.id: one for one in state.accounts}
        known = draws.sample(sorted(held), min(len(held), draws.randrange(6)))
        changed = [replace(account(draws, 0), id=each) for each in known]
        changed += [account(draws, draws.randrange(2**16)) for _ in range(draws.randrange(4))]
        changed = list({one.id: one for one in changed}.values())
        if changed and draws.random() < 0.5:
            changed[0] = replace(changed[0], positions=())
        state = replace(state, accounts=tuple((held | {one.id: one for one in changed}).values()))
        engine.update(changed)
        assert_same(engine, state)


def test_a_thousand_on_one_price_are_in_the_order_of_exact_integers() -> None:
    # One leverage and one price: the returns differ by what is rounded off, or not at all.
    draws = Random(3)
    accounts = tuple(
        Account(f"0x{number:04x}", MarginMode.ISOLATED, size * 9 // 7, (Position("ETH", -size, -9 * size),))
        for number, size in enumerate(draws.randrange(10**15, 10**20) for _ in range(1000))
    )
    state = Snapshot(None, {"ETH": market("ETH", 8 * WAD)}, {}, accounts)
    returns = RankingEngine.of(state).queue("ETH", "short").leveraged_returns()
    assert 1 < len(set(returns)) < 1000
    assert max(returns) - min(returns) < 1000
    assert_same(RankingEngine.of(state), state)


@pytest.fixture(scope="module")
def state() -> Snapshot:
    return book(Random(11), 600)


@pytest.fixture(scope="module")
def queue(state: Snapshot) -> Queue:
    return RankingEngine.of(state).queue("ETH", Side.LONG)


def test_places_and_lights_are_those_of_the_queue_that_traders_see(state: Snapshot, queue: Queue) -> None:
    shown = rank(state, "ETH", Side.LONG)
    assert [queue.place_of(one.account) for one in shown] == list(range(len(shown)))
    assert [queue.light(place) for place in range(len(shown))] == [one.adl_light for one in shown]
    assert queue.contracts() == [one.contracts for one in shown]
    assert queue.contracts_ahead(len(shown)) == sum(one.contracts for one in shown)


def test_candidates_are_those_of_the_definition(state: Snapshot, queue: Queue) -> None:
    expected = score_sides(state, [queue.key])[queue.key].ranked
    assert list(queue) == list(expected)
    assert queue[5:9] == list(expected[5:9])
    assert queue[-1] == expected[-1]
    with pytest.raises(IndexError):
        queue[len(queue)]


def test_who_has_no_place(queue: Queue) -> None:
    assert queue.place_of("nobody") is None
    assert all(queue.place_of(each) is None for each in queue.bankrupt)
    assert len(queue.bankrupt) > 0


def test_a_queue_stays_as_it_was_when_marks_move(state: Snapshot) -> None:
    engine = RankingEngine.of(state)
    before = engine.queue("ETH", "long")
    accounts, returns = before.accounts(), before.leveraged_returns()
    engine.move_marks({"ETH": 99 * WAD, "BTC": 61 * WAD})
    engine.queue("ETH", "long")
    engine.update([replace(one, positions=()) for one in state.accounts[:50]])
    assert (before.accounts(), before.leveraged_returns()) == (accounts, returns)
    assert [one.account.id for one in before] == accounts


def test_unknown_markets_and_sides_are_refused_and_nothing_moves(state: Snapshot) -> None:
    engine = RankingEngine.of(state)
    with pytest.raises(UnknownMarketError, match="DOGE"):
        engine.queue("DOGE", "long")
    with pytest.raises(UnknownMarketError, match="DOGE"):
        engine.move_marks({"ETH": WAD, "DOGE": WAD})
    with pytest.raises(ValueError, match="both"):
        engine.queue("ETH", "both")
    assert_same(engine, state)


def test_an_empty_book() -> None:
    engine = RankingEngine({"ETH": market("ETH", WAD)}, [])
    assert (len(engine), len(engine.queue("ETH", "long")), engine.queue("ETH", "long").bankrupt) == (0, 0, ())
