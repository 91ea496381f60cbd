"""A signer that is a process of its own, which holds the key: JSON-RPC over HTTP, of docs/operate-signer.md."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from backstop.chain.deployment import is_address
from backstop.chain.endpoint import Endpoint
from backstop.errors import RpcError, SignerError
from backstop.transactions.signers import Signed, hash_of

_TIMEOUT = 10.0  # seconds; a signer that asks a human is not one for a keeper


class ExternalSigner:
    """Signs by `eth_signTransaction` for `address`, or for the one account that the signer has."""

    def __init__(self, url: str, address: str | None = None, timeout: float = _TIMEOUT) -> None:
        try:
            self._endpoint = Endpoint(url, timeout)
        except RpcError as fault:
            raise SignerError(f"the signer: {fault}") from None
        self._address = self._choose(address)

    @property
    def address(self) -> str:
        """The address that it signs for."""
        return self._address

    def sign(self, transaction: dict[str, Any]) -> Signed:
        """Has it signed there: quantities as hex numbers, bytes as hex text."""
        asked = {"from": self._address} | {name: _json(value) for name, value in transaction.items()}
        answer = self._ask("eth_signTransaction", asked)
        text = answer.get("raw") if isinstance(answer, dict) else answer
        try:
            raw = bytes.fromhex(str(text).removeprefix("0x"))
        except ValueError:
            raise SignerError(f"the signer at {self._endpoint.url} answers with no raw transaction") from None
        return Signed(raw, hash_of(raw))

    def _choose(self, address: str | None) -> str:
        accounts = self._ask("eth_accounts")
        if not isinstance(accounts, list) or not all(isinstance(one, str) and is_address(one) for one in accounts):
            raise SignerError(f"the signer at {self._endpoint.url} answers eth_accounts with no list of addresses")
        known = [str(to_checksum_address(one)) for one in accounts]
        if address is None:
            if len(known) != 1:
                raise SignerError(
                    f"the signer at {self._endpoint.url} has {len(known)} accounts: say which one signs by its address"
                )
            return known[0]
        if to_checksum_address(address) not in known:
            raise SignerError(f"the signer at {self._endpoint.url} does not sign for {address}")
        return str(to_checksum_address(address))

    def _ask(self, method: str, *params: Any) -> Any:
        try:
            return self._endpoint.request(method, *params)
        except RpcError as fault:
            raise SignerError(f"the signer at {self._endpoint.url}: {fault}") from None


def _json(value: Any) -> str:
    if isinstance(value, int):
        return hex(value)
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
