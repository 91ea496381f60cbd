"""Events of a range of blocks, in pages that a node is willing to give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from backstop.adl.snapshot import Block
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_block
from backstop.errors import NodeError, RpcError

PAGE = 10_000  # blocks asked for at once; halved for a node that gives fewer
_SMALLEST_PAGE = 10
_BLOOM_BITS = 2048


class Log(NamedTuple):
    """An event: where it stands, who emitted it (in lowercase), its topics and its data.

    `timestamp` is that of its block where the node says so with the event.
    """

    block: int
    place: int
    transaction: str
    address: str
    topics: list[bytes]
    data: bytes
    timestamp: int | None


def read_logs(
    endpoint: Endpoint,
    query: dict[str, Any],
    first: int,
    last: int,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Log]:
    """The events of `query` (`address`, `topics`) from one block to another, both included, in order.

    A node that refuses a page is asked for half of it, and `tell` is told. Raises NodeError where it refuses the
    smallest one too, and RpcError for what cannot be read.
    """
    page = PAGE
    while first <= last:
        end = min(first + page - 1, last)
        try:
            found = endpoint.request("eth_getLogs", query | {"fromBlock": hex(first), "toBlock": hex(end)})
        except NodeError as refusal:
            # Nodes limit how many blocks, or logs, they give at once, each by its own measure.
            blocks = end - first + 1
            if blocks <= _SMALLEST_PAGE:
                raise NodeError(f"{endpoint.url} does not even give the logs of {blocks} blocks: {refusal}") from None
            page = blocks // 2
            tell(f"{endpoint.url} does not give the logs of {blocks} blocks at once, asking for {page}: {refusal}")
            continue
        if not isinstance(found, list):
            raise RpcError(f"{endpoint.url} answers eth_getLogs with no list")
        for log in found:
            yield log_of(endpoint, log)
        first = end + 1


def log_of(endpoint: Endpoint, log: Any) -> Log:
    """An event as a node gives it. Raises RpcError for what cannot be read."""
    try:
        at = log.get("blockTimestamp")
        return Log(
            block=int(log["blockNumber"], 16),
            place=int(log["logIndex"], 16),
            transaction=log["transactionHash"],
            address=log["address"].lower(),
            topics=[bytes.fromhex(topic[2:]) for topic in log["topics"]],
            data=bytes.fromhex(log["data"][2:]),
            timestamp=None if at is None else int(at, 16),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RpcError(f"{endpoint.url} answers eth_getLogs with a log that cannot be read") from None


def may_have(bloom: int, part: bytes) -> bool:
    """Whether a block may have an event of an address, or with a topic, by its header's bloom filter; 0 has none."""
    digest = keccak(part)
    return all(bloom >> (int.from_bytes(digest[at : at + 2], "big") % _BLOOM_BITS) & 1 for at in (0, 2, 4))


def topics_of(*events: bytes) -> list[Sequence[str]]:
    """The `topics` of a query for any of these events, by their first topics."""
    return [["0x" + topic.hex() for topic in events]]


def check_still_there(endpoint: Endpoint, block: Block) -> None:
    """Logs are asked for by number: raises RpcError where `block` is no longer the one of the chain."""
    if read_block(endpoint, block.chain_id, block.number).hash != block.hash:
        raise RpcError(f"the chain was reorganised at block {block.number} while it was read: ask again")
