"""Draws answers of the feeds, and the passing of time."""

from __future__ import annotations

from backstop.math.wad import WAD

from . import actions
from .draws import Draws
from .machine import Machine
from .world import MARKETS, MAX_PRICE, MIN_PRICE

HOUR = 3600


class Prices(Draws):
    """Moves and gaps, mostly to where an account or a pool is in trouble."""

    def price(self, machine: Machine) -> actions.Action:
        """A small move, a gap, a price at which an account is in trouble, or back to an earlier one."""
        kinds = ("small", "liquidate", "take over", "bankrupt", "pool", "gap", "back")
        drawn = self.rng.choices(kinds, (25, 22, 8, 8, 20, 12, 12))[0]
        market = self._stock(machine.state)[0] if drawn == "pool" else self._market()
        return actions.Answer(self._trader(), self._soon(), ((market, self._answer(machine, market, drawn)),))

    def refresh(self, machine: Machine) -> actions.Answer:
        """The same answers again, or nearly, for every market."""
        answers = tuple((spec.id, self._moved(spec.id, self.history[spec.id][-1], 0.002)) for spec in MARKETS)
        return actions.Answer(self._trader(), self._soon(), answers)

    def warp(self, machine: Machine) -> actions.Action:
        """Minutes or hours later; the feeds have moved on, or some of them have not."""
        after = self.rng.choice(
            (self.rng.randrange(60, 900), self.rng.randrange(900, HOUR), self.rng.randrange(HOUR, 9 * HOUR))
        )
        chosen = [spec.id for spec in MARKETS if self._chance(0.9)] or [self.focus]
        answers = tuple((market, self._moved(market, self.history[market][-1], 0.01)) for market in chosen)
        return actions.Answer(self._trader(), after, answers)

    def bad_price(self, machine: Machine) -> actions.Action:
        """Old, from the future, unfinished, not positive, or out of bounds."""
        market, answer = self._market(), self.history[self.focus][-1]
        answer, ago, complete = self.rng.choice(
            (
                (answer, HOUR + 1, True),
                (answer, HOUR, True),
                (answer, -1, True),
                (answer, 0, False),
                (0, 0, True),
                (-answer, 0, True),
                (2**200, 0, True),
                (2**255 - 1, 0, True),
                (MAX_PRICE // MARKETS[market - 1].scale + 1, 0, True),
            )
        )
        return actions.BadAnswer(self._trader(), self._soon(), market, answer, ago, complete)

    def _answer(self, machine: Machine, market: int, drawn: str) -> int:
        history, spec = self.history[market], MARKETS[market - 1]
        last = history[-1]
        answer = last
        if drawn in ("liquidate", "take over", "bankrupt"):
            answer = self._aimed_at_account(machine, market, drawn) // spec.scale or last
        elif drawn == "pool":
            answer = self._aimed_at_pool(machine, market) // spec.scale or last
        elif drawn == "back":
            answer = self.rng.choice(history[-4:])
        if drawn == "gap":
            answer = self._moved(market, last, self.rng.choice((0.05, 0.15, 0.4)))
        elif drawn == "small" or answer == last:
            answer = self._moved(market, last, 0.01)
        if not spec.answer // 8 < answer < spec.answer * 8:
            answer = spec.answer
        history.append(answer)
        return answer

    def _aimed_at_pool(self, machine: Machine, market: int) -> int:
        """A mark at which a market with inventory has a chosen drawdown; its base does not change with the mark."""
        view = machine.state.markets[market - 1]
        held = max(view.long, view.short, key=lambda one: abs(one.size))
        if held.size == 0 or view.backing is None:
            return 0
        wanted = view.backing.base * MARKETS[market - 1].trigger * self.rng.randrange(20, 130) // (100 * WAD)
        loss = wanted - view.backing.loss + max(0, held.entry - held.size * view.mark // WAD)
        mark = (held.entry - loss) * WAD // held.size
        return mark if loss > 0 and mark >= MIN_PRICE else 0

    def _aimed_at_account(self, machine: Machine, market: int, drawn: str) -> int:
        """A mark at which some account can be liquidated, is to be taken over, or is bankrupt."""
        holdings = [held for held in machine.state.of_market(market) if held.size]
        if not holdings:
            return 0
        held = self.rng.choice(holdings)
        # Of its maintenance margin.
        thousandths = self.rng.randrange(
            *{"liquidate": (500, 1001), "take over": (-2000, 501), "bankrupt": (-12_000, 1)}[drawn]
        )
        divisor = held.size * WAD * 1000 - abs(held.size) * MARKETS[market - 1].maintenance * thousandths
        mark = -held.cash * WAD * WAD * 1000 // divisor
        return mark if mark >= MIN_PRICE else 0

    def _moved(self, market: int, answer: int, most: float) -> int:
        moved = max(1, int(answer * (1 + self.rng.uniform(-most, most))))
        if MARKETS[market - 1].decimals == 18:
            moved += self.rng.randrange(1000)
        if self.history[market][-1] != moved:
            self.history[market].append(moved)
        return moved
