"""The mark at which a market's ADL becomes due (docs/mathematics.md, "When ADL is due"): a pure function of a snapshot.

One mark moves, everything else holds: the other marks, the windows, the accounts. So **takeovers on the way are not
counted**: whoever goes bankrupt before the mark gets there leaves the pool with more to lose, and ADL comes sooner.
Nor does time pass, by which old results leave the window. Prices are WAD integers and exact: ADL is due at the mark
that is told, and one wei nearer to the present mark it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from backstop.adl.due import Trigger, due_inventory
from backstop.adl.snapshot import Backing, Inventory, Pool, Snapshot
from backstop.errors import UnknownMarketError
from backstop.math.fund import inventory_loss
from backstop.math.wad import WAD

_HIGHEST = 2**128  # a mark beyond it is none


@dataclass(frozen=True, slots=True)
class TriggerPrice:
    """The nearest mark on one side at which ADL is due in a market, WAD, and why; the present one where it is already.

    `move` is by which part the mark moves to it: WAD, signed, rounded down.
    """

    price: int
    trigger: Trigger
    move: int


@dataclass(frozen=True, slots=True)
class TriggerPrices:
    """The first trigger price as the mark falls, and the first as it rises; None where no mark on that side is one."""

    down: TriggerPrice | None
    up: TriggerPrice | None


def trigger_prices(snapshot: Snapshot, market: str) -> TriggerPrices:
    """How near ADL is in a market, on both sides of its mark. Raises UnknownMarketError.

    None on both sides where its feed is dead, which stops rounds, and in a closed market, whose mark does not move,
    unless ADL is due there now. Where a market's long and short inventory lose at once, the wei by which both are
    rounded may make it due a little nearer too.
    """
    if market not in snapshot.markets:
        raise UnknownMarketError(market, list(snapshot.markets))
    ground = _ground_of(snapshot, market)
    return TriggerPrices(_nearest(ground, market, 1), _nearest(ground, market, _HIGHEST))


def trigger_at(snapshot: Snapshot, market: str, mark: int) -> Trigger | None:
    """Why ADL would be due in a market with its mark at `mark`; None where it would not be."""
    due = [item for item in due_inventory(at_mark(snapshot, market, mark)) if item.inventory.market == market]
    return due[0].trigger if due else None


def at_mark(snapshot: Snapshot, market: str, mark: int) -> Snapshot:
    """The snapshot with one mark moved: the market's result and its pool's balance move with the inventory losses.

    The present result stays a sample of the eight hours, as the next checkpoint makes it.
    """
    here = snapshot.markets[market]
    pool = snapshot.pools[here.pool]
    more = _losses(pool, market, mark) - _losses(pool, market, here.mark_price)
    moved = replace(here, mark_price=mark, pnl=here.pnl - more, max_pnl_8h=max(here.max_pnl_8h, here.pnl - more))
    return replace(
        snapshot,
        markets={**snapshot.markets, market: moved},
        pools={**snapshot.pools, pool.name: replace(pool, balance=pool.balance - more)},
    )


def _ground_of(snapshot: Snapshot, market: str) -> Snapshot:
    """What decides on it: the pool, the others of its mutual group, and their markets."""
    own = snapshot.pools[snapshot.markets[market].pool]
    pools = {
        name: pool
        for name, pool in snapshot.pools.items()
        if pool is own or (own.backing is Backing.MUTUAL and pool.backing is Backing.MUTUAL)
    }
    markets = {name: one for name, one in snapshot.markets.items() if one.pool in pools}
    return Snapshot(snapshot.block, markets, pools, ())


def _nearest(ground: Snapshot, market: str, end: int) -> TriggerPrice | None:
    """The mark nearest to the present one, on the way to `end`, at which ADL is due.

    Between two turns the losses of the inventory rise or fall throughout. Where they rise it is due from some mark on,
    or not at all; where they fall nothing begins to be due.
    """
    here = ground.markets[market]
    start = here.mark_price
    is_due = partial(_is_due, ground, market)
    if is_due(start):
        return _told(ground, market, start)
    if here.is_live and not here.is_closed and (start < _HIGHEST or end < start):
        for near, far in pairwise(_turns(ground, market, end)):
            if is_due(far):
                return _told(ground, market, _first(is_due, near, far))
    return None


def _is_due(ground: Snapshot, market: str, mark: int) -> bool:
    return trigger_at(ground, market, mark) is not None


def _told(ground: Snapshot, market: str, price: int) -> TriggerPrice | None:
    start, trigger = ground.markets[market].mark_price, trigger_at(ground, market, price)
    return None if trigger is None else TriggerPrice(price, trigger, (price - start) * WAD // start)


def _turns(ground: Snapshot, market: str, end: int) -> list[int]:
    """Marks from the present one to `end`, going outward, at which the course of what is due may change.

    An inventory begins or ceases to lose; of a mutual group also where the pool itself, or the group as a whole, comes
    to zero or below it. Each turn stands beside the mark before it, which belongs to what is nearer.
    """
    pool = ground.pools[ground.markets[market].pool]
    marks = [ground.markets[market].mark_price, end]
    for item in _inventory(pool, market):
        marks = _cut(marks, partial(_loses, item))
    if pool.backing is Backing.MUTUAL:
        for is_so in (_is_below, _has_nothing, _is_group_below):
            marks = _cut(marks, partial(is_so, ground, market))
    return marks


def _loses(item: Inventory, mark: int) -> bool:
    return inventory_loss(item.size, item.entry_notional, mark) > 0


def _is_below(ground: Snapshot, market: str, mark: int) -> bool:
    return at_mark(ground, market, mark).pools[ground.markets[market].pool].balance < 0


def _has_nothing(ground: Snapshot, market: str, mark: int) -> bool:
    return _group_balance(ground, market, mark) <= 0


def _is_group_below(ground: Snapshot, market: str, mark: int) -> bool:
    return _group_balance(ground, market, mark) < 0


def _group_balance(ground: Snapshot, market: str, mark: int) -> int:
    return sum(pool.balance for pool in at_mark(ground, market, mark).pools.values())


def _cut(marks: Sequence[int], is_so: Callable[[int], bool]) -> list[int]:
    """The marks, and those between them at which a condition changes, each with the mark before it."""
    found = list(marks[:1])
    for near, far in pairwise(marks):
        before = is_so(near)
        if is_so(far) != before:
            turn = _first(partial(_differs, is_so, before), near, far)
            found += [turn - 1 if far > near else turn + 1, turn]
        found.append(far)
    return list(dict.fromkeys(found))


def _differs(is_so: Callable[[int], bool], before: bool, mark: int) -> bool:
    return is_so(mark) != before


def _first(condition: Callable[[int], bool], near: int, far: int) -> int:
    """The mark nearest to `near`, where the condition does not hold, at which it does; it does at `far`."""
    while abs(far - near) > 1:
        middle = (near + far) // 2
        near, far = (near, middle) if condition(middle) else (middle, far)
    return far


def _losses(pool: Pool, market: str, mark: int) -> int:
    return sum(inventory_loss(item.size, item.entry_notional, mark) for item in _inventory(pool, market))


def _inventory(pool: Pool, market: str) -> list[Inventory]:
    return [item for item in pool.inventory if item.market == market]
