"""Who is closed, with how many contracts, by each policy; all at one price, so what is given up is what is needed.

The queue closes whole positions, the highest leveraged return first. Pro-rata by PnL closes of everybody who gains a
part in proportion to the gain. Risk-aware pro-rata does it in proportion to the gain times the leverage: a reading of
the weights in arXiv 2512.01112, whose own choice of them depends on data that are not published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from backstop.adl.planning import Plan, plan
from backstop.adl.snapshot import Snapshot
from backstop.errors import BackstopError
from backstop.math.wad import WAD

Floats = NDArray[np.float64]


class Policy(StrEnum):
    """A way of choosing. The text is what JSON says."""

    QUEUE = "queue"
    PRO_RATA = "proRata"
    RISK_AWARE = "riskAwareProRata"


NAMES = {
    Policy.QUEUE: "Queue by leveraged return",
    Policy.PRO_RATA: "Pro-rata by PnL",
    Policy.RISK_AWARE: "Risk-aware pro-rata",
}


@dataclass(frozen=True, slots=True)
class Holdings:
    """Accounts of one side as columns, floats: contracts held, gain (negative for a loss), equity, value at mark."""

    contracts: Floats
    gain: Floats
    equity: Floats
    value: Floats

    @classmethod
    def of(cls, snapshot: Snapshot) -> Holdings:
        """Of a snapshot with one market, each account with one position in it."""
        [mark] = [market.mark_price / WAD for market in snapshot.markets.values()]
        sizes = np.array([one.positions[0].size / WAD for one in snapshot.accounts])
        entries = np.array([one.positions[0].entry_notional / WAD for one in snapshot.accounts])
        margins = np.array([one.margin / WAD for one in snapshot.accounts])
        gain = sizes * mark - entries
        return cls(np.abs(sizes), gain, margins + gain, np.abs(sizes) * mark)


def planned(snapshot: Snapshot) -> Plan:
    """The round that is due. Raises BackstopError where there is none, or more than one."""
    found = plan(snapshot)
    if len(found) != 1:
        raise BackstopError(f"one round was expected to be due, {len(found)} are: this is a bug")
    return found[0]


def by_queue(snapshot: Snapshot) -> Floats:
    """Contracts closed of each account, in the order of the snapshot, as the contracts would."""
    places = {account.id: place for place, account in enumerate(snapshot.accounts)}
    closed = np.zeros(len(places))
    for fill in planned(snapshot).fills:
        closed[places[fill.account]] = fill.contracts / WAD
    return closed


def _by_weight(snapshot: Snapshot, weigh: Callable[[Holdings], Floats]) -> Floats:
    """By weight and at most what each holds; whoever has none comes in where the others are not enough."""
    held = Holdings.of(snapshot)
    [pool] = snapshot.pools.values()
    wanted = sum(item.size for item in pool.inventory) / WAD
    solvent = np.where(held.equity > 0, held.contracts, 0)
    closed = fill_up(wanted, np.where(held.equity > 0, weigh(held), 0), solvent)
    return closed + fill_up(wanted - closed.sum(), solvent - closed, solvent - closed)


def by_gain(snapshot: Snapshot) -> Floats:
    """Pro-rata by PnL."""
    return _by_weight(snapshot, lambda held: np.maximum(held.gain, 0))


def by_gain_and_leverage(snapshot: Snapshot) -> Floats:
    """Risk-aware pro-rata: gain times leverage (value over equity)."""
    return _by_weight(
        snapshot,
        lambda held: np.maximum(held.gain, 0) * held.value / np.where(held.equity > 0, held.equity, np.inf),
    )


def fill_up(wanted: float, weights: Floats, most: Floats) -> Floats:
    """`wanted` shared by weight, nobody above `most`: what the full cannot take is shared by the others."""
    taken: Floats = np.zeros_like(most)
    open_ = (weights > 0) & (most > 0)
    left = wanted
    while left > 0 and open_.any():
        part = np.where(open_, weights, 0)
        offered = left * part / part.sum()
        room = most - taken
        full = open_ & (offered >= room)
        if not full.any():
            taken += offered
            return taken
        left -= float(room[full].sum())
        taken[full] = most[full]
        open_ &= ~full
    return taken


ALLOCATE: dict[Policy, Callable[[Snapshot], Floats]] = {
    Policy.QUEUE: by_queue,
    Policy.PRO_RATA: by_gain,
    Policy.RISK_AWARE: by_gain_and_leverage,
}
