"""Draws the next action from a seeded source: aimed at what the present state makes interesting, and often beside."""

from __future__ import annotations

from collections.abc import Callable

from backstop.adl.planning import plan

from . import actions
from .machine import Machine
from .markets import Markets
from .prices import Prices
from .rescues import Rescues, bounds_of, near_their_trigger
from .snapshots import snapshot_of
from .stakers import Stakers
from .world import GRACE, TOKEN_SCALE


class Generator(Rescues, Prices, Markets, Stakers):
    """The actions of one sequence."""

    def opening(self, machine: Machine, place: int) -> actions.Action:
        """The first actions of a sequence, which bring accounts and positions about."""
        if place == 0 and self.is_staking:
            self.begin_staking(machine)
        if self.script:
            return self._scripted(machine)
        if place < 5:
            return self.deposit(machine)
        if place == 5 and self.is_vast:
            return self.contribute_the_most(machine)
        return self.rng.choices((self.deposit, self.trade, self.contribute), (6, 12, 2))[0](machine)

    def next(self, machine: Machine) -> actions.Action:
        """Any action."""
        if self.script:
            return self._scripted(machine)
        state = machine.state
        kinds: list[tuple[Callable[[Machine], actions.Action], float]] = [
            (self.trade, 26),
            (self.price, 17),
            (self.deposit, 6),
            (self.withdraw, 6),
            (self.transfer, 3),
            (self.batch, 3),
            (self.set_parameters, 1.5),
            (self.accrue, 2.5),
            (self.sweep, 2 if any(view.funding.fees or view.funding.dust for view in state.markets) else 0.1),
            (self.collect, 2 if state.treasury >= TOKEN_SCALE else 0.1),
            (self.flag, 1),
            (self.die, 1.2),
            (self.accept, 0.5),
            (self.cancel, 2),
            (self.cancel_all, 1.2),
            (self.warp, 4),
            (self.bad_price, 1.5),
            (self.contribute, 6 if self.is_vast else 3),
            (self.checkpoint, 6 if self.is_vast else 2),
            (self.liquidate, 1),
            (self.take_over, 2),
            (self.buy_inventory, 0.5),
            (self.deleverage, 0.5),
            (self.desert, 0.8),
            *self.stake_kinds(machine),
        ]
        if state.deficit:
            kinds += [(self.withdraw, 12), (self.collect, 4), (self.sweep, 4)]
        healths = self._healths(machine).values()
        if any(sum_.is_liquidatable for sum_ in healths):
            kinds.append((self.liquidate, 45))
        if any(sum_.is_to_be_taken_over for sum_ in healths):
            kinds += [(self.take_over, 45), (self.die_after_fall, 4)]
        self.plans = []
        if any(view.long.size or view.short.size for view in state.markets):
            kinds.append((self.buy_inventory, 15))
            self.plans = plan(snapshot_of(state))
            kinds.append((self.deleverage, 50 if self.plans or near_their_trigger(state) else 10))
        if not all(view.live for view in state.markets):
            kinds.append((self.revive, 14))
        if machine.model.records:
            kinds.append((self.challenge, 25 if machine.model.open_rounds() else 3))
        draws, weights = zip(*kinds, strict=True)
        draw: Callable[[Machine], actions.Action] = self.rng.choices(draws, weights)[0]
        return draw(machine)

    def _scripted(self, machine: Machine) -> actions.Action:
        one = self.script.pop(0)
        return one if isinstance(one, actions.Action) else one(machine)

    def shock(self, machine: Machine) -> actions.Action:
        """The gap before the end: an account is bankrupt, and every price is good."""
        if machine.model.sequencer[0]:
            return actions.Sequencer(0, 1, True)
        answers = dict(self.refresh(machine).answers)
        answers[self.focus] = self._answer(machine, self.focus, "bankrupt")
        rest = machine.model.sequencer[1] + GRACE - machine.model.now
        return actions.Answer(0, max(rest, self._soon()), tuple(answers.items()))

    def closing(self, machine: Machine) -> actions.Action | None:
        """What a keeper does next: good prices, takeovers, rounds as planned. None where nothing is due."""
        state = machine.state
        if not all(view.live for view in state.markets):
            return self.shock(machine)
        for account, sum_ in self._healths(machine).items():
            if sum_.is_to_be_taken_over:
                return actions.TakeOver(0, 1, account)
        plans = plan(snapshot_of(state))
        if not plans:
            return None
        one = plans[0]
        candidates = tuple(bytes.fromhex(text[2:]) for text in one.listing.accounts)
        # As wide as the keeper's: an hour may end in between, and its funding moves the price by a little.
        market = int(one.market[1:])
        bounds = bounds_of(one, machine.marks[market - 1] // 20)
        return actions.Deleverage(0, 1, market, int(one.side == "short"), candidates, bounds, 0)
