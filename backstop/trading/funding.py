"""What accounts have paid for funding, from the events of the exchange."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from backstop.adl.snapshot import Block
from backstop.chain.bindings import FUNDING_PAID
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_block
from backstop.errors import NodeError, RpcError

PAGE = 10_000  # blocks asked for at once; halved for a node that gives fewer
_SMALLEST_PAGE = 10


def funding_paid(
    endpoint: Endpoint, deployment: Deployment, block: Block, accounts: Sequence[bytes]
) -> dict[tuple[bytes, int], int]:
    """By account and market id, the sum of all payments from the deployment's block to `block`, signed, WAD.

    Above zero is what was paid, below what was got. Raises RpcError where the chain no longer has `block`: logs are
    asked for by number, so only then they are those of its state.
    """
    paid: dict[tuple[bytes, int], int] = defaultdict(int)
    if not accounts:
        return paid
    query = {
        "address": deployment.exchange,
        "topics": ["0x" + FUNDING_PAID.topic.hex(), ["0x" + account.hex() for account in accounts]],
    }
    for log in _logs(endpoint, query, deployment.block, block.number):
        try:
            topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
            account, market, amount = FUNDING_PAID.decode(topics, bytes.fromhex(log["data"][2:]))
        except Exception:
            raise RpcError(f"{endpoint.url} answers eth_getLogs with a log that cannot be read") from None
        paid[account, market] += amount
    if read_block(endpoint, block.chain_id, block.number).hash != block.hash:
        raise RpcError(f"the chain was reorganised at block {block.number} while it was read: ask again")
    return paid


def _logs(endpoint: Endpoint, query: dict[str, Any], first: int, last: int) -> Iterator[Any]:
    page = PAGE
    while first <= last:
        end = min(first + page - 1, last)
        try:
            found = endpoint.request("eth_getLogs", query | {"fromBlock": hex(first), "toBlock": hex(end)})
        except NodeError:
            # Nodes limit how many blocks, or logs, they give at once, each by its own measure.
            if end - first < _SMALLEST_PAGE:
                raise
            page = (end - first + 1) // 2
            continue
        if not isinstance(found, list):
            raise RpcError(f"{endpoint.url} answers eth_getLogs with no list")
        yield from found
        first = end + 1
