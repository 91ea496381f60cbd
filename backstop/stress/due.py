"""Which inventory is due for ADL, by draw: `backstop.adl.due` over arrays, with the same triggers and shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backstop.stress.book import DUST, Array, Book, Flags, Markets, Places
from backstop.stress.valuing import Valued


@dataclass(frozen=True, slots=True)
class Due:
    """By market, side and draw: the `compensation` that is due, and whether it is by the drawdown trigger.

    0 where nothing is due. By pool and draw: the `balance` after redistribution, and whether the pool is `depleted`.
    """

    compensation: Array
    by_drawdown: Flags
    balance: Array
    depleted: Flags


def judge(book: Book, valued: Valued) -> Due:
    """What is due in each draw."""
    markets, pools = book.markets, book.pools
    count, draws = len(pools.names), valued.change.shape[-1]
    before = pools.balance[:, np.newaxis] + by_pool(valued.change, markets.pool, count)
    balance, drawdown_counts, depletion_counts = (
        before.copy(),
        np.ones((count, draws), bool),
        np.ones((count, draws), bool),
    )
    group = pools.mutual
    if group.any():
        balance[group], drawdown_counts[group], depletion_counts[group] = _redistribute(before[group])

    base = np.maximum(0, balance + by_pool(valued.window_loss, markets.pool, count))
    wanted = np.where(drawdown_counts[markets.pool], _by_drawdown(markets, valued.window_loss, base[markets.pool]), 0)
    by_drawdown = wanted[:, np.newaxis] * _parts(valued.loss, valued.loss.sum(axis=1)[:, np.newaxis])

    lacking = np.where(depletion_counts, np.maximum(0, -balance), 0)
    lost = by_pool(valued.loss.sum(axis=1), markets.pool, count)
    by_depletion = lacking[markets.pool][:, np.newaxis] * _parts(valued.loss, lost[markets.pool][:, np.newaxis])

    compensation = np.maximum(by_drawdown, by_depletion)
    compensation[~markets.live] = 0  # it has its share, but no round could bring it
    return Due(
        compensation=compensation,
        by_drawdown=(by_drawdown >= by_depletion) & (compensation > 0),
        balance=balance,
        depleted=depletion_counts & (balance <= 0),
    )


def by_pool(amounts: Array, pool: Places, pools: int) -> Array:
    """Sums over the markets of each pool, by draw."""
    result = np.zeros((pools, amounts.shape[-1]))
    for place, amount in zip(pool, amounts, strict=True):
        result[place] += amount
    return result


def drawdown_thresholds(markets: Markets) -> Array:
    """By market: the drawdown from which a round brings anything. Nothing is due on target, whatever has started."""
    starts = np.where(markets.started, np.minimum(markets.trigger, markets.stop), markets.trigger)
    return np.maximum(starts, markets.target)


def _by_drawdown(markets: Markets, loss: Array, base: Array) -> Array:
    """What each market has to bring."""
    trigger, stop, target = (parameter[:, np.newaxis] for parameter in (markets.trigger, markets.stop, markets.target))
    due = (base > 0) & ((loss >= trigger * base) | (markets.started[:, np.newaxis] & (loss > stop * base)))
    excess = loss - target * base
    return np.where(due & (excess > DUST * loss), excess, 0)


def _redistribute(before: Array) -> tuple[Array, Flags, Flags]:
    """A mutual group: balances after redistribution, and whether the drawdown and depletion triggers count."""
    total = before.sum(axis=0)
    depleted = (total <= 0) & (before <= 0).any(axis=0)
    deficits = np.maximum(0, -before)
    given = np.maximum(0, before).sum(axis=0)
    after = np.minimum(0, before) + given * _parts(deficits, deficits.sum(axis=0))
    rests = (before >= 0) & (total <= 0) & (before < 0).any(axis=0)
    return np.where(depleted, after, before), ~rests, np.broadcast_to(depleted, before.shape)


def _parts(amounts: Array, total: Array) -> Array:
    """The part of each in the total; 0 where there is none."""
    whole = np.broadcast_to(total, amounts.shape)
    return np.divide(amounts, whole, out=np.zeros_like(amounts), where=whole > 0)
