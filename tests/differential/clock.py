"""Transactions on Anvil at timestamps of the test's own choosing."""

from __future__ import annotations

from typing import Any

from backstop.chain.endpoint import Endpoint
from backstop.errors import RevertError

_GAS = hex(15 * 10**6)


class Clock:
    """Chain time that only the test moves: every transaction is a block of its own, at the timestamp that is given.

    Senders are Anvil's own accounts or impersonated.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._request = endpoint.request

    def impersonate(self, address: str) -> None:
        """Lets `address` send, and gives it money for gas."""
        self._request("anvil_impersonateAccount", address)
        self._request("anvil_setBalance", address, hex(10**20))

    def send(self, sender: str, to: str, data: bytes, at: int) -> dict[str, Any]:
        """The receipt of a transaction mined at the timestamp `at`. It has to succeed."""
        self._request("evm_setNextBlockTimestamp", hex(at))
        call = {"from": sender, "to": to, "data": "0x" + data.hex()}
        receipt: dict[str, Any] = self._request("eth_sendTransactionSync", call | {"gas": _GAS})
        if receipt["status"] != "0x1":
            self._request("eth_call", call, receipt["blockNumber"])
            raise AssertionError(f"the transaction {receipt['transactionHash']} failed, and its call does not")
        assert receipt["blockTimestamp"] == at
        return receipt

    def refusal(self, sender: str, to: str, data: bytes, at: int) -> str | None:
        """Why a transaction at the timestamp `at` would be refused; None where it would not be."""
        call = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": _GAS}
        try:
            self._request("eth_call", call, "latest", {}, {"time": hex(at)})
        except RevertError as refusal:
            return str(refusal)
        return None
