"""Accounts with several positions, a batch of draws at once.

Every account is judged in every draw; only what falls below a threshold is then looked at leg by leg.
"""

from __future__ import annotations

import numpy as np

from backstop.stress.book import Array, Book, CrossAccounts, Flags, Places
from backstop.stress.takings import Takings
from backstop.stress.terms import Terms


class CrossBook:
    """All accounts with several positions."""

    def __init__(self, book: Book, terms: Terms) -> None:
        accounts = self._accounts = book.cross
        self._maintenance = book.markets.maintenance
        self._slippage, self._fee = terms.slippage, terms.liquidation_fee
        margins = np.abs(accounts.size) * self._maintenance[accounts.market]
        # E - k*MM is cash plus these times the marks.
        self._over_taken = accounts.size - terms.backstop_ratio * margins
        self._over_margin = accounts.size - margins
        # What holds a market in which nothing can be traded is not liquidated.
        held = accounts.size != 0
        tradable = (book.markets.live[accounts.market] | ~held).all(axis=0)
        costs = ((self._slippage + self._fee)[accounts.market] * held).any(axis=0)
        self._liquidates = tradable & costs

    @property
    def cells_of_draw(self) -> int:
        """How many legs one draw has to look at."""
        return self._accounts.size.size

    def bring(self, takings: Takings, marks: Array) -> None:
        """Adds to `takings` what these accounts bring at `marks`, (market, draw)."""
        if not self._accounts.count:
            return
        taken = self._sum(self._over_taken, marks) <= 0
        self._take_over(takings, marks, taken)
        if self._liquidates.any():
            below = self._sum(self._over_margin, marks) < 0
            self._liquidate(takings, marks, below & ~taken & self._liquidates[:, np.newaxis])

    def _sum(self, factors: Array, marks: Array) -> Array:
        """`cash + sum(factor * mark)` by account and draw. Added leg by leg, so that no batch rounds differently."""
        accounts = self._accounts
        result = np.repeat(accounts.cash[:, np.newaxis], marks.shape[1], axis=1)
        for place, count in enumerate(accounts.holding):
            legs = marks[accounts.market[place, :count]]
            legs *= factors[place, :count, np.newaxis]
            result[:count] += legs
        return result

    def _take_over(self, takings: Takings, marks: Array, taken: Flags) -> None:
        """The legs pass to the pools at their bankruptcy notionals (docs/mathematics.md, "Bankruptcy")."""
        legs = _Legs(self._accounts, marks, taken)
        if not len(legs.draw):
            return
        unrealized = legs.value - legs.entry
        equity = legs.cash + legs.value.sum(axis=0)
        losses = np.maximum(0, -unrealized)
        margins = np.abs(legs.value) * self._maintenance[legs.market]
        weights = np.where((equity < 0) & (losses.sum(axis=0) > 0), losses, margins)
        weightless = weights.sum(axis=0) == 0
        weights[:, weightless] = legs.is_last[:, weightless]
        notionals = legs.value - equity * (weights / weights.sum(axis=0))
        for place in range(len(legs.size)):
            size = legs.size[place]
            side = (size < 0).astype(np.intp)
            _add(takings.contracts, (legs.market[place], side), legs.draw, np.abs(size))
            _add(takings.entry, (legs.market[place], side), legs.draw, notionals[place])

    def _liquidate(self, takings: Takings, marks: Array, liquidated: Flags) -> None:
        """Closed whole: slippage first, from the equity; fees from what is left of it; by market as they arise."""
        legs = _Legs(self._accounts, marks, liquidated)
        if not len(legs.draw):
            return
        equity = legs.cash + legs.value.sum(axis=0)
        slippage = np.abs(legs.value) * self._slippage[legs.market]
        fees = np.abs(legs.value) * self._fee[legs.market]
        lacking = _fraction(slippage.sum(axis=0) - equity, slippage.sum(axis=0))
        paid = _fraction(equity - slippage.sum(axis=0), fees.sum(axis=0))
        for place in range(len(legs.size)):
            _add(takings.overrun, (legs.market[place],), legs.draw, slippage[place] * lacking)
            _add(takings.fees, (legs.market[place],), legs.draw, fees[place] * paid)


class _Legs:
    """The legs of the accounts that are marked in a draw, as (place of the leg, marked account)."""

    def __init__(self, accounts: CrossAccounts, marks: Array, marked: Flags) -> None:
        account, self.draw = np.nonzero(marked)
        places = sum(count > 0 for count in accounts.holding)
        self.market: Places = accounts.market[:places, account]
        self.size: Array = accounts.size[:places, account]
        self.entry: Array = accounts.entry[:places, account]
        self.cash: Array = accounts.cash[account]
        self.value: Array = self.size * marks[self.market, self.draw]

    @property
    def is_last(self) -> Array:
        """1.0 at the last leg of each account, else 0: what carries everything where no leg has a weight."""
        held = self.size != 0
        after = np.vstack((held[1:], np.zeros((1, held.shape[1]), dtype=np.bool_)))
        last: Array = (held & ~after).astype(np.float64)
        return last


def _fraction(part: Array, whole: Array) -> Array:
    """`part / whole` held between 0 and 1; 0 where there is no whole."""
    return np.clip(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0), 0, 1)


def _add(target: Array, row: tuple[Places, ...], draw: Places, amounts: Array) -> None:
    """Adds amounts to rows of `target`, whose last axis is the draw, in the order in which they come."""
    place = np.ravel_multi_index((*row, draw), target.shape)
    target += np.bincount(place, weights=amounts, minlength=target.size).reshape(target.shape)
