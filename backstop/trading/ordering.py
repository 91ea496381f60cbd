"""Making, signing and checking orders against the exchange that they are for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, index_of, is_cross, owner_of
from backstop.chain.bindings import ORDERS_CANCELLED
from backstop.errors import BackstopError, OrderFileError, SigningKeyError
from backstop.math.wad import UINT256_MAX, WAD, format_amount
from backstop.orders import Order, sign
from backstop.trading.client import Client
from backstop.trading.order_file import PRICE_LIMIT, OrderFile
from backstop.transactions.receipt import Receipt

_UINT64 = 2**64 - 1
_MOST_CONTRACTS = 2**111 - 1  # WAD; a position has no room for more
CANCELLED = UINT256_MAX  # what the exchange counts as filled of an order that was cancelled


def new_order(
    client: Client,
    owner: str,
    sub_id: int,
    market: str,
    size: int,
    price: int,
    *,
    seconds: int | None,
    timestamp: int | None,
    reduce_only: bool,
) -> OrderFile:
    """An unsigned order of the owner's present epoch with a random salt; `size` signed and `price` in WAD.

    It expires at `timestamp`, or `seconds` after the latest block. Raises BackstopError for what could never be filled.
    """
    view, now, account = client.market(market), client.head().timestamp, account_of(owner, sub_id)
    if is_cross(account) and view.terms.isolated_only:
        raise BackstopError(f"only isolated accounts may hold {market}: leave --cross out")
    if abs(size) > _MOST_CONTRACTS:
        raise BackstopError(
            f"{format_amount(abs(size))} contracts are too many: a position has at most "
            f"{format_amount(_MOST_CONTRACTS)}"
        )
    if price > PRICE_LIMIT:
        raise BackstopError(f"price {format_amount(price)} is too high: at most {format_amount(PRICE_LIMIT)}")
    expiry = timestamp if timestamp is not None else now + (seconds or 0)
    if not now < expiry <= _UINT64:
        raise BackstopError(
            f"expiry {expiry} is not after the latest block, which is of {now}: give a later one"
            if expiry <= now
            else f"expiry {expiry} is too far away: at most {_UINT64}"
        )
    order = Order(
        account=account,
        market=view.id,
        size=size,
        limit_price=price,
        expiry=expiry,
        epoch=client.epoch(owner),
        salt=secrets.randbits(256),
        reduce_only=reduce_only,
    )
    return OrderFile(Path("-"), market, order, client.domain)


def doubts(client: Client, item: OrderFile) -> list[str]:
    """Why an order that could be made can be filled only in part, or only by whoever has a position already."""
    view, contracts = client.market(item.market), abs(item.order.size)
    terms, notional = view.terms, contracts * view.mark // WAD
    found = []
    if notional > terms.max_notional:
        found.append(
            f"{format_amount(contracts)} contracts are worth {format_amount(notional)} now, and a position in "
            f"{item.market} may be worth {format_amount(terms.max_notional)}: the order will hardly be filled whole"
        )
    if contracts < terms.min_size and not item.order.reduce_only:
        found.append(
            f"a position in {item.market} has at least {format_amount(terms.min_size)} contracts: the order alone "
            "opens none"
        )
    return found


def check_order(client: Client, item: OrderFile) -> None:
    """Raises OrderFileError unless the order is for this exchange, and its market's name and id go together."""
    domain = item.domain
    if (domain.chain_id, domain.exchange.lower()) != (client.domain.chain_id, client.domain.exchange.lower()):
        raise OrderFileError(
            f"{item.file} is for the exchange {domain.exchange} on chain {domain.chain_id}, the deployment is "
            f"{client.domain.exchange} on chain {client.domain.chain_id}"
        )
    market = client.markets.get(item.market)
    if market is None or market.id != item.order.market:
        found = "is not listed" if market is None else f"has the id {market.id}"
        raise OrderFileError(f"{item.file}: {item.market} {found}, the order names id {item.order.market}")


def check_to_sign(client: Client, item: OrderFile, address: str) -> None:
    """Raises a BackstopError for another's key, for another exchange, and where the order could not be filled."""
    check_order(client, item)
    check_owner(item, address)
    now, epoch = client.head().timestamp, client.epoch(address)
    if item.order.expiry < now:
        raise OrderFileError(f"{item.file} expired at {item.order.expiry}, and it is {now}: make a new one")
    if item.order.epoch != epoch:
        raise OrderFileError(f"{item.file} is of epoch {item.order.epoch}, and {epoch} is current: make a new one")
    if (state := order_state(client, item)).end in (End.CANCELLED, End.FILLED):
        raise OrderFileError(f"{item.file} is {state.end} already: make a new one")


def signed_order(item: OrderFile, signer: LocalAccount) -> OrderFile:
    """The order with a signature of it."""
    return replace(item, signature=sign(item.order, item.domain, signer))


class End(StrEnum):
    """Why nothing of an order can be filled any more, in words."""

    CANCELLED = "cancelled"
    FILLED = "filled"
    EXPIRED = "expired"
    OLD_EPOCH = "cancelled by a new epoch"


@dataclass(frozen=True, slots=True)
class OrderState:
    """What has become of an order: contracts `filled`, WAD, None where a cancellation has wiped that out; `end` where
    it is over."""

    filled: int | None
    end: End | None


def order_state(client: Client, item: OrderFile) -> OrderState:
    """What has become of an order by now."""
    filled = client.filled(item.digest)
    if filled == CANCELLED:
        return OrderState(None, End.CANCELLED)
    if filled >= abs(item.order.size):
        return OrderState(filled, End.FILLED)
    if item.order.epoch < client.epoch(owner_of(item.order.account)):
        return OrderState(filled, End.OLD_EPOCH)
    return OrderState(filled, End.EXPIRED if item.order.expiry < client.head().timestamp else None)


def terms_in_words(item: OrderFile) -> str:
    """The order, until when in words, and whose account it is on."""
    order = item.order
    try:
        until = f" ({datetime.fromtimestamp(order.expiry, UTC):%Y-%m-%d %H:%M:%S} UTC)"
    except (OverflowError, OSError, ValueError):  # later than a calendar goes
        until = ""
    kind = "cross" if is_cross(order.account) else "isolated"
    return f"{item}{until}, on {kind} account {index_of(order.account)} of {owner_of(order.account)}"


def check_owner(item: OrderFile, address: str) -> None:
    """Raises SigningKeyError unless an address owns the order's account."""
    owner = owner_of(item.order.account)
    if owner != address.lower():
        raise SigningKeyError(f"the key is that of {address}, {item.file} is of {owner}: give its owner's key")


def new_epoch(receipt: Receipt) -> int | None:
    """The epoch that a mined transaction began, from its event; None where it began none."""
    for _, topics, data in receipt.logs:
        if topics and topics[0] == ORDERS_CANCELLED.topic:
            return int(ORDERS_CANCELLED.decode(topics, data)[1])
    return None


def remaining(client: Client, item: OrderFile) -> int:
    """Contracts that can still be filled, WAD; 0 where it was cancelled."""
    filled = client.filled(item.digest)
    return 0 if filled == CANCELLED else abs(item.order.size) - filled
