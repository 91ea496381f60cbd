"""Sequences whose every draw is hypothesis's: it looks for one that fails, and makes that shorter and simpler."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from .chain import DeployingChain
from .compiler import Artefact
from .generator import Generator
from .machine import Machine, errors_of
from .sequences import DRAWN, OPENING, Outcome, close, perform, report
from .system import deploy, set_up

ACTIONS = 16  # of an example, after those that bring accounts about
BUG = "fee-of-the-taker-forgotten"  # of `bugs/`, which must be found
WITHIN = 20  # examples in which it must be
SHORT = (
    12  # actions or fewer, to which the sequence that shows it is cut: deposits, prices, a fill, and what opens some
)
_BITS = 53  # of a fraction


class Drawn(Random):
    """The generator's source of chance, out of hypothesis's: every choice comes down to its integers.

    Hypothesis's own has no regard to the weights of a choice. Where it draws less, the first of a list is chosen.
    """

    def __init__(self, source: Random) -> None:
        self._source = source
        super().__init__(0)

    def getrandbits(self, k: int, /) -> int:
        """`k` bits."""
        return self._source.getrandbits(k)

    def random(self) -> float:
        """Of [0, 1)."""
        return self._source.getrandbits(_BITS) / (1 << _BITS)


RNG = st.randoms(use_true_random=False).map(Drawn)


class BrokenError(AssertionError):
    """An invariant does not hold; `outcome` is the sequence."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(report(outcome))
        self.outcome = outcome


@dataclass(slots=True)
class Sum:
    """What all examples came to."""

    examples: int = 0
    actions: int = 0
    counts: Counter[str] = field(default_factory=Counter)


class Scene:
    """A deployment of `artefacts` on a chain that hypothesis plays on. Each example starts from its snapshot."""

    def __init__(self, chain: DeployingChain, artefacts: dict[str, Artefact]) -> None:
        self.chain = chain
        self.system = deploy(chain, artefacts)
        self.errors = errors_of(artefacts)
        set_up(chain, self.system)
        chain.mark()

    def play(self, examples: int, actions: int, *, start: int = 0, shrinks: bool = True) -> Sum:
        """So many examples of so many actions, and what brings accounts about before them and a keeper to an end.

        Raises `BrokenError` where an invariant does not hold, with the shortest sequence that hypothesis finds.
        """
        sum_ = Sum()
        rules = _rules(self, sum_)
        chosen = settings(
            max_examples=examples,
            stateful_step_count=OPENING + actions,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        run_state_machine_as_test(seed(start)(rules), settings=chosen)  # type: ignore[no-untyped-call]
        return sum_

    def broken(self, examples: int, actions: int, *, shrinks: bool) -> Outcome | None:
        """The sequence that fails; None where so many examples find none."""
        try:
            self.play(examples, actions, shrinks=shrinks)
        except BrokenError as fault:
            return fault.outcome
        return None


def _rules(scene: Scene, sum_: Sum) -> type[RuleBasedStateMachine]:
    class Rules(RuleBasedStateMachine):
        """One example."""

        def __init__(self) -> None:
            super().__init__()
            scene.chain.rewind()
            self.machine = Machine(scene.chain, scene.system, scene.errors)
            self.outcome = Outcome(DRAWN, counts=self.machine.counts)
            self.draw: Generator | None = None
            self.is_whole = False

        @initialize(rng=RNG)
        def begin(self, rng: Drawn) -> None:
            self.draw = Generator(rng)

        @rule(rng=RNG)
        def act(self, rng: Drawn) -> None:
            assert self.draw is not None
            self.draw.rng = rng
            place = len(self.outcome.actions)
            drawn = self.draw.opening(self.machine, place) if place < OPENING else self.draw.next(self.machine)
            perform(self.machine, drawn, self.outcome)
            self._judge()

        def teardown(self) -> None:
            """The end of the sequence, of which nothing is left to chance."""
            sum_.examples += 1
            sum_.actions += len(self.outcome.actions)
            if self.draw is not None and not self.outcome.violations:
                self.draw.rng = Random(0)
                close(self.machine, self.draw, self.outcome)
                self.outcome.violations += tuple(self.machine.finish())
                sum_.counts += self.machine.counts
                self._judge()

        def _judge(self) -> None:
            if self.outcome.violations:
                raise BrokenError(self.outcome)

    return Rules
