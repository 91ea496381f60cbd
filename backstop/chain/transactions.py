"""EIP-1559 transactions: simulated, signed here by eth-account, sent, and waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from backstop.chain.endpoint import Endpoint
from backstop.errors import (
    FailedTransactionError,
    NodeError,
    RevertError,
    RpcError,
    TransactionError,
    UnknownOutcomeError,
)

_GAS_MARGIN = 5  # a fifth more than estimated: state moves between estimate and block
# However much a node suggests: a node that is wrong, or not honest, must not spend the key's ether.
_MOST_TIP = 100 * 10**9


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction that succeeded; `logs` are (address in lowercase, topics, data)."""

    transaction: str
    block: int
    gas_used: int
    logs: tuple[tuple[str, list[bytes], bytes], ...]


class Sender:
    """Sends from one key over one endpoint, one transaction after the other.

    `mined` are those that succeeded, and `under_way` is one whose outcome is not known, each with its name and hash:
    whoever is interrupted can still tell.
    """

    def __init__(self, endpoint: Endpoint, signer: LocalAccount, chain_id: int, timeout: float = 120.0) -> None:
        self._endpoint = endpoint
        self._signer = signer
        self._chain_id = chain_id
        self._timeout = timeout
        self.mined: list[str] = []
        self.under_way: str | None = None

    @property
    def address(self) -> str:
        """The address that pays."""
        return str(self._signer.address)

    def has_pending(self) -> bool:
        """Whether a transaction of this key waits to be mined."""
        mined, sent = (
            self._endpoint.quantity("eth_getTransactionCount", self.address, at) for at in ("latest", "pending")
        )
        return sent > mined

    def simulate(self, to: str, data: bytes) -> int:
        """Gas that a transaction would use now. Raises RevertError where the contracts would refuse it."""
        return self._endpoint.quantity("eth_estimateGas", self._call(to, data))

    def send(self, to: str, data: bytes, gas: int | None = None, *, name: str = "") -> Receipt:
        """Simulates, signs and sends, and waits for the receipt.

        `gas` is for a call whose estimate says too little, because it swallows the failures of its parts; `name` is
        what errors call it beside its hash. Raises RevertError where the contracts refuse it before anything is sent,
        FailedTransactionError where it was mined and failed, TransactionError where it was not mined within the
        timeout, and UnknownOutcomeError where the node has it, or may have it, and gives no usable answer any more.
        """
        if gas is None:
            estimate = self.simulate(to, data)
            gas = estimate + estimate // _GAS_MARGIN
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": self._endpoint.quantity("eth_getTransactionCount", self.address, "pending"),
            "to": to,
            "value": 0,
            "data": data,
            "gas": gas,
            **self._fees(),
        }
        signed = self._signer.sign_transaction(transaction)
        sent = "0x" + signed.hash.hex()
        self.under_way = called = f"{name} ({sent})" if name else sent
        try:
            self._endpoint.request("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        except (NodeError, RevertError):  # the node was reached, and did not take it
            self.under_way = None
            raise
        except RpcError as fault:
            raise _unknown(called, fault) from None
        try:
            receipt = self._wait(sent, to, data)
        except RpcError as fault:
            raise _unknown(called, fault) from None
        except FailedTransactionError:
            self.under_way = None
            raise
        except (AttributeError, KeyError, TypeError, ValueError):
            raise _unknown(called, f"{self._endpoint.url} answers with a receipt that cannot be read") from None
        self.under_way = None
        self.mined.append(called)
        return receipt

    def _fees(self) -> dict[str, int]:
        """A base fee that doubles still leaves the transaction includable; the tip is the node's suggestion, capped."""
        header = self._endpoint.request("eth_getBlockByNumber", "latest", False)
        try:
            base = int(header["baseFeePerGas"], 16)
        except (TypeError, KeyError, ValueError):
            raise RpcError(f"{self._endpoint.url} gives no base fee: an EIP-1559 chain is needed") from None
        tip = min(self._endpoint.quantity("eth_maxPriorityFeePerGas"), _MOST_TIP)
        return {"maxFeePerGas": 2 * base + tip, "maxPriorityFeePerGas": tip}

    def _wait(self, transaction: str, to: str, data: bytes) -> Receipt:
        """The receipt, once the node has the block that it names: a receipt from beyond the head is not believed."""
        deadline = time.monotonic() + self._timeout
        pause = 0.02
        while True:
            receipt = self._endpoint.request("eth_getTransactionReceipt", transaction)
            if receipt is not None and int(receipt["blockNumber"], 16) <= self._endpoint.quantity("eth_blockNumber"):
                break
            if time.monotonic() > deadline:
                raise TransactionError(
                    f"{transaction} is not mined after {self._timeout:.0f} s: look for it before sending again"
                )
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
        if int(receipt["status"], 16) != 1:
            reason = self._reason(to, data, receipt)
            raise FailedTransactionError(f"{transaction} failed in block {int(receipt['blockNumber'], 16)}: {reason}")
        return Receipt(
            transaction=transaction,
            block=int(receipt["blockNumber"], 16),
            gas_used=int(receipt["gasUsed"], 16),
            logs=tuple(
                (log["address"].lower(), [_bytes(t) for t in log["topics"]], _bytes(log["data"]))
                for log in receipt["logs"]
            ),
        )

    def _reason(self, to: str, data: bytes, receipt: Any) -> str:
        """Why it failed, by running it again on the state after its block; the state may have moved on since."""
        try:
            self._endpoint.request("eth_call", self._call(to, data), receipt["blockNumber"])
        except RevertError as refusal:
            return str(refusal)
        except RpcError:
            pass
        return "the reason is not to be had from the node"

    def _call(self, to: str, data: bytes) -> dict[str, str]:
        return {"from": self.address, "to": to, "data": "0x" + data.hex()}


def _unknown(called: str, why: object) -> UnknownOutcomeError:
    return UnknownOutcomeError(f"{called} was sent, outcome unknown: look for it before sending again ({why})")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
