"""The order of a queue: leveraged return descending, then account id ascending."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from backstop.ranking.wide import Floats, Rows

# The leveraged returns of some rows: in one array, or as Python's integers where they do not fit one.
Returns: TypeAlias = "Rows | list[int]"


def in_order(rows: Rows, low: Floats, high: Floats, exact: Callable[[Rows], Returns], is_mended: bool) -> Rows:
    """The rows of a queue, first to be deleveraged first; row numbers are in the order of the accounts' ids.

    `low` and `high` bound the return of each row that there is; `exact` is asked for those whose bounds overlap.
    Where the order `is_mended`, `rows` come nearly in order, and sorting them is faster for it.
    """
    rows = rows[np.argsort(-high[rows], kind="stable" if is_mended else None)]
    highs = high[rows]
    # Two neighbours are apart where all before are above all after; nobody after is above the first of them.
    is_apart = np.minimum.accumulate(low[rows])[:-1] > highs[1:]
    edge = np.ones(1, np.bool_)
    open_places = np.flatnonzero(~(np.concatenate([edge, is_apart]) & np.concatenate([is_apart, edge])))
    # Sorted all together, those of a group come into its own places: groups are apart.
    rows[open_places] = _sorted(rows[open_places], exact)
    return rows


def _sorted(rows: Rows, exact: Callable[[Rows], Returns]) -> Rows:
    returns = exact(rows)
    try:
        falling = ~np.asarray(returns, dtype=np.int64)  # a complement cannot overflow, as a negation may
    except OverflowError:
        return rows[sorted(range(len(rows)), key=lambda place: (-returns[place], rows[place]))]
    found: Rows = rows[np.lexsort((rows, falling))]
    return found
