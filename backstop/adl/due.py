"""Which inventory is due for ADL, why, and how much each has to bring (docs/mathematics.md, "When ADL is due")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backstop.adl.snapshot import Backing, Inventory, Market, Pool, Side, Snapshot
from backstop.math import fund


class Trigger(StrEnum):
    """Why ADL is due: the market's fund fell too fast, or its pool has nothing left."""

    DRAWDOWN = "drawdown"
    DEPLETION = "depletion"


@dataclass(frozen=True, slots=True)
class Due:
    """A losing inventory and its `compensation > 0`; `drawdown` is its market's, None where there is no base. WAD."""

    pool: str
    inventory: Inventory
    trigger: Trigger
    drawdown: int | None
    compensation: int


@dataclass(frozen=True, slots=True)
class _Standing:
    """A pool as a round finds it: its balance after redistribution, and which triggers are looked at."""

    pool: Pool
    balance: int
    drawdown_counts: bool
    depletion_counts: bool


def due_inventory(snapshot: Snapshot) -> list[Due]:
    """What is due, in market order, a long inventory before a short one. There is no round where the feed is dead.

    A depleted mutual group is redistributed first, as a round does; everything is then judged from those balances.
    """
    due = [item for standing in _standings(snapshot) for item in _due_of_pool(snapshot, standing)]
    order = {name: place for place, name in enumerate(snapshot.markets)}
    return sorted(due, key=lambda item: (order[item.inventory.market], item.inventory.size < 0))


def _standings(snapshot: Snapshot) -> list[_Standing]:
    own = [pool for pool in snapshot.pools.values() if pool.backing is Backing.OWN]
    group = [pool for pool in snapshot.pools.values() if pool.backing is Backing.MUTUAL]
    before = [pool.balance for pool in group]
    depleted = fund.is_group_depleted(before)
    after = fund.redistribute(before) if depleted else before
    return [
        *(_Standing(pool, pool.balance, drawdown_counts=True, depletion_counts=True) for pool in own),
        *(
            _Standing(pool, balance, not fund.rests_as_giver(pool.balance, before), depleted)
            for pool, balance in zip(group, after, strict=True)
        ),
    ]


def _due_of_pool(snapshot: Snapshot, standing: _Standing) -> list[Due]:
    pool, balance = standing.pool, standing.balance
    markets = [market for market in snapshot.markets.values() if market.pool == pool.name]
    losses = {market.name: fund.window_loss(market.max_pnl_8h, market.pnl) for market in markets}
    base = fund.drawdown_base(balance, losses.values())
    losing = [(item, loss) for item in _in_market_order(pool, markets) if (loss := _loss(item, snapshot)) > 0]

    by_depletion = [0] * len(losing)
    if standing.depletion_counts and balance < 0:
        by_depletion = fund.share_by_loss(-balance, [loss for _, loss in losing])
    by_drawdown: list[int] = []
    for market in markets:
        compensation = _drawdown_compensation(market, losses[market.name], base) if standing.drawdown_counts else 0
        by_drawdown += fund.share_by_loss(compensation, [loss for item, loss in losing if item.market == market.name])

    return [
        Due(
            pool=pool.name,
            inventory=item,
            trigger=Trigger.DRAWDOWN if drop >= depletion else Trigger.DEPLETION,
            drawdown=fund.drawdown(losses[item.market], base),
            compensation=max(drop, depletion),
        )
        for (item, _), drop, depletion in zip(losing, by_drawdown, by_depletion, strict=True)
        # What is lost in a market without a price has its share, but no round could bring it.
        if max(drop, depletion) > 0 and snapshot.markets[item.market].is_live
    ]


def _drawdown_compensation(market: Market, loss: int, base: int) -> int:
    if not fund.is_drawdown_due(loss, base, market.trigger, market.stop, started=market.adl_active):
        return 0
    return max(0, fund.drawdown_compensation(loss, base, market.target))


def _in_market_order(pool: Pool, markets: list[Market]) -> list[Inventory]:
    held = {(item.market, Side.of(item.size)): item for item in pool.inventory}
    keys = [(market.name, side) for market in markets for side in (Side.LONG, Side.SHORT)]
    return [held[key] for key in keys if key in held]


def _loss(item: Inventory, snapshot: Snapshot) -> int:
    market = snapshot.markets[item.market]
    mark = market.mark_price
    if not market.is_live:
        mark = fund.mark_while_dead(item.size, mark, market.maintenance_margin_fraction)
    return fund.inventory_loss(item.size, item.entry_notional, mark)
