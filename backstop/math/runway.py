"""How far a market's mark may move before its pool's inventory makes ADL due (docs/fund.md, "Runway").

One mark moves and the others hold. Inventory counts as the fund counts it: at mark where that loses, and at its
bankruptcy price where it would gain. The present result counts as a sample of the window, which the next checkpoint
makes it. Amounts and prices are WAD integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from backstop.math import fund

_HIGHEST = 2**128  # a mark beyond it is none


@dataclass(frozen=True, slots=True)
class Footing:
    """Where a market's backing stands at `mark`, and what does not move with it.

    `long` and `short` are the pool's inventories, signed size and entry notional, zeros where there is none. `result`
    is the market's present one for its pool (`pnl`), `peak` its largest of eight hours. `balance` is the pool's,
    `other_losses` what its other markets have lost in the window. `others` are the balances of the other members of its
    mutual group, None for a pool that stands on its own; `place` is its own place among them. `trigger` and `stop` are
    fractions, `started` tells whether the latter counts, and `loses_elsewhere` whether other inventory of the pool
    loses.
    """

    mark: int
    long: tuple[int, int]
    short: tuple[int, int]
    result: int
    peak: int
    balance: int
    other_losses: int
    trigger: int
    stop: int
    started: bool
    loses_elsewhere: bool = False
    others: tuple[int, ...] | None = None
    place: int = 0


class Runway(NamedTuple):
    """The nearest marks on one side of the present one at which ADL is due by drawdown, and by depletion.

    The present mark where it is due already, None where no mark on that side brings it.
    """

    drawdown: int | None
    depletion: int | None


class _At(NamedTuple):
    """The pool at some mark: the market's loss of the window, and the balances of its group, its own among them."""

    loss: int
    balance: int
    group: tuple[int, ...]
    backed: int


def runway(footing: Footing, *, up: bool) -> Runway:
    """How far the mark may rise (`up`) or fall; without inventory no mark does anything."""
    if not (footing.long[0] or footing.short[0]):
        return Runway(None, None)
    return Runway(_nearest(footing, is_drawdown_due, up=up), _nearest(footing, is_depletion_due, up=up))


def is_drawdown_due(footing: Footing, mark: int) -> bool:
    """Whether ADL is due by drawdown in the market at another mark."""
    at = _at(footing, mark)
    if fund.rests_as_giver(at.balance, at.group):
        return False
    base = fund.drawdown_base(at.backed, (at.loss, footing.other_losses))
    return fund.is_drawdown_due(at.loss, base, footing.trigger, footing.stop, started=footing.started)


def is_depletion_due(footing: Footing, mark: int) -> bool:
    """Whether its pool is below zero there, its group cannot carry it where it has one, and there is what to close."""
    at = _at(footing, mark)
    loses = footing.loses_elsewhere or _losses(footing, mark) > 0
    return loses and at.backed < 0 and sum(at.group) <= 0


def _losses(footing: Footing, mark: int) -> int:
    return sum(fund.inventory_loss(size, entry, mark) for size, entry in (footing.long, footing.short) if size)


def _at(footing: Footing, mark: int) -> _At:
    more = _losses(footing, mark) - _losses(footing, footing.mark)
    result = footing.result - more
    loss = fund.window_loss(footing.peak, result)
    balance = footing.balance - more
    if footing.others is None:
        return _At(loss, balance, (balance,), balance)
    group = (*footing.others[: footing.place], balance, *footing.others[footing.place :])
    backed = fund.redistribute(group)[footing.place] if sum(group) <= 0 else balance
    return _At(loss, balance, group, backed)


def _nearest(footing: Footing, is_due: Callable[[Footing, int], bool], *, up: bool) -> int | None:
    """The mark nearest to the present one at which it is due, on one side of it.

    Between two turns it is due from some mark on outward, or not at all.
    """
    if is_due(footing, footing.mark):
        return footing.mark
    near = footing.mark
    for turn in _turns(footing, up=up):
        # A turn may be where it begins; the mark before it still belongs to what is nearer.
        for far in (turn - 1 if up else turn + 1, turn):
            if (far - near) * (1 if up else -1) <= 0:
                continue
            if is_due(footing, far):
                return _first(lambda mark: is_due(footing, mark), near, far)
            near = far
    return None


def _turns(footing: Footing, *, up: bool) -> Iterable[int]:
    """Marks on one side, going outward, where what is due may change its course, and the last one that there is.

    They are where the group as a whole is at zero and below it, and where the pool itself is below.
    """
    end = _HIGHEST if up else 1
    conditions: list[Callable[[int], bool]] = [
        lambda mark: _at(footing, mark).balance < 0,
        lambda mark: sum(_at(footing, mark).group) <= 0,
        lambda mark: sum(_at(footing, mark).group) < 0,
    ]
    found = [
        _first(condition, footing.mark, end)
        for condition in conditions
        if not condition(footing.mark) and condition(end)
    ]
    return [*sorted(found, reverse=not up), end]


def _first(condition: Callable[[int], bool], near: int, far: int) -> int:
    """The mark nearest to `near`, where the condition does not hold, at which it does; it does at `far`."""
    while abs(far - near) > 1:
        middle = (near + far) // 2
        near, far = (near, middle) if condition(middle) else (middle, far)
    return far
