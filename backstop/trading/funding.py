"""What accounts have paid for funding, from the events of the exchange."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from backstop.adl.snapshot import Block
from backstop.chain.bindings import FUNDING_PAID
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.logs import check_still_there, read_logs
from backstop.errors import RpcError


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
    for log in read_logs(endpoint, query, deployment.block, block.number):
        try:
            account, market, amount = FUNDING_PAID.decode(log.topics, log.data)
        except Exception:
            raise RpcError(f"{endpoint.url} answers eth_getLogs with a log that cannot be read") from None
        paid[account, market] += amount
    check_still_there(endpoint, block)
    return paid
