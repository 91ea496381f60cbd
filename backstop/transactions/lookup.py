"""Where signed transactions are: in a block that is canonical, in a pool, or nowhere that the node knows of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backstop.chain.endpoint import Endpoint
from backstop.errors import RpcError
from backstop.transactions.journal import Attempt, Mined
from backstop.transactions.receipt import Receipt


@dataclass(frozen=True, slots=True)
class FeeHead:
    """The newest block of a node, with what its gas costs at least."""

    number: int
    hash: str
    timestamp: int
    base_fee: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a node says of an intent's attempts: which was mined, if any, as of which head.

    `is_doubtful`: there is a receipt, but of a block that the node does not have, or not any more.
    """

    head: FeeHead
    attempt: Attempt | None = None
    mined: Mined | None = None
    receipt: Receipt | None = None
    is_doubtful: bool = False

    @property
    def confirmations(self) -> int:
        """Blocks that hold it: its own and those after it."""
        return 0 if self.mined is None else self.head.number - self.mined.block + 1


def read_head(endpoint: Endpoint, block: str = "latest") -> FeeHead:
    """A block's header. Raises RpcError where it has no base fee."""
    header = endpoint.request("eth_getBlockByNumber", block, False)
    try:
        base = int(header["baseFeePerGas"], 16)
    except (TypeError, KeyError, ValueError):
        raise RpcError(f"{endpoint.url} gives no base fee: an EIP-1559 chain is needed") from None
    try:
        return FeeHead(int(header["number"], 16), str(header["hash"]), int(header["timestamp"], 16), base)
    except (TypeError, KeyError, ValueError):
        raise RpcError(f"{endpoint.url} answers with a block header that cannot be read") from None


def find(endpoint: Endpoint, attempts: Sequence[Attempt]) -> Sighting:
    """Looks for all attempts of an intent by hash, the newest first. Of one nonce at most one is mined."""
    for attempt in reversed(attempts):
        receipt = endpoint.request("eth_getTransactionReceipt", attempt.hash)
        if receipt is not None:
            return _judged(endpoint, attempt, receipt)
    return Sighting(read_head(endpoint))


def _judged(endpoint: Endpoint, attempt: Attempt, receipt: Any) -> Sighting:
    """A receipt counts only where the node's canonical chain has its block: not beyond the head, not beside it."""
    try:
        number, block_hash = int(receipt["blockNumber"], 16), str(receipt["blockHash"])
        read = Receipt(
            transaction=attempt.hash,
            block=number,
            gas_used=int(receipt["gasUsed"], 16),
            logs=tuple(
                (log["address"].lower(), [_bytes(t) for t in log["topics"]], _bytes(log["data"]))
                for log in receipt["logs"]
            ),
            block_hash=block_hash,
            cost=int(receipt["gasUsed"], 16) * int(receipt.get("effectiveGasPrice") or hex(attempt.max_fee), 16),
        )
        succeeded = int(receipt["status"], 16) == 1
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RpcError(f"{endpoint.url} answers with a receipt that cannot be read") from None
    head = read_head(endpoint)
    if number > head.number:
        return Sighting(head, is_doubtful=True)
    block = head if number == head.number else read_head(endpoint, hex(number))
    if block.hash != block_hash:
        return Sighting(head, is_doubtful=True)
    mined = Mined(attempt.hash, number, block_hash, block.timestamp, read.cost, succeeded)
    return Sighting(head, attempt, mined, read)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
