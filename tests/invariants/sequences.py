"""Sequences: drawn from a seed, or played again from a list of actions, and cut down to what still fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from .actions import Action, describe
from .chain import PyrevmChain
from .compiler import Artefact
from .generator import Generator
from .machine import Machine, errors_of
from .steps import Violation
from .system import deploy, set_up

OPENING = 8  # actions that bring accounts and positions about, before those that count
LENGTH = 50
DRAWN = -1  # in place of a seed, where there is none
CLOSING = 60  # actions after which a keeper must have come to an end


@dataclass(slots=True)
class Outcome:
    """What a sequence came to. Where it failed, `actions` end with the one that did it."""

    seed: int
    actions: list[Action] = field(default_factory=list)
    violations: tuple[Violation, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> set[str]:
        """The ids of the invariants that did not hold."""
        return {violation.invariant for violation in self.violations}


class Ground:
    """A deployment on pyrevm that sequences start from."""

    def __init__(self, artefacts: dict[str, Artefact]) -> None:
        self._chain = PyrevmChain()
        self._system = deploy(self._chain, artefacts)
        self._errors = errors_of(artefacts)
        set_up(self._chain, self._system)
        self._chain.mark()

    def machine(self) -> Machine:
        """A machine at the beginning; it makes the one before it useless."""
        self._chain.rewind()
        return Machine(self._chain, self._system, self._errors)

    def play(self, seed: int) -> Outcome:
        """The sequence of a seed."""
        return play(self.machine(), seed)

    def shrunk(self, outcome: Outcome) -> Outcome:
        """The same failure with as few actions as leaving some out can give."""
        best = outcome
        step = max(1, len(best.actions) // 2)
        while step:
            at = 0
            while at < len(best.actions):
                tried = self._replay(outcome.seed, best.actions[:at] + best.actions[at + step :])
                if tried.broken & outcome.broken:
                    best = tried
                else:
                    at += step
            step //= 2
        return best

    def _replay(self, seed: int, recorded: Sequence[Action]) -> Outcome:
        machine = self.machine()
        outcome = Outcome(seed, counts=machine.counts)
        for action in recorded:
            perform(machine, action, outcome)
            if outcome.violations:
                break
        return outcome


def play(machine: Machine, seed: int) -> Outcome:
    """The sequence of a seed, until it ends or an invariant does not hold."""
    rng = Random(seed)
    draw = Generator(rng)
    outcome = Outcome(seed, counts=machine.counts)
    for place in range(OPENING + LENGTH):
        perform(machine, draw.opening(machine, place) if place < OPENING else draw.next(machine), outcome)
        if outcome.violations:
            return outcome
    close(machine, draw, outcome)
    if not outcome.violations:
        outcome.violations = tuple(machine.finish())
    return outcome


def report(outcome: Outcome) -> str:
    """The failure of a sequence, with every action that leads to it."""
    origin = "as hypothesis draws it" if outcome.seed == DRAWN else f"seed {outcome.seed}"
    lines = [f"{origin}, after {len(outcome.actions)} actions:"]
    lines += [f"  {violation.invariant}: {violation.text}" for violation in outcome.violations]
    return "\n".join([*lines, *map(describe, outcome.actions)])


def perform(machine: Machine, action: Action, outcome: Outcome) -> None:
    """Plays an action, and notes what it came to."""
    outcome.actions.append(action)
    outcome.violations = machine.perform(action).violations


def close(machine: Machine, draw: Generator, outcome: Outcome) -> None:
    """K2: with good prices, a keeper that does what is due comes to an end, and then nothing is due."""
    perform(machine, draw.shock(machine), outcome)
    for _ in range(CLOSING):
        if outcome.violations:
            return
        action = draw.closing(machine)
        if action is None:
            machine.counts["K2"] += 1
            return
        perform(machine, action, outcome)
        machine.counts["closing actions"] += 1
        if machine.refusal:
            outcome.violations += (Violation("K2", f"a keeper's {action.kind} is refused: {machine.refusal}"),)
    outcome.violations += (Violation("K2", f"after {CLOSING} actions there is still something due"),)
