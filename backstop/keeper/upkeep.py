"""What keeps the fund in order when nothing urgent waits: samples, redistribution, ripe exits.

`samples` are read from events, so a sample that anybody took counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, zip_longest

from backstop.adl.due import due_inventory
from backstop.adl.snapshot import Backing, PoolKind
from backstop.chain.bindings import (
    CHECKPOINT,
    CHECKPOINTED,
    FUND_POOL_COUNT,
    FUND_SEEN,
    REDISTRIBUTE,
    SETTLE_REDEEM,
)
from backstop.chain.bindings import DECIMALS as TOKEN_DECIMALS
from backstop.chain.deployment import Deployment
from backstop.chain.endpoint import Endpoint
from backstop.chain.fund_view import read_exits, read_labels, read_stake
from backstop.chain.logs import PAGE, read_logs, topics_of
from backstop.chain.snapshot import ChainState, read_block
from backstop.math import fund
from backstop.math.wad import DECIMALS, WAD


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Which of these duties a keeper does, and how often.

    An isolated pool's market is sampled every `isolated_seconds` of chain time, and so is any market while ADL has
    started there; a shared pool's every `shared_seconds`. An exit of less than `least_exit` (WAD quote) is left alone.
    `order` are the priorities of samples, redistribution and exits.
    """

    checkpoint: bool = True
    redistribute: bool = True
    settle_exits: bool = True
    isolated_seconds: int = 60
    shared_seconds: int = 86_400
    least_exit: int = WAD
    order: tuple[int, int, int] = (40, 50, 60)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A sample of a market's result. `last` is the time of the one before, None where there is none.

    `unseen` where its trigger is due, and no sample has seen that yet.
    """

    market: str
    last: int | None
    unseen: bool

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return "checkpoint", self.market

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        return deployment.fund, CHECKPOINT.encode(state.market_ids[self.market])


@dataclass(frozen=True, slots=True)
class Redistribute:
    """What members of the depleted mutual group have above zero, for those below: `given`, WAD."""

    given: int

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return ("redistribute",)

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        return deployment.fund, REDISTRIBUTE.encode()


@dataclass(frozen=True, slots=True)
class SettleExit:
    """A ripe exit that is paid to its owner: what it is worth, WAD; `token` is the address of the pool's shares."""

    pool: str
    owner: str
    token: str
    value: int
    ripe_at: int

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other duties of a cycle."""
        return "settleExit", self.pool, self.owner

    def transaction(self, state: ChainState, deployment: Deployment) -> tuple[str, bytes]:
        """Address and calldata."""
        return self.token, SETTLE_REDEEM.encode(self.owner)


UpkeepDuty = Checkpoint | Redistribute | SettleExit


class UpkeepReader:
    """Finds what is due at a state; remembers when each market was last sampled, and how far that was read.

    With `most_blocks` a look reads the events of no more blocks than that, so that nothing waits for it: a market
    whose last sample was not found yet is looked for again at the next one, and sampled before only where a trigger is
    due.
    """

    def __init__(
        self, endpoint: Endpoint, deployment: Deployment, settings: Upkeep, *, most_blocks: int | None = None
    ) -> None:
        self._endpoint = endpoint
        self._deployment = deployment
        self._settings = settings
        self._most_blocks = most_blocks
        self._sampled: dict[int, int] = {}
        # From which block to which the samples were read, and whether those before are not needed.
        self._read_from = self._read_to = 0
        self._is_read = False

    def due(self, state: ChainState) -> list[UpkeepDuty]:
        """What is due, in turns of each kind, so that none holds another up; what nobody has seen yet comes first."""
        settings = self._settings
        samples = self._checkpoints(state) if settings.checkpoint else []
        given = redistributed(state) if settings.redistribute else 0
        exits = self._exits(state) if settings.settle_exits else []
        kinds: list[tuple[int, Sequence[UpkeepDuty]]] = [
            (settings.order[0], samples),
            (settings.order[1], [Redistribute(given)] if given else []),
            (settings.order[2], exits),
        ]
        turns = zip_longest(*(duties for _, duties in sorted(kinds, key=lambda kind: kind[0])))
        return [duty for duty in chain.from_iterable(turns) if duty is not None]

    def unseen(self, state: ChainState) -> list[Checkpoint]:
        """The samples that a due trigger waits for. No events are read for them."""
        if not self._settings.checkpoint:
            return []
        found = [Checkpoint(name, self._sampled.get(state.market_ids[name]), True) for name in self._unseen(state)]
        return sorted(found, key=lambda duty: duty.market)

    def _checkpoints(self, state: ChainState) -> list[Checkpoint]:
        self._read_samples(state)
        unseen = self._unseen(state)
        due = []
        for name, market in state.snapshot.markets.items():
            last = self._sampled.get(state.market_ids[name])
            is_time = self._is_read if last is None else state.block.timestamp - last >= self._interval(state, name)
            if name in unseen or is_time:
                due.append(Checkpoint(market.name, last, name in unseen))
        return sorted(due, key=lambda duty: (not duty.unseen, duty.last or 0))

    def _interval(self, state: ChainState, name: str) -> int:
        market = state.snapshot.markets[name]
        is_shared = state.snapshot.pools[market.pool].kind is PoolKind.SHARED
        return self._settings.shared_seconds if is_shared and not market.adl_active else self._settings.isolated_seconds

    def _unseen(self, state: ChainState) -> set[str]:
        """The markets with a trigger that is due, where the chain does not remember it yet."""
        snapshot = state.snapshot
        due = {item.inventory.market for item in due_inventory(snapshot)} | state.drawdowns_due
        at = {"blockHash": state.block.hash}
        return {
            name
            for name in due
            # A dead feed begins nothing.
            if snapshot.markets[name].is_live
            and self._endpoint.call(self._deployment.fund, FUND_SEEN, state.market_ids[name], block=at)[0] == 0
        }

    def _read_samples(self, state: ChainState) -> None:
        """When each market was last sampled, from events: those since the last look, and backwards in pages."""
        head, left = state.block.number, self._most_blocks
        if not self._read_to:
            self._read_from, self._read_to = head + 1, head
        if self._read_to < head:
            last = head if left is None else min(head, self._read_to + left)
            self._read(self._read_to + 1, last)
            left = None if left is None else left - (last - self._read_to)
            self._read_to = last
        while not self._is_read and (left is None or left > 0):
            left = self._read_back(state, left)

    def _read_back(self, state: ChainState, left: int | None) -> int | None:
        """A page before those that were read, of at most `left` blocks; how many are left then."""
        last = self._read_from - 1
        if last < self._deployment.block or set(self._sampled) >= set(state.market_ids.values()):
            self._is_read = True
            return left
        first = max(self._deployment.block, last - min(PAGE, left or PAGE) + 1)
        self._read(first, last)
        self._read_from = first
        longest = max(self._settings.shared_seconds, self._settings.isolated_seconds)
        age = state.block.timestamp - read_block(self._endpoint, state.block.chain_id, first).timestamp
        self._is_read = age >= longest
        return None if left is None else left - (last - first + 1)

    def _read(self, first: int, last: int) -> None:
        query = {"address": self._deployment.fund, "topics": topics_of(CHECKPOINTED.topic)}
        times: dict[int, int] = {}
        newest: dict[int, int] = {}
        for log in read_logs(self._endpoint, query, first, last):
            market = int.from_bytes(log.topics[1], "big")
            newest[market] = log.block
            if log.timestamp is not None:
                times[log.block] = log.timestamp
        for market, block in newest.items():
            if block not in times:
                times[block] = read_block(self._endpoint, self._deployment.chain_id, block).timestamp
            self._sampled[market] = max(self._sampled.get(market, 0), times[block])

    def _exits(self, state: ChainState) -> list[SettleExit]:
        """Ripe exits that may be paid by anyone, the largest first; none while there is an open deficit."""
        at = {"blockHash": state.block.hash}
        due: list[SettleExit] = []
        ripe = [
            (pool, owner, asked)
            for pool in range(1, self._endpoint.call(self._deployment.fund, FUND_POOL_COUNT, block=at) + 1)
            for owner, asked in read_exits(self._endpoint, self._deployment, pool, at)
            if asked.ripe_at <= state.block.timestamp
        ]
        if not ripe:
            return due
        pools, scale = read_labels(self._endpoint, self._deployment, at), self._scale
        if any(pool.deficit for pool in pools.values()):
            return due
        for pool, owner, asked in ripe:
            if asked.value * scale < self._settings.least_exit:  # it pays no more than that
                continue
            stake = read_stake(self._endpoint, self._deployment, pool, owner, at)
            value = stake.exit_value * scale
            # Its owner alone chooses the moment of one that the pool's state would have wait.
            if stake.may_redeem and not stake.refusal and value >= max(1, self._settings.least_exit):
                due.append(SettleExit(pools[pool].name, owner, pools[pool].shares, value, asked.ripe_at))
        return sorted(due, key=lambda duty: (-duty.value, duty.pool, duty.owner))

    @cached_property
    def _scale(self) -> int:
        """What a unit of the token is in WAD."""
        return int(10 ** (DECIMALS - self._endpoint.call(self._deployment.token, TOKEN_DECIMALS)))


def redistributed(state: ChainState) -> int:
    """What a redistribution would move now, WAD; 0 where the group is not depleted, or has nothing to give.

    Nor is anything given away on the last price of a dead feed.
    """
    group = [pool for pool in state.snapshot.pools.values() if pool.backing is Backing.MUTUAL]
    if state.left_out or any(
        not state.snapshot.markets[one.market].is_live for pool in group for one in pool.inventory
    ):
        return 0
    balances = [pool.balance for pool in group]
    surplus, deficit = fund.surplus_and_deficit(balances)
    return surplus if fund.is_group_depleted(balances) and deficit else 0
