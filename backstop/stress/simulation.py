"""A book through a scenario: batches of draws in, one row of figures for every draw out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backstop.cluster import Map, here
from backstop.stress.book import Array, Book, Flags, Places
from backstop.stress.cross import CrossBook
from backstop.stress.due import Due, by_pool, drawdown_thresholds, judge
from backstop.stress.scenario import Scenario
from backstop.stress.single import SingleBook
from backstop.stress.takings import Takings
from backstop.stress.terms import Terms
from backstop.stress.valuing import Valued, value_pools

# Legs times draws of a batch: about 8 MB an array, and some twenty of them at once.
BATCH_CELLS = 2**20


@dataclass(frozen=True, slots=True)
class MarketOutcome:
    """By market and draw. Quote amounts, but `contracts`: those of the losing inventory that ADL would close.

    `loss` of the pool through this market since the snapshot, negative for a gain;
    `window_loss`, how far the market's result is below its largest of 8 hours; `taken`, the notional at mark that was
    taken over; `notional` of `contracts` at mark; `compensation` that is due, and `given_up`, what counterparties lose
    of it against mark.
    """

    loss: Array
    window_loss: Array
    taken: Array
    contracts: Array
    notional: Array
    compensation: Array
    given_up: Array


@dataclass(frozen=True, slots=True)
class PoolOutcome:
    """By pool and draw. Quote amounts, but `drawdown`: the largest of its markets, 0 where there is no base.

    `balance` is after the shock and after redistribution, `loss` is before it; `largest_loss` is the largest window
    loss of its markets, that of which `drawdown` tells. `without_adl` is the balance that the pool would have needed
    for no drawdown round to be due. `depleted`, and whether a round is due by either trigger.
    """

    balance: Array
    loss: Array
    largest_loss: Array
    drawdown: Array
    without_adl: Array
    depleted: Flags
    due_by_drawdown: Flags
    due_by_depletion: Flags


@dataclass(frozen=True, slots=True)
class Outcome:
    """What every draw came to."""

    markets: MarketOutcome
    pools: PoolOutcome

    @property
    def draws(self) -> int:
        """How many."""
        return self.pools.loss.shape[-1]


def simulate(
    book: Book,
    terms: Terms,
    scenario: Scenario,
    *,
    batch: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    run: Map = here,
) -> Outcome:
    """All draws of the scenario, `batch` at a time, where `run` says; the result depends on neither.

    The marks are drawn here, one stream for all of them, and handed out. `progress` is told after each batch how many
    draws it had. Memory is bounded by the batches under way, and by about 80 bytes for each draw of each market and
    pool.
    """
    part = _Part(book, terms)
    cells = part.cells_of_draw + 8 * len(book.markets.names) + 8
    size = batch or max(1, BATCH_CELLS // cells)
    markets: dict[str, NDArray[Any]] = {}
    pools: dict[str, NDArray[Any]] = {}
    done = 0
    for of_markets, of_pools in run(part, scenario.marks(book.markets.mark, size)):
        _store(markets, of_markets, done, scenario.draws)
        _store(pools, of_pools, done, scenario.draws)
        had = of_pools.loss.shape[-1]
        done += had
        progress(had)
    return Outcome(MarketOutcome(**markets), PoolOutcome(**pools))


class _Part:
    """A batch of draws, wherever it runs: marks by market and draw in, outcomes out."""

    def __init__(self, book: Book, terms: Terms) -> None:
        self._book, self._terms = book, terms
        self._single, self._cross = SingleBook(book, terms), CrossBook(book, terms)

    @property
    def cells_of_draw(self) -> int:
        """Legs and legs alone of one draw."""
        return self._cross.cells_of_draw

    def __call__(self, marks: Array) -> tuple[MarketOutcome, PoolOutcome]:
        takings = Takings.none(*marks.shape)
        self._single.bring(takings, marks)
        self._cross.bring(takings, marks)
        valued = value_pools(self._book, self._terms, takings, marks)
        due = judge(self._book, valued)
        return _market_outcome(marks, takings, valued, due), _pool_outcome(self._book, valued, due)


def _market_outcome(marks: Array, takings: Takings, valued: Valued, due: Due) -> MarketOutcome:
    is_due = due.compensation > 0
    contracts = np.where(is_due, valued.contracts, 0).sum(axis=1)
    # ADL saves the slippage: counterparties bear what is lacking beyond it, and at most what is lost at mark.
    given_up = np.clip(due.compensation - valued.slippage, 0, valued.loss - valued.slippage)
    return MarketOutcome(
        loss=0 - valued.change,
        window_loss=valued.window_loss,
        taken=takings.contracts.sum(axis=1) * marks,
        contracts=contracts,
        notional=contracts * marks,
        compensation=due.compensation.sum(axis=1),
        given_up=given_up.sum(axis=1),
    )


def _pool_outcome(book: Book, valued: Valued, due: Due) -> PoolOutcome:
    pool, count = book.markets.pool, len(book.pools.names)
    loss = 0 - by_pool(valued.change, pool, count)
    window_loss = by_pool(valued.window_loss, pool, count)
    base = np.maximum(0, due.balance + window_loss)
    largest = _largest(valued.window_loss, pool, count)
    is_due = due.compensation > 0
    return PoolOutcome(
        balance=due.balance,
        loss=loss,
        largest_loss=largest,
        drawdown=np.divide(largest, base, out=np.zeros_like(base), where=base > 0),
        without_adl=np.maximum(0, _base_without_adl(book, valued) + loss - window_loss),
        depleted=due.depleted,
        due_by_drawdown=by_pool((is_due & due.by_drawdown).sum(axis=1).astype(np.float64), pool, count) > 0,
        due_by_depletion=by_pool((is_due & ~due.by_drawdown).sum(axis=1).astype(np.float64), pool, count) > 0,
    )


def _base_without_adl(book: Book, valued: Valued) -> Array:
    """By pool and draw: the base above which no market with losing inventory is at its trigger."""
    markets = book.markets
    losing = (valued.loss > 0).any(axis=1) & markets.live[:, np.newaxis]
    loss = np.where(losing, valued.window_loss, 0)
    threshold = np.broadcast_to(drawdown_thresholds(markets)[:, np.newaxis], loss.shape)
    base = np.full(loss.shape, np.inf)
    np.divide(loss, threshold, out=base, where=threshold > 0)
    return _largest(np.where(loss > 0, base, 0), markets.pool, len(book.pools.names))


def _largest(amounts: Array, pool: Places, pools: int) -> Array:
    """The largest among the markets of each pool, at least 0."""
    result = np.zeros((pools, amounts.shape[-1]))
    for place, amount in zip(pool, amounts, strict=True):
        np.maximum(result[place], amount, out=result[place])
    return result


def _store(target: dict[str, NDArray[Any]], part: MarketOutcome | PoolOutcome, start: int, draws: int) -> None:
    """Puts a batch into the arrays of all draws, which the first batch makes."""
    for field in fields(part):
        amounts: NDArray[Any] = getattr(part, field.name)
        if field.name not in target:
            target[field.name] = np.empty((*amounts.shape[:-1], draws), amounts.dtype)
        target[field.name][..., start : start + amounts.shape[-1]] = amounts
