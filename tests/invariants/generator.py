"""Draws the next action from a seeded source: aimed at what the present state makes interesting, and often beside."""

from __future__ import annotations

from collections.abc import Callable

from backstop.adl.planning import plan

from . import actions
from .machine import Machine
from .prices import Prices
from .rescues import Rescues, near_their_trigger
from .state import snapshot_of


class Generator(Rescues, Prices):
    """The actions of one sequence."""

    def opening(self, machine: Machine, place: int) -> actions.Action:
        """The first actions of a sequence, which bring accounts and positions about."""
        if place < 5:
            return self.deposit(machine)
        if place == 5 and self.is_vast:
            return self.contribute_the_most(machine)
        return self.rng.choices((self.deposit, self.trade, self.contribute), (6, 12, 2))[0](machine)

    def next(self, machine: Machine) -> actions.Action:
        """Any action."""
        kinds: list[tuple[Callable[[Machine], actions.Action], float]] = [
            (self.trade, 26),
            (self.price, 17),
            (self.deposit, 6),
            (self.withdraw, 6),
            (self.cancel, 2),
            (self.cancel_all, 1.2),
            (self.warp, 4),
            (self.bad_price, 1),
            (self.contribute, 6 if self.is_vast else 3),
            (self.checkpoint, 6 if self.is_vast else 2),
            (self.liquidate, 1),
            (self.take_over, 2),
            (self.buy_inventory, 0.5),
            (self.deleverage, 0.5),
        ]
        state = machine.state
        held = [one for one in state.accounts.values() if one.size and state.markets[one.market - 1].mark]
        if any(one.is_liquidatable(state.markets[one.market - 1].mark) for one in held):
            kinds.append((self.liquidate, 45))
        if any(one.is_to_be_taken_over(state.markets[one.market - 1].mark) for one in held):
            kinds.append((self.take_over, 45))
        self.plans = []
        if any(view.long.size or view.short.size for view in state.markets):
            kinds.append((self.buy_inventory, 15))
            self.plans = plan(snapshot_of(state))
            kinds.append((self.deleverage, 50 if self.plans or near_their_trigger(state) else 10))
        if any(not view.mark for view in state.markets):
            kinds.append((self.refresh, 25))
        draws, weights = zip(*kinds, strict=True)
        draw: Callable[[Machine], actions.Action] = self.rng.choices(draws, weights)[0]
        return draw(machine)

    def shock(self, machine: Machine) -> actions.Action:
        """The gap before the end: an account is bankrupt, and every price is good."""
        answers = dict(self.refresh(machine).answers)
        answers[self.focus] = self._answer(machine, self.focus, "bankrupt")
        return actions.Answer(0, self._soon(), tuple(answers.items()))

    def closing(self, machine: Machine) -> actions.Action | None:
        """What a keeper does next: good prices, takeovers, rounds as planned. None where nothing is due."""
        state = machine.state
        for account, held in state.accounts.items():
            if held.is_to_be_taken_over(state.markets[held.market - 1].mark):
                return actions.TakeOver(0, 1, account)
        plans = plan(snapshot_of(state))
        if not plans:
            return None
        one = plans[0]
        candidates = tuple(bytes.fromhex(text[2:]) for text in one.candidates)
        bounds = (one.adl_price, one.adl_price)
        return actions.Deleverage(0, 1, int(one.market[1:]), int(one.side == "short"), candidates, *bounds, 0)
