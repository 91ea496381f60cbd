"""The EIP-712 hash of an order, in Python and in the exchange."""

from __future__ import annotations

from random import Random

import pytest

from backstop import orders
from backstop.orders import Domain, Order
from scripts.stage.venue import Venue

from . import views


def test_order_hash_is_the_exchange_s(venue: Venue) -> None:
    rng = Random("orders")
    domain = venue.domain
    for _ in range(100):
        order = Order(
            account=rng.getrandbits(256).to_bytes(32, "big"),
            market=rng.choice((0, 1, 2**16 - 1)),
            size=rng.choice((-(2**255), -1, 0, 1, 2**255 - 1, rng.randint(-(2**111), 2**111))),
            limit_price=rng.choice((0, 1, 2**96 - 1, 2**256 - 1, rng.getrandbits(96))),
            expiry=rng.choice((0, 2**64 - 1, rng.getrandbits(64))),
            epoch=rng.choice((0, 2**64 - 1, rng.getrandbits(64))),
            salt=rng.choice((0, 2**256 - 1, rng.getrandbits(256))),
            reduce_only=rng.random() < 0.5,
        )
        on_chain = venue.endpoint.call(domain.exchange, views.EXCHANGE_ORDER_HASH, order.values())
        assert orders.order_hash(order, domain) == on_chain


@pytest.mark.parametrize("field", [name for name, _ in orders.ORDER_FIELDS])
def test_every_field_of_an_order_is_signed(field: str) -> None:
    domain = Domain(31337, "0x" + "11" * 20)
    plain = Order(account=bytes(32), market=1, size=1, limit_price=1, expiry=1)
    values = dict(zip(Order.__slots__, plain.values(), strict=True))
    names = dict(zip([name for name, _ in orders.ORDER_FIELDS], Order.__slots__, strict=True))
    one_more = {"account": b"\x01" + bytes(31), "reduceOnly": True}
    values[names[field]] = one_more.get(field, values[names[field]]) if field in one_more else 2
    assert orders.order_hash(Order(**values), domain) != orders.order_hash(plain, domain)


def test_order_hash_is_bound_to_chain_and_exchange() -> None:
    order = Order(account=bytes(32), market=1, size=1, limit_price=1, expiry=1)
    hashes = {
        orders.order_hash(order, Domain(chain_id, exchange))
        for chain_id in (1, 31337)
        for exchange in ("0x" + "11" * 20, "0x" + "22" * 20)
    }
    assert len(hashes) == 4
