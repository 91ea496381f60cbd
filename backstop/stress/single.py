"""Accounts with one position, all draws at once.

Such an account has the equity `E = cash + size * mark` and the notional `N = |size| * mark`, so `E <= k * N` holds on
one side of one mark. Sorted by that mark, with running sums of contracts and cash, any number of accounts costs a draw
one binary search: what an account brings is linear in the mark, and so is the sum over all that are beyond theirs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backstop.stress.book import SIGNS, Array, Book
from backstop.stress.takings import Takings
from backstop.stress.terms import Terms


class _Sums(NamedTuple):
    """Contracts (unsigned) and cash of a set of accounts, by draw."""

    contracts: Array
    cash: Array

    def without(self, part: _Sums) -> _Sums:
        """Of the set without a part of it."""
        return _Sums(self.contracts - part.contracts, self.cash - part.cash)


class _Below:
    """The accounts of one side of a market with `E <= k * N` at a mark; `strictly`: with `E < k * N`."""

    def __init__(self, sign: float, contracts: Array, cash: Array, k: float, *, strictly: bool = False) -> None:
        # E - k*N = cash + slope * contracts * mark; all accounts of the side have the same slope.
        slope = sign - k
        self._turn = -1.0 if slope > 0 else 1.0  # a falling mark brings these accounts in: turned, all marks rise
        if slope:
            keys = self._turn * -cash / (slope * contracts)
        else:
            keys = np.where(cash < 0 if strictly else cash <= 0, -np.inf, np.inf)
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._contracts = np.concatenate(([0.0], np.cumsum(contracts[order])))
        self._cash = np.concatenate(([0.0], np.cumsum(cash[order])))
        self._strictly = strictly

    def at(self, mark: Array) -> _Sums:
        """Their sums at each mark."""
        count = np.searchsorted(self._keys, self._turn * mark, side="left" if self._strictly else "right")
        return _Sums(self._contracts[count], self._cash[count])


class _SideAccounts:
    """The single positions on one side of a market."""

    def __init__(self, book: Book, terms: Terms, market: int, side: int) -> None:
        here = (book.single.market == market) & (book.single.side == side)
        contracts, cash = book.single.contracts[here], book.single.cash[here]
        sign = float(SIGNS[side])
        maintenance = float(book.markets.maintenance[market])
        taken = terms.backstop_ratio * maintenance
        self.market, self.side, self._sign = market, side, sign
        self.is_empty = not len(cash)
        self._slippage, self._fee = float(terms.slippage[market]), float(terms.liquidation_fee[market])
        self._taken = _Below(sign, contracts, cash, taken)
        # Where nothing can be traded nobody is liquidated.
        self._liquidates = bool(book.markets.live[market]) and (self._slippage > 0 or self._fee > 0)
        if self._liquidates:
            # Of those between takeover and MM, up to here the equity does not pay the slippage, and then not all fees.
            unpaid = min(max(self._slippage, taken), maintenance)
            short = min(max(self._slippage + self._fee, taken), maintenance)
            self._unpaid, self._short, self._liquidated = (
                _Below(sign, contracts, cash, k, strictly=k > taken) for k in (unpaid, short, maintenance)
            )

    def bring(self, takings: Takings, mark: Array) -> None:
        """Adds what these accounts bring at each mark."""
        taken = self._taken.at(mark)
        takings.contracts[self.market, self.side] += taken.contracts
        # The bankruptcy notional of an only leg is -cash, whether its equity is above or below zero.
        takings.entry[self.market, self.side] -= taken.cash
        if not self._liquidates:
            return
        unpaid = self._unpaid.at(mark)
        short = self._short.at(mark)
        lacking = unpaid.without(taken)
        partial = short.without(unpaid)
        paying = self._liquidated.at(mark).without(short)
        # slippage * N - E, E - slippage * N, and fee * N, each summed; sums of nobody are exactly 0.
        takings.overrun[self.market] += self._beyond_equity(lacking, mark)
        takings.fees[self.market] += self._fee * paying.contracts * mark - self._beyond_equity(partial, mark)

    def _beyond_equity(self, sums: _Sums, mark: Array) -> Array:
        return (self._slippage - self._sign) * sums.contracts * mark - sums.cash


class SingleBook:
    """All accounts with one position, sorted once for all draws."""

    def __init__(self, book: Book, terms: Terms) -> None:
        sides = (
            _SideAccounts(book, terms, market, side) for market in range(len(book.markets.names)) for side in (0, 1)
        )
        self._sides = [side for side in sides if not side.is_empty]

    def bring(self, takings: Takings, marks: Array) -> None:
        """Adds to `takings` what these accounts bring at `marks`, (market, draw)."""
        for side in self._sides:
            side.bring(takings, marks[side.market])
