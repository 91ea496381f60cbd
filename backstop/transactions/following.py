"""What becomes of a transaction: one look at a time, and what that look asks for.

Nothing is signed for a nonce that may still be mined with something else, unless to replace that: whatever nodes lose,
repeat or take back, of one intent at most one attempt can be mined.
"""

from __future__ import annotations

from collections.abc import Sequence

from backstop.chain.endpoint import Endpoint
from backstop.errors import (
    BudgetError,
    CancelledTransactionError,
    DroppedTransactionError,
    FailedTransactionError,
    FeeCapError,
    RevertError,
    RpcError,
)
from backstop.transactions.dispatch import Dispatch
from backstop.transactions.journal import OPEN, Attempt, Intent, Mined, State
from backstop.transactions.lookup import FeeHead, Sighting, find
from backstop.transactions.receipt import Receipt
from backstop.transactions.refusals import Refusal
from backstop.transactions.steps import Kind

_NONCE_GONE = "its nonce went to another transaction"
_REFUSED_NOW = "the contracts would refuse it by now"
_MINED_AS = {State.MINED: Kind.MINED, State.FAILED: Kind.FAILED, State.CANCELLED: Kind.CANCELLED}


class Follower:
    """Follows the intents of one key until nothing more can become of them."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._endpoint: Endpoint = dispatch.endpoint
        self._journal = dispatch.journal
        # Seen once; what a node says of a nonce is believed when it says so again at another look.
        self._passed: set[int] = set()
        self._gaps: set[int] = set()
        self._private_at: dict[int, str] = {}

    def look(self, intent: Intent) -> Receipt | None:
        """Looks once, and rebroadcasts or replaces where that is due. The receipt, once it has its confirmations.

        Raises FailedTransactionError, CancelledTransactionError or DroppedTransactionError where it has come to that,
        and FeeCapError or BudgetError where it cannot be mined at what it offers, and must not offer more.
        """
        attempts = self._journal.attempts(intent.id)
        sighting = find(self._endpoint, attempts)
        head = sighting.head
        if sighting.mined is not None:
            return self._mined(intent, sighting)
        if sighting.is_doubtful or (intent.mined_block is not None and head.number < intent.mined_block):
            return None
        if intent.mined_block is not None:
            intent = self._revoked(intent)
        count, nonce = self._dispatch.count("latest"), intent.nonce
        if nonce is None:
            return None
        if count > nonce:
            self._pass(intent)
            return None
        self._passed.discard(intent.id)
        if intent.is_open:
            if count < nonce:
                self._fill(count, head)
            self._press(intent, attempts, head)
        return None

    def is_canonical(self, intent: Intent, head: FeeHead) -> bool:
        """Whether the block that a mined intent is in still stands; settles it where it is deep enough."""
        if intent.mined_block is None or head.number < intent.mined_block:
            return True
        block = self._endpoint.request("eth_getBlockByNumber", hex(intent.mined_block), False)
        if not isinstance(block, dict) or block.get("hash") != intent.mined_block_hash:
            return False
        self._settle_if_deep(intent, head)
        return True

    def replace(self, intent: Intent, newest: Attempt, head: FeeHead, *, cancels: bool, base_fee: int) -> Attempt:
        """The same nonce with raised fees: the same call, or an empty transaction. Raises FeeCapError, BudgetError."""
        fees = self._dispatch.fees(base_fee, newest.fees)
        if not cancels:
            self._dispatch.check_budget(intent.gas * fees.max_fee, head.timestamp, without=intent.id)
        attempt = self._dispatch.sign(intent, newest.nonce, fees, head, cancels=cancels)
        self._dispatch.tell(Kind.REPLACED, intent, attempt.hash)
        self._dispatch.broadcast(intent, attempt)
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

    def _pass(self, intent: Intent) -> None:
        """Another transaction has its nonce, and none of its own has a receipt: two looks have to say so."""
        if intent.id not in self._passed:
            self._passed.add(intent.id)
            return
        if intent.is_open:
            self.give_up(intent, _NONCE_GONE)
        self._journal.settle(self._journal.intent(intent.id))
        if intent.is_open:
            raise DroppedTransactionError(f"{_called(intent)} will not be mined: {_NONCE_GONE}; plan anew")

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
        newest = attempts[-1]
        base_fee, is_due = head.base_fee, self._is_due(newest, head)
        if not self._is_known(newest, head):
            if not (newest.cancels or self._is_wanted(intent)):
                if any(self._is_known(earlier, head) for earlier in attempts[:-1]):
                    return
                self.give_up(intent, _REFUSED_NOW)
                raise DroppedTransactionError(f"{_called(intent)} is not sent again: {_REFUSED_NOW}; plan anew")
            refusal = self._dispatch.broadcast(intent, newest)
            if refusal in (None, Refusal.KNOWN):
                self._dispatch.tell(Kind.REBROADCAST, intent, newest.hash)
            elif refusal is Refusal.NONCE_USED:
                return
            elif refusal is Refusal.BELOW_BASE_FEE:
                is_due, base_fee = True, self._dispatch.next_base_fee(head)
        if not is_due:
            return
        try:
            # What the contracts would refuse by now makes room at the least cost.
            cancels = newest.cancels or not self._is_wanted(intent)
            self.replace(intent, newest, head, cancels=cancels, base_fee=base_fee)
        except (FeeCapError, BudgetError) as fault:
            if base_fee > newest.max_fee:  # it cannot be mined as it is
                raise type(fault)(f"{_called(intent)} waits below the base fee: {fault}") from None

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
        """An empty transaction for a nonce that nobody uses, and that what waits has to wait for."""
        journal, key = self._journal, self._dispatch.key
        if self._dispatch.count("pending") > nonce or any(one.nonce == nonce for one in journal.of(*key, OPEN)):
            self._gaps.discard(nonce)
            return
        if nonce not in self._gaps:
            self._gaps.add(nonce)
            return
        address = self._dispatch.signer.address
        gas = self._endpoint.quantity("eth_estimateGas", self._dispatch.call(address, b""))
        fees = self._dispatch.fees(head.base_fee, journal.offered(*key, nonce))
        filler = journal.plan(*key, address, b"", name=f"fill nonce {nonce}", gas=gas, at=head.timestamp)
        self._dispatch.broadcast(filler, self._dispatch.sign(filler, nonce, fees, head))


def _called(intent: Intent) -> str:
    return intent.name or f"transaction {intent.id} of the journal"
