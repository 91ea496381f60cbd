"""Calldata and order digests, built by hand from words: the libraries' encoders would take longer than the EVM does."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from eth_utils.crypto import keccak

from backstop.orders import ORDER_FIELDS, Domain, Order

_WORD = 1 << 256
NO_RETURN_BOUND = -(2**255)  # nobody may be left off the list


class Bounds(NamedTuple):
    """`Bounds` of a round, in their order; by default none."""

    min_price: int = -(2**255)
    max_price: int = 2**255 - 1
    marks: tuple[tuple[int, int, int], ...] = ()  # market, lowest, highest
    lowest_return: int = NO_RETURN_BOUND
    deadline: int = 2**256 - 1


def word(value: int | bytes | bool | str) -> bytes:
    """One ABI word: an integer (negative ones in two's complement), 32 bytes as they are, or an address."""
    if isinstance(value, bytes):
        return value.ljust(32, b"\0")
    if isinstance(value, str):
        value = int(value, 16)
    return (value % _WORD).to_bytes(32, "big")


def words(*values: int | bytes | bool | str) -> bytes:
    """Several of them."""
    return b"".join(map(word, values))


@cache
def selector(signature: str) -> bytes:
    """The first four bytes of calldata."""
    return keccak(text=signature)[:4]


def call(signature: str, *values: int | bytes | bool | str) -> bytes:
    """Calldata of a function whose parameters are all static."""
    return selector(signature) + words(*values)


def word_array(values: Iterable[int | bytes | str]) -> bytes:
    """The tail of a dynamic array of words."""
    items = list(values)
    return words(len(items), *items)


_ORDER_TYPE = f"Order({','.join(f'{kind} {name}' for name, kind in ORDER_FIELDS)})"
_ORDER_HASH = keccak(text=_ORDER_TYPE)
_ORDER_TUPLE = f"({','.join(kind for _, kind in ORDER_FIELDS)})"
_SETTLE = f"settle({_ORDER_TUPLE},bytes,{_ORDER_TUPLE},bytes,uint256)"
_SETTLE_BATCH = f"settleBatch(({_ORDER_TUPLE},bytes,{_ORDER_TUPLE},bytes,uint256)[])"
_DELEVERAGE = "deleverage(uint16,uint8,bytes32[],(int256,int256,(uint16,uint96,uint96)[],int256,uint256))"
_DOMAIN_HASH = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")


@cache
def domain_separator(domain: Domain) -> bytes:
    """EIP-712's hash of the domain."""
    return keccak(
        words(_DOMAIN_HASH, keccak(text="Backstop"), keccak(text="1"), domain.chain_id, domain.exchange.lower())
    )


def order_digest(order: Order, domain: Domain) -> bytes:
    """What `backstop.orders.order_hash` says, in a fiftieth of its time; a test holds them equal."""
    return keccak(b"\x19\x01" + domain_separator(domain) + keccak(_ORDER_HASH + words(*order.values())))


def settle(maker: Order, maker_signature: bytes, taker: Order, taker_signature: bytes, size: int) -> bytes:
    """Calldata of `Exchange.settle`."""
    return selector(_SETTLE) + _pair(maker, maker_signature, taker, taker_signature, size)


def settle_batch(pairs: Iterable[tuple[Order, bytes, Order, bytes, int]]) -> bytes:
    """Calldata of `Exchange.settleBatch`."""
    tails = [_pair(*pair) for pair in pairs]
    places = [32 * len(tails) + sum(map(len, tails[:i])) for i in range(len(tails))]
    return selector(_SETTLE_BATCH) + words(32, len(tails), *places) + b"".join(tails)


def _pair(maker: Order, maker_signature: bytes, taker: Order, taker_signature: bytes, size: int) -> bytes:
    head = 2 * 8 + 3
    first, second = _blob(maker_signature), _blob(taker_signature)
    fields = words(*maker.values(), 32 * head, *taker.values(), 32 * head + len(first), size)
    return fields + first + second


def cancel(order: Order) -> bytes:
    """Calldata of `Exchange.cancel`."""
    return call(f"cancel({_ORDER_TUPLE})", *order.values())


def deleverage(market: int, side: int, candidates: Iterable[bytes], bounds: Bounds) -> bytes:
    """Calldata of `ADLEngine.deleverage`."""
    listed = word_array(candidates)
    low, high, marks, lowest, deadline = bounds
    tail = words(low, high, 32 * 5, lowest, deadline, len(marks), *(value for mark in marks for value in mark))
    return call(_DELEVERAGE, market, side, 32 * 4, 32 * 4 + len(listed)) + listed + tail


def challenge(round_id: int, account: bytes) -> bytes:
    """Calldata of `RoundBook.challenge`, without hints."""
    return call("challenge(uint256,bytes32,uint32[])", round_id, account, 32 * 3, 0)


def read(owners: Iterable[str], orders: Iterable[bytes], accounts: Iterable[bytes], backed: Iterable[int]) -> bytes:
    """Calldata of `StateReader.read`."""
    tails = [word_array(owners), word_array(orders), word_array(accounts)]
    heads = [128, 128 + len(tails[0]), 128 + len(tails[0]) + len(tails[1])]
    mask = sum(1 << market for market in backed)
    return call("read(address[],bytes32[],bytes32[],uint256)", *heads, mask) + b"".join(tails)


def _blob(data: bytes) -> bytes:
    return word(len(data)) + data + b"\0" * (-len(data) % 32)
