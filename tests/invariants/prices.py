"""Draws answers of the feeds, and the passing of time."""

from __future__ import annotations

from dataclasses import replace

from backstop.math.wad import WAD

from . import actions
from .draws import Draws
from .machine import Machine
from .world import GRACE, MARKETS, MAX_PRICE, MIN_PRICE

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

    def accept(self, machine: Machine) -> actions.Action:
        """A price that nobody trades at."""
        return actions.Accept(self._trader(), self._soon(), self._market() if not self._chance(0.03) else 9)

    def die_after_fall(self, machine: Machine) -> actions.Action:
        """The price at which an account is to be taken over is accepted; then its feed dies, or the sequencer does."""
        account = self._account(machine, lambda sum_: sum_.is_to_be_taken_over)
        if account is None:
            return self.die(machine)
        market = self._leg(machine, account)
        answer = self.history[market][-1]
        broken: actions.Action = actions.BadAnswer(self._trader(), self._soon(), market, answer, 0, False)
        if self._chance(0.3):
            broken = actions.Sequencer(self._trader(), self._soon(), False)
        self.script = [broken, actions.TakeOver(self._trader(), self._soon(), account)]
        return actions.Accept(self._trader(), self._soon(), market)

    def die(self, machine: Machine) -> actions.Action:
        """Time passes, and some feeds publish nothing; or the sequencer goes down, or comes back."""
        if machine.model.sequencer[0]:
            return actions.Sequencer(self._trader(), self._soon(), True)
        if self._chance(0.3):
            return actions.Sequencer(self._trader(), self._soon(), False)
        chosen = [spec.id for spec in MARKETS if self._chance(0.6)] or [self.focus]
        if self._chance(0.5):
            chosen = [market for market in chosen if market != self.focus] or [self.focus % len(MARKETS) + 1]
        answers = tuple((market, self._moved(market, self.history[market][-1], 0.15)) for market in chosen)
        return actions.Answer(self._trader(), self.rng.randrange(HOUR - 60, HOUR + 600), answers)

    def revive(self, machine: Machine) -> actions.Action:
        """Good answers for every market, the sequencer back, and its grace period over, sooner or later."""
        answer, since = machine.model.sequencer
        if answer:
            return actions.Sequencer(self._trader(), self._soon(), True)
        answers = self.refresh(machine)
        rest = since + GRACE - machine.model.now
        return replace(answers, after=self.rng.choice((rest, rest + 1, rest + 2))) if rest > 0 else answers

    def bad_price(self, machine: Machine) -> actions.Action:
        """Old, from the future, unfinished, not positive, or out of bounds."""
        market = self._market()
        answer = self.history[market][-1]
        answer, ago, complete = self.rng.choice(
            (
                (answer, HOUR + 1, True),
                (answer, HOUR, True),
                (answer, self.rng.randrange(60, HOUR), True),
                (answer, self.rng.randrange(60, HOUR), True),
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
        state = machine.state
        quotes = state.quotes(machine.marks)
        holdings = [state.accounts[one] for one, held in state.of_market(market).items() if held.size]
        if not holdings:
            return 0
        account = self.rng.choice(holdings)
        held, sum_, quote = account.held(market), account.health(quotes), quotes[market]
        # Of its maintenance margin.
        thousandths = self.rng.randrange(
            *{"liquidate": (500, 1001), "take over": (-2000, 501), "bankrupt": (-12_000, 1)}[drawn]
        )
        others = (sum_.maintenance - held.maintenance(quote)) * thousandths // 1000
        rest = sum_.equity - held.size * quote.mark // WAD - others
        divisor = held.size * WAD * 1000 - abs(held.size) * quote.maintenance * thousandths
        mark = -rest * WAD * WAD * 1000 // divisor
        return mark if mark >= MIN_PRICE else 0

    def _moved(self, market: int, answer: int, most: float) -> int:
        moved = max(1, int(answer * (1 + self.rng.uniform(-most, most))))
        if MARKETS[market - 1].decimals == 18:
            moved += self.rng.randrange(1000)
        if self.history[market][-1] != moved:
            self.history[market].append(moved)
        return moved
