"""A block's header, as far as reading needs it."""

from __future__ import annotations

from typing import Any, NamedTuple

from backstop.errors import RpcError

_BLOOM_BITS = 2048


class Head(NamedTuple):
    """A block: its number, its hash and that of the block before it, its time in seconds.

    `bloom` is the filter of its events, 0 where the node gives none, and `base_fee` what its gas costs, in wei.
    """

    number: int
    hash: str
    parent: str
    timestamp: int
    bloom: int = 0
    base_fee: int | None = None


def head_of(header: Any, url: str) -> Head:
    """What a node at `url` answers with for a block. Raises RpcError for what cannot be read."""
    try:
        head = Head(int(header["number"], 16), header["hash"], header["parentHash"], int(header["timestamp"], 16))
        fee = header.get("baseFeePerGas")
        head = head._replace(bloom=bloom_of(header), base_fee=None if fee is None else int(fee, 16))
        bytes.fromhex(head.hash[2:] + head.parent[2:])
    except (AttributeError, TypeError, KeyError, ValueError):
        raise RpcError(f"{url} answers with a block header that cannot be read") from None
    return head


def bloom_of(header: Any) -> int:
    """The filter of a block's events by its header; 0 where it cannot be read, or says yes to everything."""
    try:
        bloom = int(header["logsBloom"], 16)
    except (TypeError, KeyError, ValueError):
        return 0
    return 0 if bloom.bit_count() == _BLOOM_BITS else bloom
