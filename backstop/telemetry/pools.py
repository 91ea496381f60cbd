"""What of a snapshot an operator watches: each pool's balance, drawdown and open deficit."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.adl.snapshot import Backing, Pool, Snapshot
from backstop.math import fund
from backstop.math.deficit import group_deficits, open_deficit


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """WAD; `drawdown` is the largest of its markets, None where there is nothing to lose. Funding not settled is left
    out of `deficit`."""

    pool: str
    balance: int
    drawdown: int | None
    deficit: int


def pool_figures(snapshot: Snapshot) -> list[PoolFigures]:
    """A line for each pool."""
    group = [pool for pool in snapshot.pools.values() if pool.backing is Backing.MUTUAL]
    losses = {pool.name: _inventory_loss(snapshot, pool) for pool in snapshot.pools.values()}
    cash = {name: snapshot.pools[name].balance + loss for name, loss in losses.items()}
    shared = group_deficits(
        [pool.balance for pool in group], [losses[pool.name] for pool in group], [cash[pool.name] for pool in group]
    )
    deficits = {pool.name: deficit for pool, deficit in zip(group, shared, strict=True)}
    return [
        PoolFigures(pool.name, pool.balance, _drawdown(snapshot, pool), deficits.get(name, open_deficit(cash[name])))
        for name, pool in snapshot.pools.items()
    ]


def _drawdown(snapshot: Snapshot, pool: Pool) -> int | None:
    markets = [market for market in snapshot.markets.values() if market.pool == pool.name]
    losses = [fund.window_loss(market.max_pnl_8h, market.pnl) for market in markets]
    base = fund.drawdown_base(pool.balance, losses)
    found = [drop for loss in losses if (drop := fund.drawdown(loss, base)) is not None]
    return max(found, default=None)


def _inventory_loss(snapshot: Snapshot, pool: Pool) -> int:
    total = 0
    for item in pool.inventory:
        market = snapshot.markets[item.market]
        mark = market.mark_price
        if not market.is_live:
            mark = fund.mark_while_dead(item.size, mark, market.maintenance_margin_fraction)
        total += fund.inventory_loss(item.size, item.entry_notional, mark)
    return total
