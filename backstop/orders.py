"""Orders, signed off-chain under EIP-712 (contracts/libraries/Orders.sol). Sizes and prices are WAD integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

ORDER_FIELDS = (
    ("account", "bytes32"),
    ("market", "uint16"),
    ("size", "int256"),
    ("limitPrice", "uint256"),
    ("expiry", "uint64"),
    ("epoch", "uint64"),
    ("salt", "uint256"),
    ("reduceOnly", "bool"),
)


@dataclass(frozen=True, slots=True)
class Domain:
    """What a signature is bound to: one exchange on one chain."""

    chain_id: int
    exchange: str


@dataclass(frozen=True, slots=True)
class Order:
    """A limit order: `size` signed (a buy above zero) and `limit_price` in WAD, `expiry` in seconds since 1970."""

    account: bytes
    market: int
    size: int
    limit_price: int
    expiry: int
    epoch: int = 0
    salt: int = 0
    reduce_only: bool = False

    def values(self) -> tuple[Any, ...]:
        """The fields as the contract's struct takes them."""
        return (
            self.account,
            self.market,
            self.size,
            self.limit_price,
            self.expiry,
            self.epoch,
            self.salt,
            self.reduce_only,
        )


def signable(order: Order, domain: Domain) -> SignableMessage:
    """The EIP-712 message of an order."""
    return encode_typed_data(
        domain_data={
            "name": "Backstop",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.exchange,
        },
        message_types={"Order": [{"name": name, "type": kind} for name, kind in ORDER_FIELDS]},
        message_data=dict(zip((name for name, _ in ORDER_FIELDS), order.values(), strict=True)),
    )


def order_hash(order: Order, domain: Domain) -> bytes:
    """The digest that is signed, by which the exchange counts an order's fills."""
    message = signable(order, domain)
    return keccak(b"\x19" + message.version + message.header + message.body)


def sign(order: Order, domain: Domain, signer: LocalAccount) -> bytes:
    """The 65-byte signature of an order. The signer must own `order.account`, or the exchange refuses it."""
    return bytes(Account.sign_message(signable(order, domain), signer.key).signature)
