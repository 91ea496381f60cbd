"""A chain whose blocks are mined by hand, one every so many seconds of chain time, and transactions sent into them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from backstop.chain.bindings import Function
from scripts.stage.venue import FEED_DECIMALS, TestMarket, Venue

SET_ANSWER = Function("setAnswer(int256)")
FIRST = 3 * 10**9  # a tip that goes before everybody's
_MAX_FEE = 10**13
_LOOK = 0.01  # seconds


class ByHand:
    """The chain of a venue. What is sent waits for the next block, the highest tip first."""

    def __init__(self, venue: Venue, seconds: int) -> None:
        self._venue = venue
        self._node = venue.endpoint
        self._seconds = seconds
        self._time = self._node.head().timestamp

    def send(self, sender: str, to: str, data: bytes, *, tip: int = 1, gas: int = 2_000_000) -> str:
        """From an unlocked account, whether or not it will succeed. Its hash."""
        return str(
            self._node.request(
                "eth_sendTransaction",
                {
                    "from": sender,
                    "to": to,
                    "data": "0x" + data.hex(),
                    "gas": hex(gas),
                    "maxFeePerGas": hex(_MAX_FEE),
                    "maxPriorityFeePerGas": hex(tip),
                },
            )
        )

    def price(self, market: TestMarket, price: Decimal) -> str:
        """The feed's next answer, the first transaction of the next block."""
        data = SET_ANSWER.encode(int(price * 10**FEED_DECIMALS))
        return self.send(self._venue.owner.address, market.feed.address, data, tip=FIRST, gas=300_000)

    def mine(self) -> int:
        """The next block, with all that waits and finds room. Its number."""
        self._time += self._seconds
        self._node.request("evm_setNextBlockTimestamp", hex(self._time))
        self._node.request("evm_mine")
        return self._node.quantity("eth_blockNumber")

    def resume(self) -> None:
        """Goes on from the newest block, where another one has taken its place."""
        self._time = max(self._time, self._node.head().timestamp)

    def holds(self, sender: str, to: str) -> bool:
        """Whether a transaction from one address to another waits to be mined."""
        content = self._node.request("txpool_content")
        waiting = (
            one for who, own in content["pending"].items() if who.lower() == sender.lower() for one in own.values()
        )
        return any(one["to"] is not None and one["to"].lower() == to.lower() for one in waiting)

    def waiting(self, sender: str) -> bool:
        """Whether a transaction of an account waits to be mined."""
        return self._node.quantity("eth_getTransactionCount", sender, "pending") > self._node.quantity(
            "eth_getTransactionCount", sender, "latest"
        )


@contextmanager
def by_hand(venue: Venue, seconds: int) -> Iterator[ByHand]:
    """No block comes by itself."""
    venue.endpoint.request("evm_setAutomine", False)
    try:
        yield ByHand(venue, seconds)
    finally:
        venue.endpoint.request("evm_setAutomine", True)


def wait_for(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it holds before so many seconds have gone by."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= end:
            return False
        time.sleep(_LOOK)
    return True
