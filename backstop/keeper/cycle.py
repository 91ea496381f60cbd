"""One cycle of the keeper: everything that is due now, each duty on a fresh state, until nothing is due any more."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from backstop.adl.snapshot import Block
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import FailedTransactionError, RevertError, RpcError
from backstop.keeper.duties import Deleverage, Liquidate, TakeOver, rounds, take_overs
from backstop.keeper.liquidations import Liquidator, liquidations
from backstop.keeper.uncarried import uncarried
from backstop.keeper.upkeep import Upkeep, UpkeepDuty, UpkeepReader
from backstop.transactions.receipt import Receipt
from backstop.transactions.sender import Sender

_TURN = 4  # liquidations, and take-overs, before the rounds have their turn
_UPKEEP_TURN = 3  # one of each kind, before what is urgent is looked at again

Duty = Liquidate | TakeOver | Deleverage | UpkeepDuty


@dataclass(frozen=True, slots=True)
class Action:
    """One duty and what became of it: `receipt` where it was sent, `refusal` where the contracts refused it.

    Neither is there in a dry run where the simulation succeeds; `gas` is then its estimate.
    """

    duty: Duty
    block: int
    gas: int | None
    receipt: Receipt | None
    refusal: str | None


class Cycle:
    """Liquidations first, because what they close need not be taken over; then take-overs, because what they bring in
    decides which ADL is due; then rounds.

    They take turns: after a few liquidations and a few take-overs the rounds have theirs, so that nobody can hold ADL
    up with a crowd of dust accounts. Without a `liquidator` nothing is liquidated. With `upkeep` the fund is kept in
    order once nothing else is left to do. In a dry run for nobody in particular (`anonymous`) a round that only lacks
    its keeper's bond is due, and nobody can say what it would use.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        deployment: Deployment,
        sender: Sender,
        *,
        send: bool,
        liquidator: Liquidator | None = None,
        upkeep: Upkeep | None = None,
        anonymous: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._sender = sender
        self._send = send
        self._anonymous = anonymous
        self._liquidator = liquidator
        self._upkeep = UpkeepReader(endpoint, deployment, upkeep) if upkeep else None
        # What was refused, or liquidated, and the block of the state that it was decided on.
        self._tried: dict[tuple[str, ...], Block] = {}
        self._acted_in = 0
        self._acts = 0
        self._sent = 0

    def run(self, warn: Callable[[str], None]) -> Iterator[Action]:
        """Yields each action as it is done. A dry run shows what is due at one block, and changes nothing.

        A duty that the contracts refuse (another keeper was faster, a counterparty moved) is tried again once something
        was sent and the state is another one; so is an account that was liquidated. The cycle ends where nothing was
        sent and nothing is left that was not tried. Whoever stops taking actions stops it between two of them.
        """
        self._tried.clear()
        if self._send:
            self._sender.tend()
        state = self._read(warn)
        for text in uncarried(state, self._liquidator) if self._liquidator else ():
            warn(text)
        acted = True
        while acted:
            before, sent = self._acts, self._sent
            state = yield from self._do(self._liquidations, state, at_once=1, most=_TURN)
            state = yield from self._do(take_overs, state, at_once=_TURN, most=_TURN)
            state = yield from self._do(rounds, state, at_once=1, most=None)
            if not self._send or self._acts == before:
                due = partial(self._upkeep_due, warn)
                state = yield from self._do(due, state, at_once=_UPKEEP_TURN, most=_UPKEEP_TURN)
            acted = self._send and self._acts > before
            if self._sent > sent:
                self._tried = {key: block for key, block in self._tried.items() if block == state.block}

    def _do(
        self, due: Callable[[ChainState], Sequence[Duty]], state: ChainState, *, at_once: int, most: int | None
    ) -> Generator[Action, None, ChainState]:
        """Does what is due, `most` of it where that is a number, and returns the state after it.

        The state is read anew after each `at_once` duties: those do not change each other. A dry run does all of them.
        """
        left = most
        while waiting := [duty for duty in due(state) if duty.key not in self._tried]:
            for duty in waiting[:at_once] if self._send else waiting:
                self._acts += 1
                yield self._act(duty, state)
            if not self._send:
                break
            state = self._read(lambda _: None)
            if left is not None:
                left -= at_once
                if left <= 0:
                    break
        return state

    def _liquidations(self, state: ChainState) -> Sequence[Duty]:
        # What the keeper's account already carries is not known while a transaction of its own is under way.
        if self._liquidator is None or (self._send and self._sender.has_pending()):
            return []
        return liquidations(state, self._liquidator, without={key[1] for key in self._tried if key[0] == "liquidate"})

    def _upkeep_due(self, warn: Callable[[str], None], state: ChainState) -> Sequence[Duty]:
        if self._upkeep is None:
            return []
        try:
            return self._upkeep.due(state)
        except RpcError as fault:  # what is urgent does not wait for a node that has no logs
            warn(f"samples, exits and redistribution are left alone: {fault}")
            return []

    def _read(self, warn: Callable[[str], None]) -> ChainState:
        state = read_chain(self._endpoint, self._deployment)
        if state.block.number < self._acted_in:
            raise RpcError(
                f"{self._endpoint.url} is at block {state.block.number}, behind block {self._acted_in} with this "
                "keeper's last transaction: run again when it has caught up"
            )
        for market, reason in state.unpriced.items():
            warn(f"{market} has no price, only takeovers go on there, at its last one: {reason}")
        for market, reason in state.left_out.items():
            warn(f"{market} has no price, and never had one accepted: it is left alone: {reason}")
        return state

    def _act(self, duty: Duty, state: ChainState) -> Action:
        to, data = duty.transaction(state, self._deployment)
        if isinstance(duty, Liquidate):
            self._tried[duty.key] = state.block
        try:
            if not self._send:
                return Action(duty, state.block.number, self._sender.simulate(to, data), None, None)
            receipt = self._sender.send(to, data, name=" ".join(duty.key))
        except (RevertError, FailedTransactionError) as refusal:
            if self._anonymous and "BondInsufficient(" in str(refusal):
                return Action(duty, state.block.number, None, None, None)
            self._tried[duty.key] = state.block
            return Action(duty, state.block.number, None, None, _with_way_out(str(refusal)))
        self._acted_in = receipt.block
        self._sent += 1
        return Action(duty, receipt.block, receipt.gas_used, receipt, None)


def _with_way_out(refusal: str) -> str:
    """A refusal of a duty, and what the operator can do about it."""
    if "BondInsufficient(" in refusal:
        return f"{refusal}: the bond does not cover the round, add to it with `backstop bond post`"
    return refusal
