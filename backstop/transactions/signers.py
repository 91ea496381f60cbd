"""Who signs: a key in this process, or a signer of its own; what comes back is compared with what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from backstop.chain.keys import load_key
from backstop.errors import SignerError

_FIELDS = ("type", "chainId", "nonce", "to", "value", "data", "gas", "maxFeePerGas", "maxPriorityFeePerGas")


@dataclass(frozen=True, slots=True)
class Signed:
    """A raw transaction as nodes take it, and its hash as 0x text."""

    raw: bytes
    hash: str


class Signer(Protocol):
    """Whatever signs EIP-1559 transactions of one address. It sends none."""

    @property
    def address(self) -> str:
        """The address that pays, with its checksum."""

    def sign(self, transaction: dict[str, Any]) -> Signed:
        """The signed transaction. Raises SignerError."""


class LocalSigner:
    """A key in this process."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @property
    def address(self) -> str:
        """The address of the key."""
        return str(self._account.address)

    @property
    def account(self) -> LocalAccount:
        """The key, for what is not a transaction."""
        return self._account

    def sign(self, transaction: dict[str, Any]) -> Signed:
        """Signs with the key."""
        return Signed(raw := bytes(self._account.sign_transaction(transaction).raw_transaction), hash_of(raw))


def open_signer(
    keystore: Path | None, passphrase_file: Path | None, url: str | None = None, address: str | None = None
) -> Signer:
    """The external signer at `url` where there is one, for `address` where it has several; else the key."""
    if url is None:
        return LocalSigner(load_key(keystore, passphrase_file))
    from backstop.transactions.external_signer import ExternalSigner

    if keystore is not None:
        raise SignerError("give either --keystore or --signer: one of them signs")
    return ExternalSigner(url, address)


def as_signer(signer: Signer | LocalAccount) -> Signer:
    """A signer, also of a bare key."""
    return LocalSigner(signer) if isinstance(signer, LocalAccount) else signer


def hash_of(raw: bytes) -> str:
    """The hash that a raw transaction is known by."""
    return "0x" + keccak(raw).hex()


def sign(signer: Signer, transaction: dict[str, Any]) -> Signed:
    """Has a transaction signed. Raises SignerError unless what comes back is just that, signed by the signer's key."""
    signed = signer.sign(transaction)
    if signed.hash != hash_of(signed.raw):
        raise SignerError(f"the signer gives the hash {signed.hash} to a transaction with {hash_of(signed.raw)}")
    try:
        decoded = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
        by = str(Account.recover_transaction(HexBytes(signed.raw)))
    except Exception:  # whatever eth-account makes of somebody else's bytes
        raise SignerError("the signer gives no EIP-1559 transaction that can be read") from None
    for field in _FIELDS:
        if _plain(decoded.get(field)) != _plain(transaction[field]):
            raise SignerError(
                f"the signer has changed {field}: {_shown(decoded.get(field))} instead of {_shown(transaction[field])}"
            )
    if decoded.get("accessList"):
        raise SignerError("the signer has added an access list")
    if by != signer.address:
        raise SignerError(f"the signer has signed with the key of {by}, not of {signer.address}")
    return signed


def _plain(value: Any) -> int | bytes:
    """A field for comparison: a number, or bytes of an address or data."""
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x"))
    return bytes(value or b"")


def _shown(value: Any) -> str:
    plain = _plain(value)
    text = str(plain) if isinstance(plain, int) else "0x" + plain.hex()
    return text if len(text) <= 80 else text[:80] + "…"
