"""The order file, version 1 (docs/orders.md): read strictly, written exactly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from backstop.account_id import account_text, is_cross, is_well_formed, market_of
from backstop.adl.strict_json import Node, parse
from backstop.chain.deployment import is_address
from backstop.errors import OrderFileError, SnapshotError
from backstop.math.wad import format_amount
from backstop.orders import Domain, Order, order_hash

VERSION = 1
PRICE_LIMIT = 2**96 - 1  # WAD; the exchange takes no more of a maker
_UINT64 = 2**64 - 1
_WORD = re.compile(r"0x[0-9a-f]{64}")
_SIGNATURE = re.compile(r"0x(?:[0-9a-f]{2}){1,4096}")
_KEYS = (
    "version",
    "chainId",
    "exchange",
    "account",
    "market",
    "marketId",
    "side",
    "contracts",
    "price",
    "expiry",
    "epoch",
    "salt",
    "reduceOnly",
)


class OrderSide(StrEnum):
    """What an order does. Its text is what files say."""

    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class OrderFile:
    """An order with the name of its market, what it is signed for, and the signature where it has one.

    `file` is what errors call it.
    """

    file: Path
    market: str
    order: Order
    domain: Domain
    signature: bytes | None = None

    @property
    def digest(self) -> bytes:
        """What is signed, and by which the exchange counts its fills."""
        return order_hash(self.order, self.domain)

    @property
    def side(self) -> OrderSide:
        """Whether it buys or sells."""
        return OrderSide.BUY if self.order.size > 0 else OrderSide.SELL

    def __str__(self) -> str:
        """`buy 2.5 ETH-USD at 100 until 1700086400`."""
        order = self.order
        return (
            f"{self.side} {format_amount(abs(order.size))} {self.market} at {format_amount(order.limit_price)} "
            f"until {order.expiry}{', reduce only' if order.reduce_only else ''}"
        )


def load(file: Path) -> OrderFile:
    """Reads an order file. Raises OrderFileError naming the file, the JSON path of the first fault, and the way out."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as fault:
        raise OrderFileError(f"cannot read {file}: {fault.strerror or fault}") from None
    except (UnicodeDecodeError, ValueError):
        raise OrderFileError(f"{file} is not UTF-8 text: give a file that `backstop order new` has written") from None
    try:
        return _read(file, parse(text))
    except SnapshotError as fault:
        raise OrderFileError(f"{file}: {fault}") from None


def dumps(item: OrderFile) -> str:
    """The text of the file; `load` gives the same order back."""
    order = item.order
    document: dict[str, Any] = {
        "version": VERSION,
        "chainId": item.domain.chain_id,
        "exchange": item.domain.exchange,
        "account": account_text(order.account),
        "market": item.market,
        "marketId": order.market,
        "side": item.side.value,
        "contracts": format_amount(abs(order.size)),
        "price": format_amount(order.limit_price),
        "expiry": order.expiry,
        "epoch": order.epoch,
        "salt": f"0x{order.salt:064x}",
        "reduceOnly": order.reduce_only,
    }
    if item.signature is not None:
        document["signature"] = "0x" + item.signature.hex()
    return json.dumps(document, indent=2) + "\n"


def _read(file: Path, root: Node) -> OrderFile:
    version = root.members().get("version")
    if version is not None and version.integer() != VERSION:
        version.fail(f"{version.integer()} is not a version that is known here: expected {VERSION}")
    members = root.object(required=_KEYS, optional=("signature",))
    market, account = _uint(members["marketId"], 2**16 - 1), _account(members["account"])
    if not is_cross(account) and market_of(account) != market:
        members["marketId"].fail(f"{market} is not the market {market_of(account)} of the isolated account")
    sign = 1 if members["side"].choice(OrderSide) is OrderSide.BUY else -1
    order = Order(
        account=account,
        market=market,
        size=sign * members["contracts"].positive_amount(),
        limit_price=_price(members["price"]),
        expiry=_uint(members["expiry"], _UINT64),
        epoch=_uint(members["epoch"], _UINT64),
        salt=int(_matching(members["salt"], _WORD, "0x and 64 lowercase hex digits"), 16),
        reduce_only=members["reduceOnly"].flag(),
    )
    exchange = members["exchange"].text()
    if not exchange.startswith("0x") or not is_address(exchange):
        members["exchange"].fail("not an address: 0x and 40 hex digits are expected, with a right checksum")
    signature = None
    if "signature" in members:
        signature = bytes.fromhex(_matching(members["signature"], _SIGNATURE, "0x and lowercase hex digits")[2:])
    return OrderFile(
        file=file,
        market=members["market"].name(),
        order=order,
        domain=Domain(_uint(members["chainId"], _UINT64), exchange),
        signature=signature,
    )


def _account(node: Node) -> bytes:
    account = bytes.fromhex(_matching(node, _WORD, "0x and 64 lowercase hex digits")[2:])
    if not is_well_formed(account):
        node.fail("no account id: its sub-id names neither a market nor a cross account")
    return account


def _price(node: Node) -> int:
    price = node.positive_amount()
    if price > PRICE_LIMIT:
        node.fail(f"too high: the exchange takes prices up to {format_amount(PRICE_LIMIT)}")
    return price


def _uint(node: Node, most: int) -> int:
    number = node.integer()
    if number > most:
        node.fail(f"{number} is too large: at most {most}")
    return number


def _matching(node: Node, pattern: re.Pattern[str], expected: str) -> str:
    text = node.text()
    if not pattern.fullmatch(text):
        node.fail(f"not what is expected: {expected}")
    return text
