"""Pairs of signed orders: how much of them, which of them the exchange would settle, and the transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backstop.chain.bindings import PAIR_REFUSED, SETTLE, SETTLE_BATCH, describe_revert
from backstop.chain.transactions import Receipt, Sender
from backstop.errors import BackstopError, OrderFileError, RevertError
from backstop.trading.actions import Step
from backstop.trading.client import Client
from backstop.trading.order_file import OrderFile
from backstop.trading.ordering import check_order, remaining
from backstop.trading.refusals import explained

_GAS_OF_A_PAIR = 1_000_000  # where it cannot be estimated by itself
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """Two signed orders that meet, and for how many contracts, WAD."""

    maker: OrderFile
    taker: OrderFile
    contracts: int

    def values(self) -> tuple[Any, ...]:
        """The fields as the contracts take them."""
        return (
            self.maker.order.values(),
            self.maker.signature,
            self.taker.order.values(),
            self.taker.signature,
            self.contracts,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a settlement comes to: by pair why it would be refused (None: it would not), and the step to send."""

    pairs: tuple[Pair, ...]
    refusals: tuple[str | None, ...]
    step: Step


def make_pairs(client: Client, items: Sequence[OrderFile], contracts: int | None) -> list[Pair]:
    """Makers and takers in turn, each pair for `contracts` (WAD), or for all that remains of both.

    Raises BackstopError for an odd one, an order that is not signed or of another exchange, and for a single pair of
    which nothing remains. Of many pairs those with nothing left are kept: the exchange refuses them by themselves.
    """
    if len(items) % 2:
        raise BackstopError(f"{len(items)} orders make no pairs: give MAKER TAKER, and more of both")
    for item in items:
        check_order(client, item)
        if item.signature is None:
            raise OrderFileError(f"{item.file} is not signed: backstop order sign {item.file}")
    left = {item.digest: remaining(client, item) for item in items}
    used: dict[bytes, int] = defaultdict(int)
    pairs = []
    for maker, taker in zip(items[::2], items[1::2], strict=True):
        whole = min(left[maker.digest], left[taker.digest])
        # An order may stand in several pairs; where those before took all, what they leave if refused is asked for.
        rest = min(left[one.digest] - used[one.digest] for one in (maker, taker))
        size = contracts or (rest if rest > 0 else whole)
        if not size and len(items) == 2:
            spent = maker if not left[maker.digest] else taker
            raise OrderFileError(f"{spent.file}: nothing remains of it, it was filled or cancelled: make a new one")
        for one in (maker, taker):
            used[one.digest] += size
        pairs.append(Pair(maker, taker, size or min(abs(one.order.size) for one in (maker, taker))))
    return pairs


def plan_settlement(client: Client, sender: Sender, pairs: Sequence[Pair]) -> Plan:
    """One pair is settled by itself, and raises RevertError where it cannot be; of many some may be refused."""
    exchange = client.deployment.exchange
    if len(pairs) == 1:
        return Plan(tuple(pairs), (None,), Step("settle", exchange, SETTLE.encode(*pairs[0].values())))
    alone = [_try_alone(sender, exchange, pair) for pair in pairs]
    counts = [0, *(_settled(client, sender, pairs[: end + 1]) for end in range(len(pairs)))]
    refusals = [
        None if counts[place + 1] > counts[place] else reason or "refused after the pairs before it"
        for place, (_, reason) in enumerate(alone)
    ]
    gas = _enough_gas(client, sender, pairs, sum(estimate or _GAS_OF_A_PAIR for estimate, _ in alone), counts[-1])
    return Plan(tuple(pairs), tuple(refusals), Step("settleBatch", exchange, _batch(pairs), gas))


def refused_pairs(receipt: Receipt, pairs: int) -> tuple[str | None, ...]:
    """By pair why a batch that was mined left it out, from its events."""
    refusals: list[str | None] = [None] * pairs
    for _, topics, data in receipt.logs:
        if topics and topics[0] == PAIR_REFUSED.topic:
            index, reason = PAIR_REFUSED.decode(topics, data)
            refusals[index] = str(explained(RevertError(describe_revert(reason))))
    return tuple(refusals)


def _batch(pairs: Sequence[Pair]) -> bytes:
    return SETTLE_BATCH.encode([pair.values() for pair in pairs])


def _try_alone(sender: Sender, exchange: str, pair: Pair) -> tuple[int | None, str | None]:
    """The gas of a pair settled by itself now, or why it is refused."""
    try:
        return sender.simulate(exchange, SETTLE.encode(*pair.values())), None
    except RevertError as refusal:
        return None, str(explained(refusal))


def _settled(client: Client, sender: Sender, pairs: Sequence[Pair], gas: int | None = None) -> int:
    """How many of a batch would be settled, with so much gas."""
    call = {"from": sender.address, "to": client.deployment.exchange, "data": "0x" + _batch(pairs).hex()}
    if gas is not None:
        call["gas"] = hex(gas)
    return client.endpoint.quantity("eth_call", call, "latest")


def _enough_gas(client: Client, sender: Sender, pairs: Sequence[Pair], gas: int, settled: int) -> int:
    """Gas with which a batch settles as many as it can.

    An estimate is of no use: a pair that runs out of gas is a pair refused, and the batch succeeds without it.
    """
    gas += gas // 4
    for _ in range(_ATTEMPTS):
        try:
            if _settled(client, sender, pairs, gas) == settled:
                return gas
        except RevertError:
            pass
        gas *= 2
    raise BackstopError(f"{len(pairs)} pairs need more gas than the node allows: settle fewer at once")
