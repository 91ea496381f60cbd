"""The one way to send, for every command: simulated, signed, journalled, broadcast, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from eth_account.signers.local import LocalAccount

from backstop.chain.endpoint import Endpoint
from backstop.errors import (
    BackstopError,
    BudgetError,
    CancelledTransactionError,
    DroppedTransactionError,
    FailedTransactionError,
    FeeCapError,
    JournalError,
    NodeError,
    RevertError,
    RpcError,
    TransactionError,
    UnknownOutcomeError,
)
from backstop.transactions.dispatch import Dispatch
from backstop.transactions.fees import Fees, Policy
from backstop.transactions.following import Follower
from backstop.transactions.journal import OPEN, Attempt, Intent, Journal, State
from backstop.transactions.lookup import find, read_head
from backstop.transactions.receipt import Receipt
from backstop.transactions.refusals import Refusal
from backstop.transactions.signers import Signer, as_signer
from backstop.transactions.steps import Kind, Step

_GAS_MARGIN = 5  # a fifth more than estimated: state moves between estimate and block
_NONCES = 3  # how many of them a send tries where foreign transactions of the key are faster
_NONCE_TAKEN = "its nonce went to a transaction of the key that the journal does not know"
_LONGEST_PAUSE = 1.0
_MINED = (State.MINED, State.FAILED, State.CANCELLED)

Yields = Callable[[Intent], bool]  # whether an open intent gives way to another one


def _nothing_yields(_: Intent) -> bool:
    return False


class Sender:
    """Sends from one key, one transaction after the other: nothing is sent past one that is open in the journal.

    Reads from `endpoint` and broadcasts there, or to `private` where one is given. Without a journal there is one in
    memory, which is enough for a command that ends when its transactions are mined. `mined` are those that succeeded,
    and `under_way` is one whose outcome is not known, each with its name and hash: whoever is interrupted can still
    tell. `on_step` hears of every step as it is taken.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        signer: Signer | LocalAccount,
        chain_id: int,
        timeout: float = 120.0,
        *,
        journal: Journal | None = None,
        policy: Policy | None = None,
        private: Endpoint | None = None,
        on_step: Callable[[Step], None] = lambda _: None,
    ) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._journal = journal or Journal()
        self._on_step = on_step
        self._dispatch = Dispatch(
            endpoint, private, as_signer(signer), chain_id, self._journal, policy or Policy(), self._note
        )
        self._follower = Follower(self._dispatch)
        self._is_recovered = False
        self.mined: list[str] = []
        self.under_way: str | None = None

    @property
    def address(self) -> str:
        """The address that pays."""
        return self._dispatch.signer.address

    def has_pending(self, besides: Yields = _nothing_yields) -> bool:
        """Whether a transaction of this key waits to be mined, `besides` those of the journal that give way."""
        waiting = self._journal.of(*self._dispatch.key, OPEN)
        yielding = [intent for intent in waiting if besides(intent)]
        if len(yielding) < len(waiting):
            return True
        mined, sent = self._dispatch.count("latest"), self._dispatch.count("pending")
        return sent > mined + len(yielding)

    def simulate(self, to: str, data: bytes) -> int:
        """Gas that a transaction would use now. Raises RevertError where the contracts would refuse it."""
        return self._endpoint.quantity("eth_estimateGas", self._dispatch.call(to, data))

    def tend(self) -> None:
        """Looks once at everything of the journal that is not settled: before a cycle, and first of all in a process.

        What nobody knows is broadcast again, what waits too long is replaced, and what a reorganisation took back is
        open again or given up: whoever plans after this plans on what there is. Raises FeeCapError or BudgetError where
        something cannot be mined at what it offers and must not offer more, and what a node said where it refused one;
        but first looks at all the others.
        """
        if not self._is_recovered:
            for intent in self._journal.of(*self._dispatch.key, [State.PLANNED]):
                self._follower.give_up(intent, "the process ended before it was signed")
        alarm: BackstopError | None = None
        head = None
        for intent in self._journal.unsettled(*self._dispatch.key):
            try:
                if intent.state in _MINED:
                    head = head or read_head(self._endpoint)
                    if self._follower.is_canonical(intent, head):
                        continue
                self._follower.look(intent)
            except (FeeCapError, BudgetError, NodeError, RevertError) as fault:
                alarm = alarm or fault
            except TransactionError:  # the journal has it
                pass
        self._is_recovered = True
        self._journal.prune(*self._dispatch.key)
        if alarm is not None:
            raise alarm

    def send(
        self,
        to: str,
        data: bytes,
        gas: int | None = None,
        *,
        name: str = "",
        instead: Yields = _nothing_yields,
        waiting: Callable[[], None] = lambda: None,
    ) -> Receipt:
        """Simulates, signs and sends, and waits for the receipt.

        `gas` is for a call whose estimate says too little, because it swallows the failures of its parts; `name` is
        what errors call it beside its hash. What is open in the journal is seen to its end first; where that is the
        same call, its receipt is the answer. But one that `instead` is asked of and says yes gives way: this one takes
        its nonce, with fees that replace it. `waiting` is called between two looks; what it raises leaves the
        transaction open. Raises RevertError where the contracts refuse it before anything is sent,
        FailedTransactionError where it was mined and failed, TransactionError where it was not mined within the
        timeout, DroppedTransactionError and CancelledTransactionError where it never will be, FeeCapError and
        BudgetError where the operator's limits forbid it, and UnknownOutcomeError where the node has it, or may have
        it, and gives no usable answer any more.
        """
        done = self._see_to_open(to, data, instead, waiting)
        if done is not None:
            return done
        for _ in range(_NONCES):
            yielding = self._yielding(instead)
            intent, refusal = self._start(to, data, gas, name, yielding)
            if refusal is Refusal.UNDERPRICED:
                self._follower.give_up(self._journal.intent(intent.id), _NONCE_TAKEN)
                continue
            try:
                return self._wait(intent, waiting)
            except DroppedTransactionError:
                # Not taken by the node, because a foreign transaction of the key was faster: nobody else has it. Where
                # it was one that should have given way the state is another one now.
                if refusal is not Refusal.NONCE_USED or yielding is not None:
                    raise
        raise DroppedTransactionError(f"{name or 'the transaction'} was not sent: {_NONCE_TAKEN}, {_NONCES} times")

    def cancel(self, number: int) -> Receipt | None:
        """Has an empty transaction take the nonce of an open intent. Its receipt where it was mined all the same.

        By hand neither the budget nor the cap of tips holds it up. Raises JournalError where the journal has no such
        intent of this key and chain, or it is not open.
        """
        intent = self._journal.intent(number)
        if (intent.chain_id, intent.sender) != self._dispatch.key:
            raise JournalError(
                f"transaction {number} of the journal is of {intent.sender} on chain {intent.chain_id}, "
                f"not of {self.address} on chain {self._dispatch.chain_id}"
            )
        if intent.state is State.PLANNED:
            self._follower.give_up(intent, "cancelled before it was signed")
            return None
        if not intent.is_open:
            raise JournalError(f"transaction {number} of the journal is not open: it is {intent.state}")
        attempts = self._journal.attempts(number)
        sighting = find(self._endpoint, attempts)
        if sighting.mined is None and not attempts[-1].cancels:
            base_fee = sighting.head.base_fee
            self._follower.replace(intent, attempts[-1], sighting.head, cancels=True, base_fee=base_fee, by_hand=True)
        try:
            return self._wait(intent)
        except CancelledTransactionError:
            return None

    def resume(self) -> None:
        """Sees everything that is open to its end: recovery by hand. Raises what `send` does."""
        self.tend()
        for intent in self._journal.of(*self._dispatch.key, OPEN):
            self._finish(intent)

    # ------------------------------------------------------------------ what is open

    def _see_to_open(self, to: str, data: bytes, instead: Yields, waiting: Callable[[], None]) -> Receipt | None:
        """Waits for what is open and does not give way. The receipt of the last that is the same call and succeeded."""
        found, done = self._journal.of(*self._dispatch.key, OPEN), None
        if not self._is_recovered:
            self.tend()
        for intent in found:
            is_same = (intent.to, intent.data) == (to, data)
            if instead(intent) and not is_same:
                continue
            receipt = self._finish(intent, waiting)
            if is_same:
                done = receipt
        return done

    def _yielding(self, instead: Yields) -> Intent | None:
        """The first open intent that gives way, unless it is mined by now."""
        for intent in self._journal.of(*self._dispatch.key, OPEN):
            if not instead(intent):
                continue
            if find(self._endpoint, self._journal.attempts(intent.id)).mined is None:
                return intent
            self._finish(intent, lambda: None)
        return None

    def _finish(self, intent: Intent, waiting: Callable[[], None] = lambda: None) -> Receipt | None:
        try:
            return self._wait(intent, waiting)
        except (FailedTransactionError, DroppedTransactionError, CancelledTransactionError):  # it is out of the way
            return None

    # ------------------------------------------------------------------ one transaction

    def _start(
        self, to: str, data: bytes, gas: int | None, name: str, yielding: Intent | None = None
    ) -> tuple[Intent, Refusal | None]:
        """A transaction that is in the journal, and perhaps with a node; and what the node said of it."""
        if gas is None:
            # What gives way has no effect: it is simulated without it, where the pool's state may have it.
            estimate = self.simulate(to, data) if yielding is None else self._dispatch.estimate(to, data)
            gas = estimate + estimate // _GAS_MARGIN
        dispatch = self._dispatch
        nonce = self._next_nonce() if yielding is None or yielding.nonce is None else yielding.nonce
        if any((one.to, one.data) == (to, data) for one in self._journal.of(*dispatch.key, OPEN)):
            raise DroppedTransactionError(
                f"{name or 'the transaction'} is not sent: a reorganisation took it back, and it is under way again; "
                "plan anew"
            )
        head = read_head(self._endpoint)
        fees = dispatch.fees(head.base_fee, self._offered(nonce, yielding))
        dispatch.check_budget(gas * fees.max_fee, head.timestamp, nonce=nonce)
        intent = self._journal.plan(*dispatch.key, to, data, name=name, gas=gas, at=head.timestamp)
        dispatch.tell(Kind.PLANNED, intent)
        try:
            attempt = dispatch.sign(intent, nonce, fees, head, instead=yielding)
        except BackstopError as fault:
            self._follower.give_up(intent, str(fault))
            raise
        return intent, self._broadcast(intent, attempt)

    def _offered(self, nonce: int, yielding: Intent | None) -> Fees | None:
        """The most that was offered for a nonce, by what nodes have taken or may have."""
        offers = [self._journal.offered(*self._dispatch.key, nonce)]
        if yielding is not None:
            offers += [attempt.fees for attempt in self._journal.attempts(yielding.id)]
        known = [fees for fees in offers if fees is not None]
        return Fees(max(fees.max_fee for fees in known), max(fees.tip for fees in known)) if known else None

    def _broadcast(self, intent: Intent, attempt: Attempt) -> Refusal | None:
        """Gives it to the node. Raises what the node says where it has not taken it, and does not know it."""
        try:
            return self._dispatch.broadcast(intent, attempt)
        except (NodeError, RevertError) as refusal:
            try:
                is_there = (
                    self._endpoint.request("eth_getTransactionByHash", attempt.hash) is not None
                    or self._endpoint.request("eth_getTransactionReceipt", attempt.hash) is not None
                )
            except RpcError as fault:
                raise _unknown(self._called(intent), fault) from None
            if is_there:
                return None
            self._follower.give_up(self._journal.intent(intent.id), str(refusal))
            raise
        except RpcError:  # it may have arrived: it is looked for by its hash
            return None

    def _next_nonce(self) -> int:
        """After everything that is mined or waits. Raises RpcError for a node that is behind the journal."""
        expected = self._journal.next_nonce(*self._dispatch.key)
        nonce = self._dispatch.count("pending")
        if nonce < expected:
            self.tend()
            expected = self._journal.next_nonce(*self._dispatch.key)
            nonce = self._dispatch.count("pending")
        if nonce < expected:
            raise RpcError(
                f"{self._endpoint.url} counts {nonce} transactions of {self.address}, the journal has {expected}: "
                "run again when the node has caught up; a chain that was begun anew needs a new journal"
            )
        return nonce

    def _wait(self, intent: Intent, waiting: Callable[[], None] = lambda: None) -> Receipt:
        """Looks until it is mined, confirmed, or out of the way. The intent may be of an earlier process."""
        deadline, pause = time.monotonic() + self._timeout, 0.02
        while True:
            intent = self._journal.intent(intent.id)
            if intent.state in (State.DROPPED, State.LOST):
                raise DroppedTransactionError(f"{self._called(intent)} will not be mined: {intent.reason}; plan anew")
            try:
                receipt = self._follower.look(intent)
            except RpcError as fault:
                raise _unknown(self._called(intent), fault) from None
            if receipt is not None:
                return receipt
            if time.monotonic() > deadline:
                raise TransactionError(
                    f"{self._called(intent)} is not mined after {self._timeout:.0f} s: look for it before sending again"
                )
            waiting()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _called(self, intent: Intent) -> str:
        attempts = self._journal.attempts(intent.id)
        return _name(intent.name, attempts[-1].hash if attempts else None)

    def _note(self, step: Step) -> None:
        """Keeps `mined` and `under_way`, and passes the step on."""
        called = _name(step.name, step.transaction)
        if step.kind in (Kind.JOURNALLED, Kind.REVOKED):
            self.under_way = called
            if called in self.mined:
                self.mined.remove(called)
        elif step.kind in (Kind.MINED, Kind.FAILED, Kind.CANCELLED, Kind.DROPPED, Kind.LOST):
            self.under_way = None
            if step.kind is Kind.MINED:
                self.mined.append(called)
        self._on_step(step)


def _name(name: str, transaction: str | None) -> str:
    """`deposit (0x…)`; either alone where there is no more."""
    if transaction is None:
        return name or "a transaction"
    return f"{name} ({transaction})" if name else transaction


def _unknown(called: str, why: object) -> UnknownOutcomeError:
    return UnknownOutcomeError(f"{called} was sent, outcome unknown: look for it before sending again ({why})")
