"""How high many accounts may rise at most, in doubles: enough to leave most of them out of what is asked exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from backstop.ranking.bounds import Amounts, bound
from backstop.ranking.wide import Floats


def ceilings(
    positions: Sequence[tuple[int, int, int, int]], marks: Iterable[int], maintenance_margin_fraction: int
) -> Floats:
    """For each account what its leveraged return is not above at any of the marks; infinite where that is not sure.

    A position is its size and entry notional, and what its account has and needs but for it. WAD; the bounds are wei.
    """
    columns = np.array([[float(amount) for amount in row] for row in positions], np.float64).reshape(-1, 4).T
    amounts = Amounts(*(np.ascontiguousarray(column) for column in columns))
    highest = np.full(len(positions), -np.inf)
    for mark in marks:
        found = bound(amounts, mark, maintenance_margin_fraction)
        highest = np.maximum(highest, np.where(found.ranked, found.high, np.inf))
    return highest
