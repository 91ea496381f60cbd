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

    `is_doubtful`: there is a receipt, but of a block above the head: the node does not have it yet, or not any more.
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
        if receipt is not None and (judged := _judged(endpoint, attempt, receipt)) is not None:
            return judged
    return Sighting(read_head(endpoint))


def _judged(endpoint: Endpoint, attempt: Attempt, receipt: Any) -> Sighting | None:
    """A receipt counts only where the node's canonical chain has its block: not beyond the head, not beside it.

    None for one beside it: it was kept from before a reorganisation, and says nothing of the chain that there is.
    Raises RpcError for one that is of another transaction.
    """
    try:
        if str(receipt["transactionHash"]).lower() != attempt.hash.lower():
            raise RpcError(f"{endpoint.url} answers with the receipt of another transaction than {attempt.hash}")
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
            cost=_cost(receipt, attempt),
        )
        succeeded = int(receipt["status"], 16) == 1
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RpcError(f"{endpoint.url} answers with a receipt that cannot be read") from None
    head = read_head(endpoint)
    if number > head.number:
        return Sighting(head, is_doubtful=True)
    block = head if number == head.number else read_head(endpoint, hex(number))
    if block.hash != block_hash:
        return None
    mined = Mined(attempt.hash, number, block_hash, block.timestamp, read.cost, succeeded)
    return Sighting(head, attempt, mined, read)


def _cost(receipt: Any, attempt: Attempt) -> int:
    """Wei that were paid: for its gas, and to the chain below where it is a rollup's that says so (`l1Fee`)."""
    price = int(receipt.get("effectiveGasPrice") or hex(attempt.max_fee), 16)
    return int(receipt["gasUsed"], 16) * price + int(receipt.get("l1Fee") or "0x0", 16)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
