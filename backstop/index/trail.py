"""How the chain came from the block that the index knows to its present head."""

from __future__ import annotations

from typing import NamedTuple

from backstop.chain.endpoint import Endpoint
from backstop.chain.head import Head, head_of
from backstop.errors import RpcError

RECENT = 16  # blocks up to the head whose hashes are known, and whose events are asked for by hash
KEPT = 256  # blocks whose hashes are kept: a reorganisation that goes further back is read anew
_AT_ONCE = 32


class Trail(NamedTuple):
    """The newest block that the index and the chain have in common, and the hashes of the last blocks after it."""

    common: int
    recent: dict[int, str]


def find_trail(endpoint: Endpoint, head: Head, known: dict[int, str]) -> Trail | None:
    """The way from the blocks of the index to `head`; None where they have none in common any more.

    Raises RpcError where the chain is reorganised while it is looked at.
    """
    if known.get(head.number) == head.hash:
        return Trail(head.number, {})
    older = sorted((number for number in known if number < head.number), reverse=True)
    if not older:
        return None
    recent = _recent(endpoint, head, max(older[0], head.number - RECENT), known)
    common = next((number for number in older if recent.get(number) == known[number]), None)
    unknown = [number for number in older if number not in recent]
    while common is None and unknown:
        part, unknown = unknown[:_AT_ONCE], unknown[_AT_ONCE:]
        common = next((found.number for found in _heads(endpoint, part) if found.hash == known[found.number]), None)
    if common is None:
        return None
    if min(recent) > max(common + 1, head.number - RECENT):
        return trail_from(endpoint, head, common)
    return Trail(common, {number: one for number, one in recent.items() if number > common})


def trail_from(endpoint: Endpoint, head: Head, common: int) -> Trail:
    """The way from a block that needs no comparing."""
    return Trail(common, _recent(endpoint, head, max(common + 1, head.number - RECENT), {}))


def _recent(endpoint: Endpoint, head: Head, first: int, known: dict[int, str]) -> dict[int, str]:
    """The hashes from a block to the head, each the parent of the next. The usual next block costs no request."""
    if known.get(head.number - 1) == head.parent:
        return {head.number - 1: head.parent, head.number: head.hash}
    hashes = {head.number: head.hash}
    parent = head.parent
    for found in _heads(endpoint, list(range(head.number - 1, first - 1, -1))):
        if found.hash != parent:
            raise RpcError(f"the chain was reorganised at block {found.number} while it was read: ask again")
        hashes[found.number], parent = found.hash, found.parent
    return hashes


def _heads(endpoint: Endpoint, numbers: list[int]) -> list[Head]:
    found = endpoint.batch([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
    heads = [head_of(header, endpoint.url) for header in found]
    if [head.number for head in heads] != numbers:
        raise RpcError(f"{endpoint.url} answers with other blocks than those it was asked for")
    return heads
