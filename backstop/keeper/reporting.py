"""What a cycle does, told to the telemetry: the one place where duties are timed and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backstop.adl.snapshot import Block
from backstop.chain.snapshot import ChainState
from backstop.errors import BudgetError
from backstop.keeper.cycle import Action
from backstop.keeper.duties import Deleverage
from backstop.keeper.kinds import NAMES, Duty, about
from backstop.keeper.observer import GivesWayError, Observer, Outcome
from backstop.keeper.results import executed_round
from backstop.telemetry import DutyRecord, Telemetry
from backstop.transactions.steps import Kind, Step


class Reporting(Observer):
    """Tells the telemetry. `beat` is called while a transaction waits."""

    def __init__(self, telemetry: Telemetry, chain_id: int, beat: Callable[[], None]) -> None:
        self._telemetry = telemetry
        self._chain_id = chain_id
        self._beat = beat
        self.block: Block | None = None
        self.is_exhausted = False

    def tended(self) -> None:
        """What an earlier process left open was looked at; a cycle begins."""
        self.is_exhausted = False
        self._telemetry.recovered()

    def saw(self, state: ChainState) -> None:
        """What has begun or ended, by whatever was done."""
        self.block = state.block
        self._telemetry.state(state)

    def waiting(self) -> None:
        """A transaction waits to be mined."""
        self._beat()

    @contextmanager
    def doing(self, duty: Duty, state: ChainState) -> Iterator[Outcome]:
        """Times and counts a duty."""
        outcome, gives_way = Outcome(), None
        with self._telemetry.duty(NAMES[type(duty)], **about(duty)) as record:
            try:
                yield outcome
            except BudgetError:
                self.is_exhausted = True
                raise
            except GivesWayError as fault:  # that is no failure
                gives_way = fault
                record.noop("it gives way to what is urgent")
            if outcome.action is not None:
                self._tell(record, outcome.action, outcome.failed)
        if gives_way is not None:
            raise gives_way

    def _tell(self, record: DutyRecord, action: Action, failed: bool) -> None:
        if action.receipt is not None:
            record.sent(action.receipt.transaction, action.receipt.gas_used, action.receipt.cost)
            if isinstance(action.duty, Deleverage):
                self._tell_round(action)
        elif action.refusal is not None:
            (record.failed if failed else record.refused)(action.refusal)

    def _tell_round(self, action: Action) -> None:
        if action.receipt is None or not isinstance(action.duty, Deleverage):
            return
        executed = executed_round(action.receipt)
        shown = {key: executed.get(key) for key in ("id", "contracts", "adlPrice", "compensation")}
        shown["fills"] = len(executed["fills"])
        about = {"chainId": self._chain_id, "block": action.block}
        self._telemetry.round(f"{self._chain_id}:{executed.get('id')}", action.duty.plan.market, {**about, **shown})


def telling_steps(telemetry: Telemetry) -> Callable[[Step], None]:
    """What the sender is to call at each step of a transaction."""

    def hear(step: Step) -> None:
        if step.kind is Kind.REPLACED:
            telemetry.replaced(step.transaction or "")
        elif step.kind is Kind.PREEMPTED:
            telemetry.preempted(step.name)
        elif step.kind is Kind.REVOKED:
            telemetry.revoked(step.name, step.transaction)
        else:
            telemetry.log.debug(step.kind.value, name=step.name, tx=step.transaction)

    return hear
