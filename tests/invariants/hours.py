"""U2: what the fills of an hour may do to the funding index, kept from one action to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from backstop.math.wad import WAD

from . import actions
from .action_checks import settled
from .state import MarketState
from .steps import Step, Violation
from .world import MARKETS

_DUST = 3  # wei of contracts


@dataclass(slots=True)
class _Fills:
    """Of a market's hour: the largest cap of one, quote per contract, and all their caps, WAD squared."""

    most: int = 0
    together: int = 0


class Hours:
    """The hours of one sequence, by market. A cap is `floor(mark * fundingCap)` when the fill was made."""

    def __init__(self) -> None:
        self._fills = [_Fills() for _ in MARKETS]

    def hold_after(self, step: Step, counts: Counter[str]) -> Iterator[Violation]:
        """U2, of the index that is stored, and of the one that an accrual would leave."""
        for i, (before, after) in enumerate(zip(step.before.markets, step.after.markets, strict=True)):
            moved = after.funding.index - before.funding.index
            counts["U2"] += moved != 0
            yield from self._within_caps(i, moved, before)
            if after.funding.hour != before.funding.hour:
                self._fills[i] = _Fills()
        self._add(step, counts)
        for i, after in enumerate(step.after.markets):
            yield from self._within_caps(i, after.index - after.funding.index, after)
            if abs(after.funding.premium) * WAD > self._fills[i].together:
                counted = f"{after.funding.premium} of premium for {after.funding.volume} contracts"
                yield Violation("U2", f"market {i + 1} counts {counted}, at most {self._fills[i]}")

    def _add(self, step: Step, counts: Counter[str]) -> None:
        pairs: tuple[actions.Settle, ...] = ()
        match step.action:
            case actions.Settle():
                pairs = (step.action,)
            case actions.SettleBatch():
                pairs = settled(step, step.action)
        for pair in pairs:
            i = pair.maker.market - 1
            mark, cap = step.marks[i], step.before.markets[i].parameters.funding_cap
            most = mark * cap // WAD
            fills = self._fills[i]
            fills.most, fills.together = max(fills.most, most), fills.together + pair.size * most
            if cap and pair.size <= _DUST:
                counts["fills of dust"] += 1
                counts["fills of dust below a mark below 1"] += pair.maker.limit_price < mark < WAD

    def _within_caps(self, i: int, moved: int, hour: MarketState) -> Iterator[Violation]:
        fills = self._fills[i]
        if abs(moved) > fills.most:
            yield Violation("U2", f"market {i + 1}: the index moved by {moved}, the most of a fill was {fills.most}")
        averaged = max(hour.funding.volume, hour.open_interest // 100)
        if (abs(moved) - 1) * averaged > fills.together:
            filled = f"{hour.funding.volume} of {hour.open_interest} contracts were filled"
            yield Violation("U2", f"market {i + 1}: the index moved by {moved}, {filled}, at most {fills}")
