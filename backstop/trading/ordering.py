"""Making, signing and checking orders against the exchange that they are for."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, is_cross, owner_of
from backstop.errors import BackstopError, OrderFileError, SigningKeyError
from backstop.math.wad import UINT256_MAX, format_amount
from backstop.orders import Order, sign
from backstop.trading.client import Client
from backstop.trading.order_file import PRICE_LIMIT, OrderFile

_UINT64 = 2**64 - 1
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


def signed_order(client: Client, item: OrderFile, signer: LocalAccount) -> OrderFile:
    """The order with its owner's signature. Raises a BackstopError for another's key, and where it is out of date."""
    check_order(client, item)
    check_owner(item, str(signer.address))
    now, epoch = client.head().timestamp, client.epoch(signer.address)
    if item.order.expiry < now:
        raise OrderFileError(f"{item.file} expired at {item.order.expiry}, and it is {now}: make a new one")
    if item.order.epoch != epoch:
        raise OrderFileError(f"{item.file} is of epoch {item.order.epoch}, and {epoch} is current: make a new one")
    return replace(item, signature=sign(item.order, client.domain, signer))


def check_owner(item: OrderFile, address: str) -> None:
    """Raises SigningKeyError unless an address owns the order's account."""
    owner = owner_of(item.order.account)
    if owner != address.lower():
        raise SigningKeyError(f"the key is that of {address}, {item.file} is of {owner}: give its owner's key")


def remaining(client: Client, item: OrderFile) -> int:
    """Contracts that can still be filled, WAD; 0 where it was cancelled."""
    filled = client.filled(item.digest)
    return 0 if filled == CANCELLED else abs(item.order.size) - filled
