"""What happened to the pools, from the events of the fund, its shares and the engine, held against the chain."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_utils.address import to_checksum_address

from backstop.chain import bindings as b
from backstop.chain.bindings import Event
from backstop.chain.fund_view import ITEMS, TRIGGERS, FundView
from backstop.chain.logs import Log, check_still_there, read_logs, topics_of
from backstop.chain.market_view import text_of
from backstop.errors import RpcError
from backstop.fund.status import block_document
from backstop.fund.units import Units, iso_time
from backstop.math.wad import format_amount
from backstop.trading.client import Client

_OF_FUND = (
    b.POOL_CREATED,
    b.SHARES_ISSUED,
    b.MARKET_ASSIGNED,
    b.DRAWDOWN_BOUNDS_SET,
    b.CONTRIBUTED,
    b.REPAID,
    b.ENTERED,
    b.INHERITED,
    b.INVENTORY_CLOSED,
    b.INVENTORY_SOLD,
    b.INVENTORY_NETTED,
    b.CHECKPOINTED,
    b.ADL_STARTED,
    b.ADL_ENDED,
)
_OF_SHARES = (b.STAKED, b.REDEEM_REQUESTED, b.REDEEM_CANCELLED, b.REDEEMED)
_SIDES = ("long", "short")
_BY_TOPIC = {event.topic: event for event in (*_OF_FUND, *_OF_SHARES, b.ROUND_EXECUTED)}


@dataclass(slots=True)
class Row:
    """Something that happened. WAD, None where it is not of this kind of event.

    `event` is an item of the pool's account, or a word of its own; `amount` is what moved its cash, `cash` what it had
    after it. `balance`, `result` and `drawdown` are those of a sample; `contracts` are unsigned. `who` is an address,
    `note` whatever else there is to tell.
    """

    block: int
    place: int
    transaction: str
    time: int
    pool: str
    market: str | None
    event: str
    amount: int | None = None
    cash: int | None = None
    balance: int | None = None
    result: int | None = None
    drawdown: int | None = None
    side: str | None = None
    contracts: int | None = None
    price: int | None = None
    shares: int | None = None
    who: str | None = None
    note: str | None = None


@dataclass(slots=True)
class Bounds:
    """When a market's bounds of drawdown were set, seconds, and what trigger and stop then were, WAD."""

    time: int
    trigger: int
    stop: int


@dataclass(slots=True)
class History:
    """All rows from the deployment's block to that of `fund`, in order; the bounds of each market in time."""

    fund: FundView
    rows: list[Row]
    bounds: dict[str, list[Bounds]] = field(default_factory=dict)

    def select(self, pool: str | None, market: str | None, since: Callable[[Row], bool]) -> list[Row]:
        """The rows of a pool, of a market, and from some time on."""
        return [
            row
            for row in self.rows
            if (pool is None or row.pool == pool) and (market is None or row.market == market) and since(row)
        ]


def read_history(client: Client, fund: FundView, tell: Callable[[str], None]) -> History:
    """Everything up to the block of `fund`; `tell` is told what the node would not give at once.

    Raises RpcError where the events do not add up to the chain's own accounts, because the node has left some out, and
    where the chain was reorganised meanwhile.
    """
    reader = _Reader(client, fund, tell)
    history = reader.read()
    check_still_there(client.endpoint, fund.block)
    _check(history, reader.sums, fund, client.endpoint.url)
    return history


def _check(history: History, sums: dict[tuple[int, int], int], fund: FundView, url: str) -> None:
    for pool in fund.pools:
        for place, item in enumerate(ITEMS):
            told, held = sums.get((pool.id, place), 0), pool.items[item]
            if told != held:
                raise RpcError(
                    f'{url} leaves events out: those of pool "{pool.name}" sum to {format_amount(told)} of '
                    f"{item}, the chain has {format_amount(held)}: ask a node that has all logs since the deployment"
                )


class _Reader:
    """Events in order, and what they say of names and cash on the way."""

    def __init__(self, client: Client, fund: FundView, tell: Callable[[str], None]) -> None:
        self._client = client
        self._fund = fund
        self._tell = tell
        self._pools = {pool.id: pool.name for pool in fund.pools}
        self._pool_of: dict[int, int] = {}
        self._pool_of_shares: dict[str, int] = {}
        self._times: dict[int, int] = {}
        self._cash: dict[int, int] = defaultdict(int)
        self.sums: dict[tuple[int, int], int] = defaultdict(int)

    def read(self) -> History:
        deployment = self._client.deployment
        logs = list(self._logs([deployment.fund], _OF_FUND))
        shares = [
            b.SHARES_ISSUED.decode(log.topics, log.data) for log in logs if log.topics[0] == b.SHARES_ISSUED.topic
        ]
        self._pool_of_shares = {token.lower(): pool for pool, token in shares}
        logs += self._logs([deployment.engine], (b.ROUND_EXECUTED,))
        if self._pool_of_shares:
            logs += self._logs(list(self._pool_of_shares), _OF_SHARES)
        history = History(self._fund, [])
        for log in sorted(logs, key=lambda one: (one.block, one.place)):
            event = _BY_TOPIC[log.topics[0]]
            try:
                values = event.decode(log.topics, log.data)
            except Exception:
                raise RpcError(
                    f"{self._client.endpoint.url} answers eth_getLogs with a log that cannot be read"
                ) from None
            self._take(history, log, event, values)
        return history

    def _logs(self, addresses: Sequence[str], events: Sequence[Event]) -> Iterator[Log]:
        query = {"address": list(addresses), "topics": topics_of(*(event.topic for event in events))}
        first, last = self._client.deployment.block, self._fund.block.number
        return read_logs(self._client.endpoint, query, first, last, self._tell)

    def _time(self, log: Log) -> int:
        if log.timestamp is not None:
            return log.timestamp
        if log.block not in self._times:
            header = self._client.endpoint.request("eth_getBlockByNumber", hex(log.block), False)
            try:
                self._times[log.block] = int(header["timestamp"], 16)
            except (TypeError, KeyError, ValueError):
                raise RpcError(f"{self._client.endpoint.url} has no block {log.block}, but an event of it") from None
        return self._times[log.block]

    def _row(self, log: Log, pool: int, market: int, event: str, *, who: str | None = None, **more: Any) -> Row:
        return Row(
            block=log.block,
            place=log.place,
            transaction=log.transaction,
            time=self._time(log),
            pool=self._pools.get(pool, f"pool {pool}"),
            market=self._fund.market(market) if market else None,
            event=event,
            who=None if who is None else to_checksum_address(who),
            **more,
        )

    def _take(self, history: History, log: Log, event: Event, values: tuple[Any, ...]) -> None:
        if event is b.MARKET_ASSIGNED:
            self._pool_of[values[0]] = values[1]
        elif event is b.DRAWDOWN_BOUNDS_SET:
            market, trigger, stop, _ = values
            history.bounds.setdefault(self._fund.market(market), []).append(Bounds(self._time(log), trigger, stop))
        row = self._row_of(log, event, values)
        if row is not None:
            history.rows.append(row)

    def _row_of(self, log: Log, event: Event, values: tuple[Any, ...]) -> Row | None:
        if event is b.ENTERED:
            return self._entered(log, *values)
        if event in _OF_SHARES:
            return self._of_shares(log, event, values)
        if event is b.CHECKPOINTED:
            market, result, balance, drawdown = values
            more = {"result": result, "balance": balance, "drawdown": drawdown}
            return self._row(log, self._pool_of.get(market, 0), market, "sample", **more)
        if event in (b.ADL_STARTED, b.ADL_ENDED):
            market, *reason, drawdown = values
            trigger = TRIGGERS[reason[0]] if reason else None
            name = "adlStarted" if event is b.ADL_STARTED else "adlEnded"
            note = trigger.value if trigger else None
            return self._row(log, self._pool_of.get(market, 0), market, name, drawdown=drawdown, note=note)
        if event is b.ROUND_EXECUTED:
            number, market, keeper, outcome = values
            side, trigger, _, price, contracts, netted, *_ = outcome
            reason_of = TRIGGERS[trigger]
            note = f"round {number}, {reason_of.value if reason_of else 'no reason'}"
            more = {"side": _SIDES[side], "contracts": contracts + netted, "price": price, "who": keeper, "note": note}
            return self._row(log, self._pool_of.get(market, 0), market, "round", **more)
        return self._of_inventory(log, event, values)

    def _entered(self, log: Log, pool: int, market: int, item: int, amount: int, cash: int) -> Row:
        name = ITEMS[item] if item < len(ITEMS) else f"item {item}"
        self._cash[pool] += amount
        self.sums[pool, item] += amount
        if self._cash[pool] != cash:
            raise RpcError(
                f'{self._client.endpoint.url} leaves events out: pool "{self._pools.get(pool, pool)}" has '
                f"{format_amount(cash)} after block {log.block}, its events make {format_amount(self._cash[pool])}: "
                "ask a node that has all logs since the deployment"
            )
        return self._row(log, pool, market, name, amount=amount, cash=cash)

    def _of_inventory(self, log: Log, event: Event, values: tuple[Any, ...]) -> Row | None:
        if event is b.INHERITED:
            pool, market, size, notional = values
            more = {"side": _SIDES[size < 0], "contracts": abs(size), "price": _price(notional, size)}
            return self._row(log, pool, market, "inherited", **more)
        if event in (b.INVENTORY_CLOSED, b.INVENTORY_SOLD):
            pool, market, side, size, value, _ = values
            name = "closed" if event is b.INVENTORY_CLOSED else "sold"
            more = {"side": _SIDES[side], "contracts": abs(size), "price": _price(value, size)}
            return self._row(log, pool, market, name, **more)
        if event is b.INVENTORY_NETTED:
            pool, market, contracts, mark, _ = values
            return self._row(log, pool, market, "netted", contracts=contracts, price=mark)
        if event is b.CONTRIBUTED:
            pool, market, who, _ = values
            return self._row(log, pool, market, "contributed", who=who)
        if event is b.REPAID:
            pool, who, _ = values
            return self._row(log, pool, 0, "repaid", who=who)
        if event is b.POOL_CREATED:
            pool, name, _, _ = values
            return self._row(log, pool, 0, "poolCreated", note=text_of(name))
        if event is b.MARKET_ASSIGNED:
            market, pool = values
            return self._row(log, pool, market, "marketAssigned")
        if event is b.SHARES_ISSUED:
            pool, token = values
            return self._row(log, pool, 0, "sharesIssued", who=token)
        return None

    def _of_shares(self, log: Log, event: Event, values: tuple[Any, ...]) -> Row:
        pool = self._pool_of_shares[log.address]
        if event is b.STAKED:
            _, owner, _, shares = values
            return self._row(log, pool, 0, "staked", who=owner, shares=shares)
        if event is b.REDEEM_REQUESTED:
            owner, shares, _, ripe_at = values
            return self._row(
                log, pool, 0, "exitRequested", who=owner, shares=shares, note=f"ripe at {iso_time(ripe_at)}"
            )
        if event is b.REDEEM_CANCELLED:
            owner, shares = values
            return self._row(log, pool, 0, "exitCancelled", who=owner, shares=shares)
        owner, _, shares, _, _ = values
        return self._row(log, pool, 0, "exitPaid", who=owner, shares=shares)


def _price(value: int, size: int) -> int | None:
    return value * 10**18 // size if size else None


# ------------------------------------------------------------------ output

COLUMNS = (
    "block",
    "time",
    "transaction",
    "pool",
    "market",
    "event",
    "amount",
    "cash",
    "balance",
    "result",
    "drawdown",
    "side",
    "contracts",
    "price",
    "shares",
    "who",
    "note",
)


def row_document(row: Row, units: Units) -> dict[str, Any]:
    """A row as JSON; amounts are decimal strings, what it does not have is null."""
    amounts = {
        name: _optional(getattr(row, name))
        for name in ("amount", "cash", "balance", "result", "drawdown", "contracts", "price")
    }
    document = {
        "block": row.block,
        "time": iso_time(row.time),
        "transaction": row.transaction,
        "pool": row.pool,
        "market": row.market,
        "event": row.event,
        "side": row.side,
        "shares": None if row.shares is None else units.shares(row.shares),
        "who": row.who,
        "note": row.note,
    }
    return {column: (document | amounts)[column] for column in COLUMNS}


def history_document(history: History, rows: Sequence[Row], units: Units) -> dict[str, Any]:
    """The rows with the block that they reach to."""
    return {
        "block": block_document(history.fund.block),
        "token": units.token.symbol,
        "rows": [row_document(row, units) for row in rows],
    }


def csv_of(rows: Sequence[Row], units: Units) -> str:
    """The rows as CSV (RFC 4180, but lines end with a newline), with a heading."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row_document(row, units) for row in rows)
    return stream.getvalue()


def _optional(amount: int | None) -> str | None:
    return None if amount is None else format_amount(amount)
