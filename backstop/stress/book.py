"""A snapshot as arrays: what the simulation needs of markets, pools and accounts, in float64 instead of WAD.

`Array` is float64, `Flags` bool, `Places` indices. Markets are numbered in market order, sides 0 for long and 1 for
short; "by draw" means that the last axis of an array runs over draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backstop.adl.snapshot import Account, Backing, Snapshot
from backstop.math.wad import WAD

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

# What is less than this part of the amounts that it is the difference of is nothing: a leg that passes at mark, or a
# drawdown that stands on target, would else be a loss or a round by the last bit of a float.
DUST = 1e-10

SIGNS: Array = np.array([1.0, -1.0])  # of a size, by side


@dataclass(frozen=True, slots=True)
class Markets:
    """The markets in market order. Prices and results in quote, the rest fractions; `pool` is the place of its pool.

    `held` and `entry` are the pool's inventories as (market, side): contracts unsigned, entry notional with the sign of
    the size times that of its price. `pnl` is today's result less inventory losses, `peak` its largest of 8 hours.
    """

    names: tuple[str, ...]
    mark: Array
    maintenance: Array
    trigger: Array
    stop: Array
    target: Array
    started: Flags
    live: Flags
    pnl: Array
    peak: Array
    pool: Places
    held: Array
    entry: Array


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools, in the order of the snapshot. `balance` is today's, after inventory losses, in quote."""

    names: tuple[str, ...]
    balance: Array
    mutual: Flags


@dataclass(frozen=True, slots=True)
class SingleAccounts:
    """The accounts with one position, by account: its market, side, contracts (unsigned) and the account's cash.

    `cash` is `margin - entryNotional` in quote, so that the equity is `cash + size * mark`.
    """

    market: Places
    side: Places
    contracts: Array
    cash: Array


@dataclass(frozen=True, slots=True)
class CrossAccounts:
    """The accounts with several positions, those with the most first, as (place of the leg, account).

    Legs are in market order; a missing one has size 0 and stands at the end. `holding[k]` is how many accounts have a
    leg at place k: they are the first so many. `size` is signed, `cash` is `margin - sum(entryNotional)`.
    """

    market: Places
    size: Array
    entry: Array
    cash: Array
    holding: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many accounts."""
        return len(self.cash)


@dataclass(frozen=True, slots=True)
class Book:
    """All of a snapshot that a shock of the marks can change."""

    markets: Markets
    pools: Pools
    single: SingleAccounts
    cross: CrossAccounts

    @property
    def is_empty(self) -> bool:
        """Whether no account has a position and no pool an inventory: then no shock can cost anything."""
        return not (len(self.single.cash) or self.cross.count or self.markets.held.any())


def read_book(snapshot: Snapshot) -> Book:
    """The arrays of a snapshot."""
    places = {name: place for place, name in enumerate(snapshot.markets)}
    single = [account for account in snapshot.accounts if len(account.positions) == 1]
    cross = sorted(
        (account for account in snapshot.accounts if len(account.positions) > 1),
        key=lambda account: -len(account.positions),
    )
    return Book(_markets(snapshot, places), _pools(snapshot), _single(single, places), _cross(cross, places))


def _markets(snapshot: Snapshot, places: dict[str, int]) -> Markets:
    markets = list(snapshot.markets.values())
    pools = {name: place for place, name in enumerate(snapshot.pools)}
    held, entry = np.zeros((len(markets), 2)), np.zeros((len(markets), 2))
    for pool in snapshot.pools.values():
        for item in pool.inventory:
            key = places[item.market], int(item.size < 0)
            held[key], entry[key] = abs(item.size) / WAD, item.entry_notional / WAD
    return Markets(
        names=tuple(places),
        mark=_amounts([market.mark_price for market in markets]),
        maintenance=_amounts([market.maintenance_margin_fraction for market in markets]),
        trigger=_amounts([market.trigger for market in markets]),
        stop=_amounts([market.stop for market in markets]),
        target=_amounts([market.target for market in markets]),
        started=np.array([market.adl_active for market in markets], dtype=np.bool_),
        live=np.array([market.is_live for market in markets], dtype=np.bool_),
        pnl=_amounts([market.pnl for market in markets]),
        peak=_amounts([market.max_pnl_8h for market in markets]),
        pool=np.array([pools[market.pool] for market in markets], dtype=np.intp),
        held=held,
        entry=entry,
    )


def _pools(snapshot: Snapshot) -> Pools:
    pools = snapshot.pools.values()
    return Pools(
        names=tuple(snapshot.pools),
        balance=_amounts([pool.balance for pool in pools]),
        mutual=np.array([pool.backing is Backing.MUTUAL for pool in pools], dtype=np.bool_),
    )


def _single(accounts: list[Account], places: dict[str, int]) -> SingleAccounts:
    legs = [account.positions[0] for account in accounts]
    return SingleAccounts(
        market=np.array([places[leg.market] for leg in legs], dtype=np.intp),
        side=np.array([leg.size < 0 for leg in legs], dtype=np.intp),
        contracts=_amounts([abs(leg.size) for leg in legs]),
        cash=_amounts([account.margin - leg.entry_notional for account, leg in zip(accounts, legs, strict=True)]),
    )


def _cross(accounts: list[Account], places: dict[str, int]) -> CrossAccounts:
    most = max((len(account.positions) for account in accounts), default=0)
    market = np.zeros((most, len(accounts)), dtype=np.intp)
    size, entry = np.zeros((most, len(accounts))), np.zeros((most, len(accounts)))
    for column, account in enumerate(accounts):
        for place, leg in enumerate(sorted(account.positions, key=lambda leg: places[leg.market])):
            market[place, column] = places[leg.market]
            size[place, column], entry[place, column] = leg.size / WAD, leg.entry_notional / WAD
    cash = [account.margin - sum(leg.entry_notional for leg in account.positions) for account in accounts]
    holding = tuple(int(np.count_nonzero(row)) for row in size)
    return CrossAccounts(market, size, entry, _amounts(cash), holding)


def _amounts(amounts: list[int]) -> Array:
    """WAD integers as the nearest floats."""
    return np.array([amount / WAD for amount in amounts], dtype=np.float64)
