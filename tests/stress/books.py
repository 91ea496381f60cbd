"""Random books for the stress tests, and what a shock makes of them exactly, by `backstop.math`."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from backstop.adl.snapshot import (
    Account,
    Backing,
    Inventory,
    MarginMode,
    Market,
    Pool,
    PoolKind,
    Position,
    Side,
    Snapshot,
)
from backstop.math import fund
from backstop.math.margin import (
    bankruptcy_notionals,
    equity,
    is_to_be_taken_over,
    maintenance_margin,
    value_leg,
)
from backstop.math.wad import WAD
from backstop.stress.book import Book
from backstop.stress.terms import Terms

HALF = WAD // 2


def terms(book: Book, *, slippage: float = 0, fee: float = 0, ratio: float = 0.5) -> Terms:
    """The same in all markets."""
    count = len(book.markets.names)
    return Terms(ratio, np.full(count, slippage), np.full(count, fee))


def random_snapshot(rng: Random, accounts: int = 60) -> Snapshot:
    """Shared, own and mutual pools; books of every state: with inventory, in drawdown, depleted, with a dead feed."""
    kinds = [("shared", PoolKind.SHARED, Backing.OWN, rng.randint(1, 4)), ("own", PoolKind.ISOLATED, Backing.OWN, 1)]
    kinds += [(f"mutual-{place}", PoolKind.ISOLATED, Backing.MUTUAL, 1) for place in range(rng.randint(0, 3))]
    markets: dict[str, Market] = {}
    pools: dict[str, Pool] = {}
    for name, kind, backing, count in kinds:
        here = [_market(rng, f"{name}-{place}", name) for place in range(count)]
        markets |= {market.name: market for market in here}
        inventory = [
            Inventory(market.name, side.sign * size, side.sign * _times(size, price))
            for market in here
            for side in Side
            if rng.random() < 0.4
            for size, price in [(_amount(rng, 1, 300), _scaled(rng, market.mark_price, 0.85, 1.15))]
        ]
        pools[name] = Pool(name, kind, backing, _amount(rng, -2_000, 40_000), tuple(inventory))
    held = tuple(_account(rng, place, markets) for place in range(accounts))
    order = list(markets)
    rng.shuffle(order)
    return Snapshot(None, {name: markets[name] for name in order}, pools, held)


def shocked(snapshot: Snapshot, shocks: dict[str, int], backstop_ratio: int = HALF) -> Snapshot:
    """The state after relative changes (WAD) of marks and every takeover they ask for, to the wei, as if at once.

    The peak of a market's result is sampled before the takeovers and after them.
    """
    markets = {
        name: replace(market, mark_price=market.mark_price * (WAD + shocks.get(name, 0)) // WAD)
        for name, market in snapshot.markets.items()
    }
    order = {name: place for place, name in enumerate(markets)}
    held = {(item.market, item.size < 0): item for pool in snapshot.pools.values() for item in pool.inventory}
    before = {name: _result(market, snapshot.markets[name], held, held) for name, market in markets.items()}
    accounts = []
    grown = dict(held)
    for account in snapshot.accounts:
        positions = sorted(account.positions, key=lambda one: order[one.market])
        legs = [
            value_leg(
                one.size,
                one.entry_notional,
                markets[one.market].mark_price,
                markets[one.market].maintenance_margin_fraction,
            )
            for one in positions
        ]
        standing = equity(account.margin, legs)
        if not legs or not is_to_be_taken_over(standing, maintenance_margin(legs), backstop_ratio):
            accounts.append(account)
            continue
        for one, notional in zip(positions, bankruptcy_notionals(legs, standing), strict=True):
            key = one.market, one.size < 0
            old = grown.get(key, Inventory(one.market, 0, 0))
            grown[key] = Inventory(one.market, old.size + one.size, old.entry_notional + notional)
    after = {name: _result(market, snapshot.markets[name], held, grown) for name, market in markets.items()}
    return Snapshot(
        block=None,
        markets={
            name: replace(
                market, pnl=after[name], max_pnl_8h=max(market.max_pnl_8h, market.pnl, before[name], after[name])
            )
            for name, market in markets.items()
        },
        pools={
            pool.name: replace(
                pool,
                balance=pool.balance
                + sum(after[name] - market.pnl for name, market in markets.items() if market.pool == pool.name),
                inventory=tuple(item for key, item in grown.items() if markets[key[0]].pool == pool.name),
            )
            for pool in snapshot.pools.values()
        },
        accounts=tuple(accounts),
    )


Held = dict[tuple[str, bool], Inventory]


def _result(market: Market, earlier: Market, held: Held, grown: Held) -> int:
    """What `pnl` of a market becomes: the loss of what was `held` is replaced by that of what is, at its mark."""
    return earlier.pnl + _loss(earlier, held) - _loss(market, grown)


def _loss(market: Market, held: Held) -> int:
    loss = 0
    for is_short in (False, True):
        item = held.get((market.name, is_short))
        if item is not None:
            mark = market.mark_price
            if not market.is_live:
                mark = fund.mark_while_dead(item.size, mark, market.maintenance_margin_fraction)
            loss += fund.inventory_loss(item.size, item.entry_notional, mark)
    return loss


def _market(rng: Random, name: str, pool: str) -> Market:
    stop = rng.randint(5, 40) * WAD // 100
    target = stop + rng.randint(0, 20) * WAD // 100
    pnl = _amount(rng, -5_000, 5_000)
    return Market(
        name=name,
        mark_price=rng.choice((1, 20, 100, 2500)) * WAD + rng.randrange(WAD),
        maintenance_margin_fraction=rng.randint(5, 80) * WAD // 1000,
        pool=pool,
        trigger=target + rng.randint(0, 20) * WAD // 100,
        stop=stop,
        target=target,
        adl_active=rng.random() < 0.4,
        pnl=pnl,
        max_pnl_8h=pnl + rng.choice((0, _amount(rng, 0, 4_000))),
        is_live=rng.random() < 0.85,
    )


def _account(rng: Random, place: int, markets: dict[str, Market]) -> Account:
    first = rng.choice(list(markets))
    alike = [name for name, market in markets.items() if market.pool == markets[first].pool]
    count = rng.randint(1, len(alike))
    names = rng.sample(alike, count) if rng.random() < 0.97 else []
    positions = []
    notional = 0
    for name in names:
        mark = markets[name].mark_price
        size = _amount(rng, 500, 30_000) * WAD // mark * rng.choice((1, -1))
        positions.append(Position(name, size, _times(size, _scaled(rng, mark, 0.9, 1.1))))
        notional += abs(_times(size, mark))
    margin = notional * rng.randint(-2, 250) // 1000
    mode = MarginMode.CROSS if count > 1 else MarginMode.ISOLATED
    return Account(f"account-{place:03d}", mode, margin, tuple(positions))


def _amount(rng: Random, low: int, high: int) -> int:
    return rng.randint(low * WAD, high * WAD)


def _scaled(rng: Random, amount: int, low: float, high: float) -> int:
    return amount * rng.randint(int(low * 10**6), int(high * 10**6)) // 10**6


def _times(size: int, price: int) -> int:
    return size * price // WAD
