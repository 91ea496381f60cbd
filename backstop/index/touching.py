"""Which accounts an event touches: their margin or a position of theirs may have changed with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from backstop.account_id import is_cross, market_of
from backstop.chain.bindings import (
    DELEVERAGED,
    DEPOSITED,
    FUNDING_PAID,
    INVENTORY_BOUGHT,
    KEEPER_REWARDED,
    LIQUIDATED,
    POSITION_SETTLED,
    SETTLED,
    TAKEN_OVER,
    TRANSFERRED,
    WITHDRAWN,
    Event,
)
from backstop.chain.logs import Log

# Where in an event's topics its accounts stand, in the order in which they may be new, and where the market that they
# may be new in: none where the event is of an account that is there already, or that trades nothing.
_ACCOUNTS: dict[Event, tuple[tuple[int, ...], int | None]] = {
    DEPOSITED: ((1,), None),
    WITHDRAWN: ((1,), None),
    TRANSFERRED: ((1, 2), None),
    SETTLED: ((2, 3), 1),
    FUNDING_PAID: ((1,), None),
    KEEPER_REWARDED: ((1,), None),
    LIQUIDATED: ((1, 2), 3),
    INVENTORY_BOUGHT: ((1,), 2),
    TAKEN_OVER: ((1,), None),
    POSITION_SETTLED: ((1,), None),
    DELEVERAGED: ((2,), None),
}
_BY_TOPIC = {event.topic: where for event, where in _ACCOUNTS.items()}
TOPICS = tuple(_BY_TOPIC)


class Touch(NamedTuple):
    """An account that a block's event touches; `market` is one that it may be new in, None where there is none."""

    block: int
    account: bytes
    market: int | None


def touches(logs: Iterable[Log]) -> Iterator[Touch]:
    """In the order of the events. An isolated account may be new in its own market by any event."""
    for log in logs:
        accounts, market_at = _BY_TOPIC[log.topics[0]]
        market = None if market_at is None else int.from_bytes(log.topics[market_at], "big")
        for place in accounts:
            account = log.topics[place]
            yield Touch(log.block, account, market if is_cross(account) else market_of(account))
