"""What rounds cost by how many they close, and what none of them could do without.

All rounds over a crowd start from one and the same state, to which the chain is set back after each: what two of them
differ by is what their lists differ by. Each closes everybody on its list whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ape import chain, project

from backstop.math.wad import WAD
from scripts.stage.crowd import gas_of
from scripts.stage.gas_crowds import Crowd, cross_crowd, isolated_crowd
from scripts.stage.venue import Venue

CROWD = 1000
IN_ONE_CALL = 500
LEGS = 4
_ISOLATED, _CROSS = (1, 10, 100, 500), (1, 20, 60)
_MILDER = Decimal(94)  # at this mark a round takes half as much for a contract as at the crowd's own
_SEED = 20_261_122


def measure_rounds(venue: Venue) -> dict[str, Any]:
    """Rounds over isolated accounts and over cross accounts, as they are and where something makes them dearer."""
    crowd = isolated_crowd(venue, "bench-crowd", [20 + i for i in range(CROWD)])
    isolated = _costs(venue, crowd, _ISOLATED)
    gas: dict[str, Any] = {
        "deleverage": isolated,
        "marginal": {"100": _marginal(isolated, 10, 100), "500": _marginal(isolated, 100, 500)},
        "marginalFrom10To500": _marginal(isolated, 10, 500),
        "thousand": _finish(venue, crowd),
        "dearer": _dearer(venue, crowd, 10, 100),
    }
    gas["dearer"]["unordered"] = _marginal(_costs(venue, crowd, (10, 100), shuffled=True), 10, 100)
    crowd = cross_crowd(venue, "bench-herd", [40 + i for i in range(_CROSS[-1] + 1)], LEGS)
    gas["deleverageCross"] = _costs(venue, crowd, _CROSS)
    gas["marginalCross"] = _marginal(gas["deleverageCross"], 20, 60)
    gas["dearerCross"] = _dearer(venue, crowd, 20, 60)
    return gas


def measure_floor(venue: Venue) -> int:
    """Two cold slots rewritten and an event of three words, per counterparty; calldata that names it comes on top."""
    floor = venue.owner.deploy(project.RoundFloor)
    few, many = 10, 100
    floor.close(many, sender=venue.owner)  # from now on no slot is zero
    costs = {size: floor.close(size, sender=venue.owner).gas_used for size in (few, many)}
    return _marginal(costs, few, many)


def _dearer(venue: Venue, crowd: Crowd, few: int, many: int) -> dict[str, int]:
    """The marginal cost where each has funding to pay, after another round, and after one that took twice as much."""

    def one_round() -> None:
        _round(venue, crowd, crowd.accounts[:1])

    def harsher_round() -> None:
        one_round()
        venue.set_price(crowd.market, _MILDER)

    def after(prepare: Callable[[], None], first: int) -> int:
        with chain.isolate():
            prepare()
            return _marginal(_costs(venue, crowd, (few, many), first=first), few, many)

    return {
        "fundingDue": after(venue.next_hour, 0),
        "afterRound": after(one_round, 1),
        "afterHarsherRound": after(harsher_round, 1),
    }


def _costs(
    venue: Venue, crowd: Crowd, sizes: tuple[int, ...], *, first: int = 0, shuffled: bool = False
) -> dict[int, int]:
    """Gas of rounds of these sizes over those from the `first` in rank, each from the present state."""
    costs = {}
    for size in sizes:
        listed = crowd.accounts[first : first + size]
        with chain.isolate():
            costs[size] = _round(venue, crowd, random.Random(_SEED).sample(listed, size) if shuffled else listed)
    return costs


def _finish(venue: Venue, crowd: Crowd) -> dict[str, int]:
    """The whole crowd, in calls that each have half a block's gas; `send_all` gives them no more."""
    starts = range(0, CROWD, IN_ONE_CALL)
    with chain.isolate():
        used = [_round(venue, crowd, crowd.accounts[start : start + IN_ONE_CALL]) for start in starts]
        if crowd.inventory(venue) != 0:
            raise RuntimeError(f"{crowd.inventory(venue)} of the inventory is left: this is a bug")
    return {"calls": len(used), "largest": max(used), "total": sum(used)}


def _round(venue: Venue, crowd: Crowd, listed: list[bytes]) -> int:
    before = crowd.inventory(venue)
    used = gas_of(venue, crowd.round_call(venue, listed))
    closed = before - crowd.inventory(venue)
    if closed != len(listed) * WAD:
        raise RuntimeError(f"a round over {len(listed)} contracts closed {closed} in WAD: this is a bug")
    return used


def _marginal(costs: dict[int, int], few: int, many: int) -> int:
    """What each of those that `many` has over `few` adds, rounded up."""
    return -(-(costs[many] - costs[few]) // (many - few))
