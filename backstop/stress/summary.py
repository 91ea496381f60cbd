"""What the draws say of each pool: quantiles, shares of the draws, and how large the fund would have to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backstop.stress.book import Array, Book
from backstop.stress.due import by_pool
from backstop.stress.simulation import Outcome

# In thousandths of the draws.
LEVELS = (500, 900, 950, 990, 999)
FUND_LEVELS = (990, 999)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the draws: its mean, its quantiles at `LEVELS`, and its largest value."""

    expected: float
    quantiles: tuple[float, ...]
    worst: float


@dataclass(frozen=True, slots=True)
class FundSize:
    """Today's balance that would bear `FUND_LEVELS` of the draws, in quote; `today` is the share that today's bears.

    A size is infinite where no balance would.
    """

    sizes: tuple[float, ...]
    today: float


@dataclass(frozen=True, slots=True)
class MarketSummary:
    """A market: what it costs its pool, what is taken over, and what ADL would close of it. `due` is a share."""

    name: str
    due: float
    loss: Spread
    window_loss: Spread
    taken: Spread
    adl_contracts: Spread
    adl_notional: Spread
    compensation: Spread
    given_up: Spread


@dataclass(frozen=True, slots=True)
class PoolSummary:
    """A pool. `balance` is today's, in quote; `due`, its two parts and `depleted` are shares of the draws."""

    name: str
    mutual: bool
    balance: float
    due: float
    due_by_drawdown: float
    due_by_depletion: float
    depleted: float
    loss: Spread
    drawdown: Spread
    adl_notional: Spread
    compensation: Spread
    given_up: Spread
    without_adl: FundSize
    not_depleted: FundSize
    markets: tuple[MarketSummary, ...]


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """The mutual group as a whole: its members back each other, so it is depleted as one."""

    members: tuple[str, ...]
    balance: float
    depleted: float
    loss: Spread
    not_depleted: FundSize


@dataclass(frozen=True, slots=True)
class Summary:
    """All pools in the order of the snapshot, and the mutual group where there is one."""

    draws: int
    pools: tuple[PoolSummary, ...]
    group: GroupSummary | None


def summarize(book: Book, outcome: Outcome) -> Summary:
    """The figures of every pool and market."""
    pools = tuple(_pool(book, outcome, place) for place in range(len(book.pools.names)))
    return Summary(outcome.draws, pools, _group(book, outcome) if book.pools.mutual.any() else None)


def quantile(ascending: Array, level: int) -> float:
    """The least value that `level` thousandths of the draws do not exceed: one of them, nothing is interpolated."""
    return float(ascending[-(-level * len(ascending) // 1000) - 1])


def _pool(book: Book, outcome: Outcome, place: int) -> PoolSummary:
    pools, markets = outcome.pools, outcome.markets
    here = [market for market, pool in enumerate(book.markets.pool) if pool == place]
    balance = float(book.pools.balance[place])
    total = {
        name: by_pool(getattr(markets, name), book.markets.pool, len(book.pools.names))[place]
        for name in ("notional", "compensation", "given_up")
    }
    return PoolSummary(
        name=book.pools.names[place],
        mutual=bool(book.pools.mutual[place]),
        balance=balance,
        due=_share(pools.due_by_drawdown[place] | pools.due_by_depletion[place]),
        due_by_drawdown=_share(pools.due_by_drawdown[place]),
        due_by_depletion=_share(pools.due_by_depletion[place]),
        depleted=_share(pools.depleted[place]),
        loss=spread(pools.loss[place]),
        drawdown=spread(pools.drawdown[place]),
        adl_notional=spread(total["notional"]),
        compensation=spread(total["compensation"]),
        given_up=spread(total["given_up"]),
        without_adl=_fund_size(pools.without_adl[place], 1 - _share(pools.due_by_drawdown[place])),
        not_depleted=_fund_size(pools.loss[place], _share(pools.loss[place] < balance)),
        markets=tuple(_market(book, outcome, market) for market in here),
    )


def _market(book: Book, outcome: Outcome, place: int) -> MarketSummary:
    markets = outcome.markets
    return MarketSummary(
        name=book.markets.names[place],
        due=_share(markets.compensation[place] > 0),
        loss=spread(markets.loss[place]),
        window_loss=spread(markets.window_loss[place]),
        taken=spread(markets.taken[place]),
        adl_contracts=spread(markets.contracts[place]),
        adl_notional=spread(markets.notional[place]),
        compensation=spread(markets.compensation[place]),
        given_up=spread(markets.given_up[place]),
    )


def _group(book: Book, outcome: Outcome) -> GroupSummary:
    members = book.pools.mutual
    balance = float(book.pools.balance[members].sum())
    loss = outcome.pools.loss[members].sum(axis=0)
    return GroupSummary(
        members=tuple(name for name, mutual in zip(book.pools.names, members, strict=True) if mutual),
        balance=balance,
        depleted=_share(outcome.pools.depleted[members].any(axis=0)),
        loss=spread(loss),
        not_depleted=_fund_size(loss, _share(loss < balance)),
    )


def spread(amounts: Array) -> Spread:
    """The figures of one row of draws."""
    ascending = np.sort(amounts)
    return Spread(
        expected=float(amounts.mean()),
        quantiles=tuple(quantile(ascending, level) for level in LEVELS),
        worst=float(ascending[-1]),
    )


def _fund_size(needed: Array, today: float) -> FundSize:
    ascending = np.sort(needed)
    return FundSize(tuple(max(0.0, quantile(ascending, level)) for level in FUND_LEVELS), today)


def _share(flags: Sequence[bool] | Array) -> float:
    return float(np.mean(flags))
