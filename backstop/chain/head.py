"""A block's header, as far as reading needs it."""

from __future__ import annotations

from typing import Any, NamedTuple

from backstop.errors import RpcError


class Head(NamedTuple):
    """A block: its number, its hash and that of the block before it, its time in seconds."""

    number: int
    hash: str
    parent: str
    timestamp: int


def head_of(header: Any, url: str) -> Head:
    """What a node at `url` answers with for a block. Raises RpcError for what cannot be read."""
    try:
        head = Head(int(header["number"], 16), header["hash"], header["parentHash"], int(header["timestamp"], 16))
        bytes.fromhex(head.hash[2:] + head.parent[2:])
    except (TypeError, KeyError, ValueError):
        raise RpcError(f"{url} answers with a block header that cannot be read") from None
    return head
