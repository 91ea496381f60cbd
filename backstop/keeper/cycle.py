"""One cycle of the keeper: everything that is due now, each duty on a fresh state, until nothing is due any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.chain.transactions import Receipt, Sender
from backstop.errors import FailedTransactionError, RevertError, RpcError
from backstop.keeper.duties import Deleverage, TakeOver, rounds, take_overs

_TURN = 4  # take-overs before the rounds have their turn


@dataclass(frozen=True, slots=True)
class Action:
    """One duty and what became of it: `receipt` where it was sent, `refusal` where the contracts refused it.

    Neither is there in a dry run where the simulation succeeds; `gas` is then its estimate.
    """

    duty: TakeOver | Deleverage
    block: int
    gas: int | None
    receipt: Receipt | None
    refusal: str | None


class Cycle:
    """Take-overs first, because what they bring in decides which ADL is due; then rounds, read anew after each."""

    def __init__(self, endpoint: Endpoint, deployment: Deployment, sender: Sender, *, send: bool) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._sender = sender
        self._send = send
        self._refused: set[tuple[str, ...]] = set()
        self._acted_in = 0
        self._rounds_next = False

    def run(self, warn: Callable[[str], None]) -> Iterator[Action]:
        """Yields each action as it is done. A dry run shows what is due at one block, and changes nothing.

        A duty that the contracts refuse (another keeper was faster, a counterparty moved) is tried once in a cycle.
        """
        state = self._read(warn)
        if not self._send:
            everything: list[TakeOver | Deleverage] = [*take_overs(state), *rounds(state)]
            yield from (self._act(duty, state) for duty in everything)
            return
        while due := self._next(state):
            for duty in due:
                yield self._act(duty, state)
            state = self._read(lambda _: None)

    def _next(self, state: ChainState) -> list[TakeOver | Deleverage]:
        """What to do on this state: a few take-overs, or the first round that is due.

        They take turns: after a few take-overs all rounds have theirs, so that nobody can hold ADL up with a crowd of
        dust accounts.
        """
        waiting = [duty for duty in take_overs(state) if _key(duty) not in self._refused]
        due = [duty for duty in rounds(state) if _key(duty) not in self._refused]
        if waiting and not (due and self._rounds_next):
            self._rounds_next = True
            return list(waiting[:_TURN])
        self._rounds_next = bool(due)
        return list(due[:1])

    def _read(self, warn: Callable[[str], None]) -> ChainState:
        state = read_chain(self._endpoint, self._deployment)
        if state.block.number < self._acted_in:
            raise RpcError(
                f"{self._endpoint.url} is at block {state.block.number}, behind block {self._acted_in} with this "
                "keeper's last transaction: run again when it has caught up"
            )
        for market, reason in state.unpriced.items():
            warn(f"{market} has no price and is left alone: {reason}")
        return state

    def _act(self, duty: TakeOver | Deleverage, state: ChainState) -> Action:
        to, data = duty.transaction(state, self._deployment)
        try:
            if not self._send:
                return Action(duty, state.block.number, self._sender.simulate(to, data), None, None)
            receipt = self._sender.send(to, data)
        except (RevertError, FailedTransactionError) as refusal:
            self._refused.add(_key(duty))
            return Action(duty, state.block.number, None, None, str(refusal))
        self._acted_in = receipt.block
        return Action(duty, receipt.block, receipt.gas_used, receipt, None)


def _key(duty: TakeOver | Deleverage) -> tuple[str, ...]:
    return (duty.account,) if isinstance(duty, TakeOver) else (duty.plan.market, duty.plan.side.value)
