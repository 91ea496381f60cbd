"""A transaction's way out: priced, signed, written into the journal, and only then given to a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eth_utils.address import to_checksum_address

from backstop.chain.endpoint import Endpoint
from backstop.errors import BalanceError, FeeCapError, NodeError, RevertError, RpcError
from backstop.transactions.fees import DAY, HOUR, Fees, Policy, check_budget, ether, offer
from backstop.transactions.journal import Attempt, Intent, Journal
from backstop.transactions.lookup import FeeHead
from backstop.transactions.refusals import Refusal, refusal_of
from backstop.transactions.signers import Signer, sign
from backstop.transactions.steps import Kind, Step


class Dispatch:
    """What a sender and its follower share: the nodes, the key, the journal and the policy."""

    def __init__(
        self,
        endpoint: Endpoint,
        private: Endpoint | None,
        signer: Signer,
        chain_id: int,
        journal: Journal,
        policy: Policy,
        on_step: Callable[[Step], None],
    ) -> None:
        self.endpoint = endpoint
        self.signer = signer
        self.chain_id = chain_id
        self.journal = journal
        self.policy = policy
        self.is_private = private is not None
        self._broadcaster = private or endpoint
        self._on_step = on_step

    @property
    def key(self) -> tuple[int, str]:
        """Whose rows of the journal these are."""
        return self.chain_id, self.signer.address

    def tell(self, kind: Kind, intent: Intent, transaction: str | None = None) -> None:
        """A step of an intent."""
        self._on_step(Step(kind, intent.id, intent.name, transaction))

    def count(self, block: str) -> int:
        """How many transactions the key has sent, `latest` or `pending`."""
        return self.endpoint.quantity("eth_getTransactionCount", self.signer.address, block)

    def call(self, to: str, data: bytes) -> dict[str, str]:
        """A call as the key's."""
        return {"from": self.signer.address, "to": to, "data": "0x" + data.hex()}

    def estimate(self, to: str, data: bytes) -> int:
        """Gas that a call would use on the newest state. Raises RevertError."""
        return self.endpoint.quantity("eth_estimateGas", self.call(to, data), "latest")

    def fees(self, base_fee: int, above: Fees | None = None) -> Fees:
        """What to offer now. Raises FeeCapError."""
        return offer(base_fee, self.endpoint.quantity("eth_maxPriorityFeePerGas"), self.policy, above)

    def raised_fees(self, gas: int, base_fee: int, above: Fees, *, keeps_tip_cap: bool) -> Fees:
        """What a replacement of so much gas offers: as much as the balance carries, where that is enough.

        Raises FeeCapError, and BalanceError where the balance is what forbids it: a node would refuse it.
        """
        suggested = self.endpoint.quantity("eth_maxPriorityFeePerGas")
        fees = offer(base_fee, suggested, self.policy, above, keeps_tip_cap=keeps_tip_cap)
        balance = self.endpoint.quantity("eth_getBalance", self.signer.address, "latest")
        if gas * fees.max_fee <= balance:
            return fees
        carried = replace(self.policy, max_fee=balance // gas)
        try:
            return offer(base_fee, suggested, carried, above, keeps_tip_cap=keeps_tip_cap)
        except FeeCapError:
            raise BalanceError(
                f"a replacement may cost {ether(gas * fees.max_fee)} ether, and {self.signer.address} has "
                f"{ether(balance)}: send it ether, or wait until gas is cheaper"
            ) from None

    def gas_of_nothing(self) -> int:
        """Gas of an empty transaction to the key itself."""
        return self.endpoint.quantity("eth_estimateGas", self.call(self.signer.address, b""))

    def next_base_fee(self, head: FeeHead) -> int:
        """The base fee of the block after the head, where the node says it and it is the higher one."""
        try:
            history = self.endpoint.request("eth_feeHistory", "0x1", "latest", [])
            return max(head.base_fee, int(history["baseFeePerGas"][-1], 16))
        except (RpcError, TypeError, KeyError, IndexError, ValueError):
            return head.base_fee

    def check_budget(self, cost: int, now: int, *, nonce: int, cancels: bool = False) -> None:
        """Raises BudgetError where what costs at most `cost`, and takes or keeps a nonce, passes what may be spent.

        Of a nonce at most one transaction is mined: what was offered for this one before is not reserved twice. What
        `cancels` and costs no more than that is never too much.
        """
        if self.policy.per_hour is None and self.policy.per_day is None:
            return
        reserved = self.journal.reserved(*self.key)
        before = reserved.pop(nonce, 0)
        if cancels and cost <= before:
            return
        others = sum(reserved.values())
        in_hour, in_day = (others + self.journal.paid(*self.key, now - window) for window in (HOUR, DAY))
        check_budget(max(cost, before), in_hour, in_day, self.policy)

    def sign(
        self,
        intent: Intent,
        nonce: int,
        fees: Fees,
        head: FeeHead,
        *,
        gas: int | None = None,
        cancels: bool = False,
        instead: Intent | None = None,
    ) -> Attempt:
        """An attempt that is in the journal and that nobody has seen; `cancels`: an empty one to the key itself.

        `gas` is the intent's unless it is given. `instead` is an open intent of the same nonce that gives way.
        """
        to, data = (self.signer.address, b"") if cancels else (intent.to, intent.data)
        gas = intent.gas if gas is None else gas
        signed = sign(
            self.signer,
            {
                "type": 2,
                "chainId": self.chain_id,
                "nonce": nonce,
                "to": to_checksum_address(to),
                "value": 0,
                "data": data,
                "gas": gas,
                "maxFeePerGas": fees.max_fee,
                "maxPriorityFeePerGas": fees.tip,
            },
        )
        self.tell(Kind.SIGNED, intent, signed.hash)
        attempt = self.journal.sign(
            intent.id,
            nonce,
            signed,
            fees,
            gas=gas,
            cancels=cancels,
            block=head.number,
            at=head.timestamp,
            instead=instead.id if instead else None,
        )
        self.tell(Kind.JOURNALLED, intent, signed.hash)
        if instead is not None:
            self.tell(Kind.PREEMPTED, instead)
        return attempt

    def broadcast(self, intent: Intent, attempt: Attempt) -> Refusal | None:
        """Gives an attempt to a node; a refusal that says what to do is returned, any other raised as what it is."""
        known = None
        try:
            self._broadcaster.request("eth_sendRawTransaction", "0x" + attempt.raw.hex())
        except (NodeError, RevertError) as refusal:
            known = refusal_of(str(refusal))
            if known is Refusal.OTHER:
                raise
            if known is not Refusal.KNOWN:
                return known
        self.tell(Kind.BROADCAST, intent, attempt.hash)
        self.journal.broadcast(attempt)
        self.tell(Kind.WAITING, intent, attempt.hash)
        return known
