"""The last rounds, followed by their events: a page of blocks first, then only what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from backstop.adl.due import Trigger
from backstop.adl.snapshot import Block, Side
from backstop.chain.bindings import DELEVERAGED, ROUND_EXECUTED
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.fund_view import TRIGGERS
from backstop.chain.logs import PAGE, Log, read_logs, topics_of
from backstop.chain.snapshot import read_block

SHOWN = 5
_DEPTH = 16  # blocks that a reorganisation may take back
_SIDES = (Side.LONG, Side.SHORT)


@dataclass(frozen=True, slots=True)
class RoundLine:
    """A round in short. WAD; `contracts` with what was netted within the pool, `time` in seconds."""

    id: int
    market: int
    side: Side
    trigger: Trigger | None
    contracts: int
    price: int
    counterparties: int
    block: int
    time: int


class RecentRounds:
    """The last rounds of the last `PAGE` blocks."""

    def __init__(self, endpoint: Endpoint, deployment: Deployment) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._until = -1
        self._found: list[RoundLine] = []

    def at(self, block: Block, markets: Collection[int]) -> tuple[RoundLine, ...]:
        """Those up to a block in some markets, the same each time; newest first.

        Raises NodeError where the node gives no events.
        """
        first = max(self._deployment.block, block.number - PAGE + 1)
        if 0 <= self._until <= block.number:
            first = max(first, self._until - _DEPTH + 1)
            kept = [one for one in self._found if one.block < first]
        else:
            kept = []
        kept = [*self._read(first, block.number, markets), *kept][:SHOWN]
        self._found, self._until = kept, block.number
        return tuple(kept)

    def _read(self, first: int, last: int, markets: Collection[int]) -> list[RoundLine]:
        query = {
            "address": self._deployment.engine,
            "topics": topics_of(ROUND_EXECUTED.topic, DELEVERAGED.topic),
        }
        logs = list(read_logs(self._endpoint, query, first, last))
        closed = Counter(log.topics[1] for log in logs if log.topics[0] == DELEVERAGED.topic)
        executed = [
            log
            for log in logs
            if log.topics[0] == ROUND_EXECUTED.topic and int.from_bytes(log.topics[2], "big") in markets
        ]
        return [self._line(log, closed[log.topics[1]]) for log in reversed(executed[-SHOWN:])]

    def _line(self, log: Log, counterparties: int) -> RoundLine:
        number, market, _, outcome = ROUND_EXECUTED.decode(log.topics, log.data)
        side, trigger, _, price, contracts, netted, *_ = outcome
        time = log.timestamp
        if time is None:
            time = read_block(self._endpoint, self._deployment.chain_id, log.block).timestamp
        return RoundLine(
            id=number,
            market=market,
            side=_SIDES[side],
            trigger=TRIGGERS[trigger],
            contracts=contracts + netted,
            price=price,
            counterparties=counterparties,
            block=log.block,
            time=time,
        )
