"""Inventory, drawdown and compensation of an insurance pool (docs/mathematics.md, "The pool" and "When ADL is due").

All amounts are WAD. An inventory has a signed `size` and the `entry_notional` at which it was inherited, its
bankruptcy notional, so its bankruptcy price is `entry_notional / size`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backstop.math.wad import WAD, div_ceil, div_floor


class AdlPrice(NamedTuple):
    """`execution` prices the fills, `adl` is the same held within the bankruptcy price: what is shown and judged by."""

    execution: int
    adl: int


def inventory_loss(size: int, entry_notional: int, mark: int) -> int:
    """`max(0, entryNotional - floor(size * mark))`: a gain counts nothing until it is closed."""
    return max(0, entry_notional - size * mark // WAD)


def mark_while_dead(size: int, mark: int, maintenance_margin_fraction: int) -> int:
    """What the fund values an inventory of signed `size` at while its market's feed is dead.

    The last accepted `mark`, moved by the maintenance margin fraction against the pool; the move is rounded down.
    """
    move = mark * maintenance_margin_fraction // WAD
    return mark - move if size > 0 else mark + move


def window_loss(max_pnl: int, pnl: int) -> int:
    """`max8h(pnl) - pnl` with the present among the samples: never negative."""
    return max(max_pnl, pnl) - pnl


def drawdown_base(balance: int, losses: Iterable[int]) -> int:
    """`max(0, balance + sum of loss over the pool's markets)`: its peak, stakes and exits taken out."""
    return max(0, balance + sum(losses))


def drawdown(loss: int, base: int) -> int | None:
    """`loss / base`, floored, to show; None where there is no base. No threshold is judged by it."""
    return loss * WAD // base if base > 0 else None


def is_drawdown_due(loss: int, base: int, trigger: int, stop: int, *, started: bool) -> bool:
    """Whether the drawdown trigger is on: from `trigger` upward, and above `stop` where ADL had started."""
    if base <= 0:
        return False
    return loss * WAD >= trigger * base or (started and loss * WAD > stop * base)


def drawdown_compensation(loss: int, base: int, target: int) -> int:
    """`loss - floor(target * base)`: what lands the market on `target`. Not positive where it is there already."""
    return loss - target * base // WAD


def is_sale_depleting(balance_before: int, balance_after: int) -> bool:
    """Whether a sale of inventory would leave its pool below zero, and worse than before."""
    return balance_after < min(0, balance_before)


def is_sale_raising(loss_before: int, loss_after: int, base_after: int, *, is_due: bool) -> bool:
    """Whether a sale of inventory would raise its market's loss of the window and leave its drawdown due."""
    return loss_after > loss_before and (base_after == 0 or is_due)


def share_by_loss(compensation: int, losses: Sequence[int]) -> list[int]:
    """`compensation >= 0` over losing inventory by loss, each share rounded down, the remainder to the last.

    `losses` are positive, in market order, long before short.
    """
    if not losses:
        return []
    total = sum(losses)
    shares = [compensation * loss // total for loss in losses]
    shares[-1] += compensation - sum(shares)
    return shares


def is_group_depleted(balances: Sequence[int]) -> bool:
    """Whether a mutual group cannot carry its depleted members: one is at or below zero, and so is the sum."""
    return sum(balances) <= 0 and any(balance <= 0 for balance in balances)


def surplus_and_deficit(balances: Iterable[int]) -> tuple[int, int]:
    """What members of a group have above zero, and what others lack."""
    balances = list(balances)
    return sum(max(0, balance) for balance in balances), sum(max(0, -balance) for balance in balances)


def redistribute(balances: Sequence[int]) -> list[int]:
    """The balances of a depleted group after its positive ones are given to the deficits, pro rata.

    Every giver ends at 0. Gifts are rounded down, the remainder goes to the last member with a deficit.
    """
    given, deficit = surplus_and_deficit(balances)
    after = [min(balance, 0) + (given * max(-balance, 0) // deficit if deficit else 0) for balance in balances]
    if deficit:
        last = max(i for i, balance in enumerate(balances) if balance < 0)
        after[last] += sum(balances) - sum(after)
    return after


def rests_as_giver(balance: int, group: Sequence[int]) -> bool:
    """Whether a mutual pool's drawdown trigger rests: it gives, or has just given, all it has, and that is too little.

    A giver stands at 0 after the redistribution, so 0 counts: who calls it first must not decide what is due. Where the
    sum is 0 everybody stands there, and nobody rests.
    """
    return balance >= 0 and sum(group) < 0


def adl_price(size: int, entry_notional: int, mark: int, compensation: int) -> AdlPrice:
    """The price of a round over a losing inventory: from the mark toward the pool, never beyond its bankruptcy price.

    `compensation > 0` is capped by the loss; the step is rounded toward the pool, the bankruptcy price toward the mark.
    """
    step = div_ceil(min(compensation, inventory_loss(size, entry_notional, mark)) * WAD, abs(size))
    if size > 0:
        execution = mark + step
        return AdlPrice(execution, min(execution, div_floor(entry_notional * WAD, size)))
    execution = mark - step
    return AdlPrice(execution, max(execution, div_ceil(entry_notional * WAD, size)))
