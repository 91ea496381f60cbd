"""What the pools hold and have lost after a batch of draws (docs/mathematics.md, "The pool")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backstop.stress.book import DUST, SIGNS, Array, Book, Markets
from backstop.stress.takings import Takings
from backstop.stress.terms import Terms


@dataclass(frozen=True, slots=True)
class Valued:
    """Quote amounts by draw. `contracts`, `loss` and `slippage` are the inventories', by market and side.

    `loss` is an inventory's loss at mark, above zero or 0, together with the `slippage` that unwinding what came in
    would cost beyond what it has gained. By market: `change` of its result since the snapshot, and `window_loss`, how
    far the result is below its largest of 8 hours.
    """

    contracts: Array
    loss: Array
    slippage: Array
    change: Array
    window_loss: Array


def value_pools(book: Book, terms: Terms, takings: Takings, marks: Array) -> Valued:
    """The inventories at `marks`, (market, draw), with what came in, and the results of the markets."""
    markets = book.markets
    held, entry = markets.held[:, :, np.newaxis], markets.entry[:, :, np.newaxis]
    now = _losses(held, entry, _values(markets, markets.mark[:, np.newaxis]))
    values = _values(markets, marks)
    revalued = _losses(held, entry, values)
    contracts = held + takings.contracts
    unwinding = takings.contracts * marks[:, np.newaxis] * terms.slippage[:, np.newaxis, np.newaxis]
    at_mark = _losses(contracts, entry + takings.entry, values)
    loss = _losses(contracts, entry + takings.entry + unwinding, values)

    change = takings.fees - takings.overrun - (loss - now).sum(axis=1)
    before = -(revalued - now).sum(axis=1)
    # The contracts sample the result at the new mark before they book the first takeover, and after the last.
    headroom = np.maximum(markets.peak - markets.pnl, 0)[:, np.newaxis]
    window_loss = np.maximum(headroom, np.maximum(before, change)) - change
    return Valued(contracts, loss, loss - at_mark, change, window_loss)


def _values(markets: Markets, marks: Array) -> Array:
    """What a contract is worth to a pool, signed, by side: where the feed is dead, moved by MMF against the pool."""
    moved = np.where(markets.live, 0.0, markets.maintenance)
    factors = SIGNS - moved[:, np.newaxis]
    values: Array = factors[:, :, np.newaxis] * marks[:, np.newaxis]
    return values


def _losses(contracts: Array, entry: Array, values: Array) -> Array:
    value = contracts * values
    loss = entry - value
    return np.where(loss > DUST * np.abs(value), loss, 0.0)
