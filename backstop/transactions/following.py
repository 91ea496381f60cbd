"""What becomes of a transaction: one look at a time, and what that look asks for.

Nothing is signed for a nonce that may still be mined with something else, unless to replace that: whatever nodes lose,
repeat or take back, of one intent at most one attempt can be mined.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from backstop.chain.endpoint import Endpoint
from backstop.errors import (
    BudgetError,
    CancelledTransactionError,
    DroppedTransactionError,
    FailedTransactionError,
    FeeCapError,
    NodeError,
    RevertError,
    RpcError,
)
from backstop.transactions.dispatch import Dispatch
from backstop.transactions.journal import Attempt, Intent, Mined, State
from backstop.transactions.lookup import FeeHead, Sighting, find, read_head
from backstop.transactions.receipt import Receipt
from backstop.transactions.refusals import Refusal
from backstop.transactions.steps import Kind

_NONCE_GONE = "its nonce went to another transaction"
_REFUSED_NOW = "the contracts would refuse it by now"
_ENDED = (FailedTransactionError, CancelledTransactionError, DroppedTransactionError)
_MINED_AS = {State.MINED: Kind.MINED, State.FAILED: Kind.FAILED, State.CANCELLED: Kind.CANCELLED}


class Follower:
    """Follows the intents of one key until nothing more can become of them."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._endpoint: Endpoint = dispatch.endpoint
        self._journal = dispatch.journal
        # The head at which a chain was first seen to be shorter than it was: a node that is behind may say so too, and
        # is believed when it says so again at another head.
        self._shorter: dict[int, str] = {}
        self._gaps: set[int] = set()
        self._private_at: dict[int, str] = {}
        # Attempts that a node has refused outright, and the head at which it last did.
        self._refused: dict[int, str] = {}

    def look(self, intent: Intent) -> Receipt | None:
        """Looks once, and rebroadcasts or replaces where that is due. The receipt, once it has its confirmations.

        Raises FailedTransactionError, CancelledTransactionError or DroppedTransactionError where it has come to that,
        FeeCapError or BudgetError where it cannot be mined at what it offers, and must not offer more, and NodeError or
        RevertError where a node refuses all that was signed for it.
        """
        attempts = self._journal.attempts(intent.id)
        sighting = find(self._endpoint, attempts)
        head = sighting.head
        if sighting.mined is not None:
            self._shorter.pop(intent.id, None)
            return self._mined(intent, sighting)
        if sighting.is_doubtful:
            return None
        if intent.mined_block is not None:
            # The node is behind, or the chain has become shorter.
            first = self._shorter.setdefault(intent.id, head.hash)
            if head.number < intent.mined_block and first == head.hash:
                return None
            self._shorter.pop(intent.id, None)
            intent = self._revoked(intent)
        count, nonce = self._dispatch.count("latest"), intent.nonce
        if nonce is None:
            return None
        if count > nonce:
            self._pass(intent, head)
            return None
        if intent.passed_block is not None:
            self._journal.passed(intent.id, None)
        if intent.is_open:
            try:
                if count < nonce:
                    self._fill(count, head)
            finally:
                self._press(intent, attempts, head)
        return None

    def is_canonical(self, intent: Intent, head: FeeHead) -> bool:
        """Whether the block that a mined intent is in still stands; settles it where it is deep enough."""
        if intent.mined_block is None:
            return True
        if head.number < intent.mined_block:
            return False
        block = self._endpoint.request("eth_getBlockByNumber", hex(intent.mined_block), False)
        if not isinstance(block, dict) or block.get("hash") != intent.mined_block_hash:
            return False
        self._shorter.pop(intent.id, None)
        self._settle_if_deep(intent, head)
        return True

    def replace(
        self, intent: Intent, newest: Attempt, head: FeeHead, *, cancels: bool, base_fee: int, by_hand: bool = False
    ) -> Attempt:
        """The same nonce with raised fees: the same call, or an empty transaction.

        `by_hand` neither the budget nor the cap of tips forbids it. Raises FeeCapError, BalanceError and BudgetError
        before anything is signed, and what the node says where it refuses it.
        """
        dispatch = self._dispatch
        gas = dispatch.gas_of_nothing() if cancels else intent.gas
        fees = dispatch.raised_fees(gas, base_fee, newest.fees, keeps_tip_cap=not by_hand)
        if not by_hand:
            dispatch.check_budget(gas * fees.max_fee, head.timestamp, nonce=newest.nonce, cancels=cancels)
        attempt = dispatch.sign(intent, newest.nonce, fees, head, gas=gas, cancels=cancels)
        dispatch.tell(Kind.REPLACED, intent, attempt.hash)
        self._broadcast(intent, attempt, head)
        return attempt

    def give_up(self, intent: Intent, reason: str) -> None:
        """It is not sent any more."""
        lost = self._journal.give_up(intent, reason) is State.LOST
        self._dispatch.tell(Kind.LOST if lost else Kind.DROPPED, intent)

    # ------------------------------------------------------------------ mined, or not any more

    def _mined(self, intent: Intent, sighting: Sighting) -> Receipt | None:
        mined, attempt = sighting.mined, sighting.attempt
        if mined is None or attempt is None:
            return None
        reason = intent.reason
        if (intent.mined_hash, intent.mined_block_hash) != (mined.hash, mined.block_hash):
            self._journal.mine(intent.id, mined, cancels=attempt.cancels)
            if not (mined.succeeded or attempt.cancels):
                reason = self._why(intent, mined)
                self._journal.note(intent.id, reason)
            intent = self._journal.intent(intent.id)
            self._dispatch.tell(_MINED_AS[intent.state], intent, mined.hash)
        self._settle_if_deep(intent, sighting.head)
        if sighting.confirmations < self._dispatch.policy.confirmations:
            return None
        if attempt.cancels:
            raise CancelledTransactionError(
                f"{intent.name or 'the transaction'} was cancelled: {mined.hash} took its nonce in block {mined.block}"
            )
        if not mined.succeeded:
            raise FailedTransactionError(f"{mined.hash} failed in block {mined.block}: {reason}")
        return sighting.receipt

    def _settle_if_deep(self, intent: Intent, head: FeeHead) -> None:
        if intent.mined_block is None or intent.is_settled:
            return
        if head.number - intent.mined_block >= self._dispatch.policy.final_after:
            self._journal.settle(intent)
            self._dispatch.tell(Kind.FINAL, intent, intent.mined_hash)

    def _revoked(self, intent: Intent) -> Intent:
        self._journal.reopen(intent.id)
        self._dispatch.tell(Kind.REVOKED, intent, intent.mined_hash)
        return self._journal.intent(intent.id)

    def _pass(self, intent: Intent, head: FeeHead) -> None:
        """Another transaction has its nonce, and none of its own has a receipt: looks at two heads have to say so.

        It is then planned without, but still looked for, and what it may cost stays reserved: its receipt may trail, or
        a reorganisation may take back what has its nonce. Settled once the nonce is gone for as long as makes a
        transaction final, and none of the journal that has it may still be taken back.
        """
        since = intent.passed_block
        if since is None or since > head.number:
            # Read anew: the count may be of a block after the head of this look.
            self._journal.passed(intent.id, read_head(self._endpoint).number)
        elif intent.is_open and since < head.number:
            self.give_up(intent, _NONCE_GONE)
            raise DroppedTransactionError(f"{_called(intent)} will not be mined: {_NONCE_GONE}; plan anew")
        elif (
            not intent.is_open
            and head.number - since >= self._dispatch.policy.final_after
            and not any(
                other.nonce == intent.nonce and other.mined_block is not None
                for other in self._journal.unsettled(*self._dispatch.key)
            )
        ):
            self._journal.settle(intent)

    def _why(self, intent: Intent, mined: Mined) -> str:
        """Why it failed, by running it again on the state after its block; the state may have moved on since."""
        try:
            self._endpoint.request("eth_call", self._dispatch.call(intent.to, intent.data), hex(mined.block))
        except RevertError as refusal:
            return str(refusal)
        except RpcError:
            pass
        return "the reason is not to be had from the node"

    # ------------------------------------------------------------------ waiting

    def _press(self, intent: Intent, attempts: Sequence[Attempt], head: FeeHead) -> None:
        """Sends it again where nobody knows it, and replaces it where it has waited long enough."""
        newest, refusal = self._placed(intent, attempts, head)
        if newest is None or refusal is Refusal.NONCE_USED:
            return
        base_fee, is_due = head.base_fee, self._is_due(newest, head)
        if refusal is Refusal.BELOW_BASE_FEE:
            is_due, base_fee = True, self._dispatch.next_base_fee(head)
        if is_due:
            self._raise(intent, attempts, newest, head, base_fee)

    def _placed(
        self, intent: Intent, attempts: Sequence[Attempt], head: FeeHead
    ) -> tuple[Attempt | None, Refusal | None]:
        """The newest attempt that a pool has, sent again where it did not, and what the node said of it.

        None where something older waits that is not wanted any more. Raises DroppedTransactionError where nobody knows
        one and it is not wanted, and what the node says where it refuses every one.
        """
        refused: NodeError | RevertError | None = None
        for attempt in self._sendable(attempts):
            if self._is_known(attempt, head):
                return attempt, None
            if not (attempt.cancels or self._is_wanted(intent)):
                if any(self._is_known(other, head) for other in attempts if other.id != attempt.id):
                    return None, None
                self.give_up(intent, _REFUSED_NOW)
                raise DroppedTransactionError(f"{_called(intent)} is not sent again: {_REFUSED_NOW}; plan anew")
            try:
                refusal = self._broadcast(intent, attempt, head)
            except (NodeError, RevertError) as fault:
                refused = refused or fault
                continue
            if refusal in (None, Refusal.KNOWN):
                self._dispatch.tell(Kind.REBROADCAST, intent, attempt.hash)
            return attempt, refusal
        if refused is not None:
            raise refused
        return None, None

    def _sendable(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """The newest first: those that no node has refused outright; else those that one has taken before, or all."""
        usual = [attempt for attempt in attempts if attempt.id not in self._refused]
        taken = [attempt for attempt in attempts if attempt.broadcast_wall is not None]
        return list(reversed(usual or taken or attempts))

    def _raise(
        self, intent: Intent, attempts: Sequence[Attempt], newest: Attempt, head: FeeHead, base_fee: int
    ) -> None:
        """Replaces `newest`, or offers a replacement again that was refused and still offers enough: once a block."""
        last = attempts[-1]
        was_refused = last.id != newest.id and last.id in self._refused
        if was_refused and self._refused[last.id] == head.hash:
            return
        try:
            if was_refused and last.max_fee >= base_fee:
                self._broadcast(intent, last, head)
                return
            # What the contracts would refuse by now makes room at the least cost.
            cancels = newest.cancels or not self._is_wanted(intent)
            self.replace(intent, newest, head, cancels=cancels, base_fee=base_fee)
        except (FeeCapError, BudgetError) as fault:
            if base_fee > newest.max_fee:  # it cannot be mined as it is
                raise type(fault)(f"{_called(intent)} waits below the base fee: {fault}") from None
        except (NodeError, RevertError):
            if base_fee > newest.max_fee:
                raise

    def _broadcast(self, intent: Intent, attempt: Attempt, head: FeeHead) -> Refusal | None:
        """Gives it to a node, and notes where that refuses it outright."""
        try:
            refusal = self._dispatch.broadcast(intent, attempt)
        except (NodeError, RevertError):
            self._refused[attempt.id] = head.hash
            raise
        self._refused.pop(attempt.id, None)
        return refusal

    def _is_due(self, newest: Attempt, head: FeeHead) -> bool:
        policy = self._dispatch.policy
        return (
            head.base_fee > newest.max_fee
            or head.timestamp - newest.signed_at >= policy.replace_after
            or head.number - newest.signed_block >= policy.replace_after_blocks
        )

    def _is_known(self, attempt: Attempt, head: FeeHead) -> bool:
        """Whether it is in a pool. A private one shows nothing: there it is taken for lost with every new block."""
        if self._endpoint.request("eth_getTransactionByHash", attempt.hash) is not None:
            return True
        if not self._dispatch.is_private:
            return False
        seen = self._private_at.get(attempt.id, head.hash if attempt.broadcast_wall is not None else "")
        self._private_at[attempt.id] = head.hash
        return seen == head.hash

    def _is_wanted(self, intent: Intent) -> bool:
        """Whether it would succeed on the newest state; that of the pool may hold the transaction itself."""
        try:
            self._endpoint.request("eth_estimateGas", self._dispatch.call(intent.to, intent.data), "latest")
        except RevertError:
            return False
        return True

    def _fill(self, nonce: int, head: FeeHead) -> None:
        """An empty transaction for a nonce that nobody uses, and that what waits has to wait for.

        But where the journal has what used it, and a reorganisation took that back, that one is looked after instead.
        """
        journal, key = self._journal, self._dispatch.key
        before = [one for one in journal.unsettled(*key) if one.nonce == nonce and (one.is_open or one.mined_block)]
        for intent in before:
            with suppress(*_ENDED):  # the journal has it
                self.look(intent)
        if before or self._dispatch.count("pending") > nonce:
            self._gaps.discard(nonce)
            return
        if nonce not in self._gaps:
            self._gaps.add(nonce)
            return
        address = self._dispatch.signer.address
        gas = self._dispatch.gas_of_nothing()
        fees = self._dispatch.fees(head.base_fee, journal.offered(*key, nonce))
        self._dispatch.check_budget(gas * fees.max_fee, head.timestamp, nonce=nonce)
        filler = journal.plan(*key, address, b"", name=f"fill nonce {nonce}", gas=gas, at=head.timestamp)
        self._broadcast(filler, self._dispatch.sign(filler, nonce, fees, head), head)


def _called(intent: Intent) -> str:
    return intent.name or f"transaction {intent.id} of the journal"
