"""One cycle of the keeper: everything that is due now, each duty on a fresh state, until nothing is due any more."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from backstop.adl.snapshot import Block
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import (
    BudgetError,
    DroppedTransactionError,
    DutyError,
    FailedTransactionError,
    FeeCapError,
    NodeError,
    RevertError,
    RpcError,
)
from backstop.keeper.buying import Buyer, purchases
from backstop.keeper.duties import Liquidate, rounds, take_overs
from backstop.keeper.kinds import PRIORITIES, Duty, gives_way, is_urgent
from backstop.keeper.liquidations import Liquidator, each_liquidation
from backstop.keeper.observer import GivesWayError, Observer, Outcome
from backstop.keeper.stagger import Stagger
from backstop.keeper.uncarried import uncarried
from backstop.keeper.unwinding import Unwinder
from backstop.keeper.upkeep import Upkeep, UpkeepReader
from backstop.transactions.receipt import Receipt
from backstop.transactions.sender import Sender

_TURN = 4  # liquidations, and take-overs, before the rounds have their turn
_SLOW_TURN = 3  # one of each kind, before what is urgent is looked at again
_REMEMBERED = 128  # blocks whose hashes tell a node that is behind from a chain that has lost blocks
_MOST_DROPS = 3  # transactions whose nonce went to another one, before that is somebody else's doing


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


class _Turn(NamedTuple):
    """Duties of one kind: what is due, how many are done on one state, and how many before others have their turn."""

    due: Callable[[ChainState], Sequence[Duty]]
    at_once: int
    most: int | None


class Cycle:
    """Liquidations first, because what they close need not be taken over; then take-overs, because what they bring in
    decides which ADL is due; then rounds, and samples that a due trigger waits for; unless `priorities` say otherwise.

    They take turns: after a few liquidations and a few take-overs the rounds have theirs, and at once where one has
    been due since an earlier block, so that nobody can hold ADL up with a crowd of dust accounts. What has no priority
    is not done, nor without a `liquidator` any liquidation. With `upkeep`, `buyer` and `unwinder` the rest is done once
    nothing urgent is left to do; while its transaction waits to be mined the newest state is looked at, and what is
    urgent takes its place. In a dry run for nobody in particular (`anonymous`) a round that only lacks its keeper's
    bond is due, and nobody can say what it would use.

    `read` gives the newest state, by default by reading all of it; `observer` is told of states, duties and waiting.
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
        buyer: Buyer | None = None,
        unwinder: Unwinder | None = None,
        anonymous: bool = False,
        priorities: Mapping[str, int] = PRIORITIES,
        read: Callable[[], ChainState] | None = None,
        observer: Observer | None = None,
        stagger: Stagger | None = None,
        most_blocks: int | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._sender = sender
        self._send = send
        self._anonymous = anonymous
        self._liquidator = liquidator
        self._buyer = buyer
        self._unwinder = unwinder
        self._upkeep = UpkeepReader(endpoint, deployment, upkeep, most_blocks=most_blocks) if upkeep else None
        self._read_state = read or partial(read_chain, endpoint, deployment)
        self._observer = observer or Observer()
        self._stagger = stagger or Stagger()
        turns = {
            "liquidate": _Turn(self._liquidations, 1, _TURN),
            "take_over": _Turn(take_overs, _TURN, _TURN),
            "adl": _Turn(rounds, 1, None),
            "checkpoint": _Turn(self._unseen, 1, None),
        }
        known = [name for name in turns if name in priorities]
        self._rounds = turns["adl"]
        self._urgent = [turns[name] for name in sorted(known, key=lambda name: priorities[name])]
        self._priorities = priorities
        # What was refused, or liquidated, and the block of the state that it was decided on.
        self._tried: dict[tuple[str, ...], Block] = {}
        # Rounds that are due, and the block of the state that each was first seen in.
        self._seen_due: dict[tuple[str, ...], int] = {}
        # Rounds that were mined and failed since anything last went through.
        self._missed: set[tuple[str, ...]] = set()
        self._glanced = ""
        self._acted_in = 0
        self._hashes: dict[int, str] = {}
        self._latest = 0
        self._acts = 0
        self._faults: dict[tuple[str, ...], DutyError] = {}
        self._sent = 0
        self._drops = 0

    def run(self, warn: Callable[[str], None]) -> Iterator[Action]:
        """Yields each action as it is done. A dry run shows what is due at one block, and changes nothing.

        A duty that the contracts refuse (another keeper was faster, a counterparty moved) is tried again once something
        was sent and the state is another one; so is an account that was liquidated. The cycle ends where nothing was
        sent and nothing is left that was not tried. Whoever stops taking actions stops it between two of them.
        Raises DutyError at the end where a duty could not even be tried, for its price or its node's own limits.
        """
        self._tried.clear()
        self._faults.clear()
        self._stagger.begin()
        self._drops = 0
        if self._send:
            self._sender.tend()
            self._observer.tended()
        state = self._read(warn)
        for text in uncarried(state, self._liquidator) if self._liquidator else ():
            warn(text)
        acted = True
        while acted:
            before, sent = self._acts, self._sent
            for turn in self._urgent:
                state = yield from self._do(turn, state)
                if self._holds_rounds_up(turn, state):
                    state = yield from self._do(self._rounds, state)
            if not self._send or self._acts == before:
                state = yield from self._do(_Turn(partial(self._slow, warn), _SLOW_TURN, _SLOW_TURN), state)
            acted = self._send and self._acts > before
            if self._sent > sent:
                self._tried = {key: block for key, block in self._tried.items() if block == state.block}
        for fault in self._faults.values():
            raise fault

    def _do(self, turn: _Turn, state: ChainState) -> Generator[Action, None, ChainState]:
        """Does what is due, `most` of it where that is a number, and returns the state after it.

        Up to `at_once` duties are of one state: those do not change each other. The turn ends early where it holds a
        round up. A dry run does all of them.
        """
        left = turn.most
        self._holds_rounds_up(turn, state)
        while waiting := self._waiting(turn, state):
            newest = state
            for duty in waiting[: turn.at_once] if self._send else waiting:
                self._acts += 1
                try:
                    action = self._act(duty, state)
                except GivesWayError:
                    return self._read(lambda _: None)
                if action is None:
                    continue
                yield action
                if self._send:
                    newest = self._read(lambda _: None)
                    if action.receipt is not None:
                        self._forgive_rounds(newest)
                    if self._holds_rounds_up(turn, newest):
                        return newest
            if not self._send:
                break
            state = newest
            if left is not None:
                left -= turn.at_once
                if left <= 0:
                    break
        return state

    def _holds_rounds_up(self, turn: _Turn, state: ChainState) -> bool:
        """Whether a round was due in an earlier block already, and this turn is another one."""
        if not self._send or turn is self._rounds or self._rounds not in self._urgent:
            return False
        due = self._rounds.due(state)
        self._seen_due = {duty.key: self._seen_due.get(duty.key, state.block.number) for duty in due}
        return any(self._seen_due[duty.key] < state.block.number for duty in self._untried(due, state))

    def _forgive_rounds(self, state: ChainState) -> None:
        """Rounds that were refused on another state do not wait for the end of all turns."""
        self._tried = {key: at for key, at in self._tried.items() if key[0] != "deleverage" or at == state.block}

    def _waiting(self, turn: _Turn, state: ChainState) -> list[Duty]:
        return self._untried(turn.due(state), state)

    def _untried(self, due: Sequence[Duty], state: ChainState) -> list[Duty]:
        duties = [duty for duty in due if duty.key not in self._tried]
        return self._stagger.ripe(duties, state.block.number) if self._send else duties

    # ------------------------------------------------------------------ what is due

    def _liquidations(self, state: ChainState) -> Sequence[Duty]:
        # What its own account carries is not known while a transaction of the key is under way, unless that gives way.
        if self._liquidator is None or (self._send and self._sender.has_pending(besides=gives_way)):
            return []
        without = {key[1] for key in self._tried if key[0] == "liquidate"}
        due = each_liquidation(state, self._liquidator, without)
        return list(islice(due, 1) if self._send else due)  # the next one is planned on the state after it

    def _unseen(self, state: ChainState) -> Sequence[Duty]:
        return self._upkeep.unseen(state) if self._upkeep else []

    def _slow(self, warn: Callable[[str], None], state: ChainState) -> Sequence[Duty]:
        """Upkeep, purchases and what is traded out: those of a lower number first, the kinds of upkeep in turns."""
        kinds: list[tuple[int, Callable[[], Sequence[Duty]]]] = []
        if self._upkeep is not None:
            names = ("checkpoint", "redistribute", "settle_exits")
            first = min((self._priorities[name] for name in names if name in self._priorities), default=0)
            kinds.append((first, partial(self._upkeep_due, warn, state)))
        if self._buyer is not None and "buy_inventory" in self._priorities:
            kinds.append((self._priorities["buy_inventory"], partial(self._purchases, state)))
        if self._unwinder is not None and "unwind" in self._priorities:
            kinds.append((self._priorities["unwind"], partial(self._unwindings, warn, state)))
        return [duty for _, due in sorted(kinds, key=lambda kind: kind[0]) for duty in due()]

    def _upkeep_due(self, warn: Callable[[str], None], state: ChainState) -> Sequence[Duty]:
        if self._upkeep is None:
            return []
        try:
            return [duty for duty in self._upkeep.due(state) if not is_urgent(duty)]
        except RpcError as fault:  # what is urgent does not wait for a node that has no logs
            warn(f"samples, exits and redistribution are left alone: {fault}")
            return []

    def _purchases(self, state: ChainState) -> Sequence[Duty]:
        if self._buyer is None or (self._send and self._sender.has_pending()):
            return []
        return purchases(state, self._buyer)

    def _unwindings(self, warn: Callable[[str], None], state: ChainState) -> Sequence[Duty]:
        if self._unwinder is None or (self._send and self._sender.has_pending()):
            return []
        return self._unwinder.due(state, warn, without=self._tried)

    # ------------------------------------------------------------------ reading and doing

    def _read(self, warn: Callable[[str], None]) -> ChainState:
        state = self._read_state()
        if self._is_behind(state.block):
            raise RpcError(
                f"{self._endpoint.url} is at block {state.block.number}, behind block {self._acted_in} with this "
                "keeper's last transaction: run again when it has caught up"
            )
        for market, reason in state.unpriced.items():
            warn(f"{market} has no price, only takeovers go on there, at its last one: {reason}")
        for market, reason in state.left_out.items():
            warn(f"{market} has no price, and never had one accepted: it is left alone: {reason}")
        self._glanced = state.block.hash
        self._observer.saw(state)
        return state

    def _is_behind(self, block: Block) -> bool:
        """Whether a block is before the one with this keeper's last transaction, on a chain that still has that."""
        hashes = self._hashes
        if block.number < self._acted_in:
            # A block before another one is not later than it, and has the hash that it had.
            if block.timestamp <= self._latest and hashes.get(block.number, block.hash) == block.hash:
                return True
            hashes.clear()  # a reorganisation has taken it back, and the sender looks after what was sent
            self._acted_in = self._latest = 0
        hashes[block.number] = block.hash
        if len(hashes) > _REMEMBERED:
            del hashes[min(hashes)]
        self._latest = max(self._latest, block.timestamp)
        return False

    def _act(self, duty: Duty, state: ChainState) -> Action | None:
        """One duty; None where it could not be tried, for reasons of its own: what else is due does not wait for it."""
        if not self._send:
            return self._simulate(duty, state)
        if isinstance(duty, Liquidate):
            self._tried[duty.key] = state.block
        try:
            with self._observer.doing(duty, state) as outcome:
                action = self._carry_out(duty, state, outcome)
                outcome.action = action
        except (NodeError, BudgetError, FeeCapError) as fault:
            self._tried[duty.key] = state.block
            self._faults[duty.key] = DutyError(" ".join(duty.key), fault)
            return None
        self._faults.pop(duty.key, None)
        return action

    def _simulate(self, duty: Duty, state: ChainState) -> Action:
        to, data = duty.transaction(state, self._deployment)
        try:
            return Action(duty, state.block.number, self._sender.simulate(to, data), None, None)
        except RevertError as refusal:
            if self._anonymous and "BondInsufficient(" in str(refusal):
                return Action(duty, state.block.number, None, None, None)
            self._tried[duty.key] = state.block
            return Action(duty, state.block.number, None, None, _with_way_out(str(refusal)))

    def _carry_out(self, duty: Duty, state: ChainState, outcome: Outcome) -> Action:
        to, data = duty.transaction(state, self._deployment)
        urgent = is_urgent(duty)
        try:
            receipt = self._sender.send(
                to,
                data,
                name=" ".join(duty.key),
                instead=gives_way if urgent else lambda _: False,
                waiting=self._observer.waiting if urgent else self._wait_while_calm,
            )
        except (RevertError, FailedTransactionError) as refusal:
            outcome.failed = isinstance(refusal, FailedTransactionError)
            if not (outcome.failed and self._may_try_at_once(duty)):
                self._tried[duty.key] = state.block
            return Action(duty, state.block.number, None, None, _with_way_out(str(refusal)))
        except DroppedTransactionError as fault:
            self._drops += 1
            if self._drops > _MOST_DROPS:
                raise
            outcome.failed = True
            return Action(duty, state.block.number, None, None, str(fault))
        self._acted_in = receipt.block
        self._missed.clear()
        self._sent += 1
        return Action(duty, receipt.block, receipt.gas_used, receipt, None)

    def _may_try_at_once(self, duty: Duty) -> bool:
        """Whether a round that was mined and failed is tried on the state after it: once, then others have their turn.

        A price that moved in its own block refuses a round that is due all the same.
        """
        if duty.key[0] != "deleverage" or duty.key in self._missed:
            return False
        self._missed.add(duty.key)
        return True

    def _wait_while_calm(self) -> None:
        """While a transaction that gives way waits: raises where the newest block has made something urgent due."""
        self._observer.waiting()
        try:
            if self._endpoint.head().hash == self._glanced:
                return
            state = self._read(lambda _: None)
            is_due = any(self._waiting(turn, state) for turn in self._urgent)
        except RpcError:  # whoever waits for the transaction tells of it
            return
        if is_due:
            raise GivesWayError


def _with_way_out(refusal: str) -> str:
    """A refusal of a duty, and what the operator can do about it."""
    if "BondInsufficient(" in refusal:
        return f"{refusal}: the bond does not cover the round, add to it with `backstop bond post`"
    return refusal
