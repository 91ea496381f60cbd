"""Pairs of signed orders: how much of them, which of them the exchange would settle, and the transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from backstop.chain.bindings import PAIR_REFUSED, SETTLE, SETTLE_BATCH, describe_revert
from backstop.errors import BackstopError, OrderFileError, RevertError
from backstop.trading.actions import Step
from backstop.trading.client import Client
from backstop.trading.order_file import OrderFile
from backstop.trading.ordering import check_order, remaining
from backstop.trading.pairing import Pair, names_of, shortage, why_refused
from backstop.trading.refusals import explained
from backstop.transactions.receipt import Receipt
from backstop.transactions.sender import Sender

_GAS_OF_A_PAIR = 1_000_000  # of one that is settled only after others, and cannot be estimated by itself
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What a settlement comes to: by pair why it would be refused (None: it would not), and the step to send."""

    pairs: tuple[Pair, ...]
    refusals: tuple[str | None, ...]
    step: Step


def make_pairs(client: Client, items: Sequence[OrderFile], contracts: int | None) -> list[Pair]:
    """Makers and takers in turn, each pair for `contracts` (WAD), or for all that remains of both.

    Raises BackstopError for an odd one, an order that is not signed or of another exchange, and for a single pair of
    which nothing, or not enough, remains. Of many such pairs are kept: the exchange refuses them by themselves.
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
        size = size or min(abs(one.order.size) for one in (maker, taker))
        pairs.append(Pair(maker, taker, size, (left[maker.digest], left[taker.digest])))
    if len(pairs) == 1 and (reason := shortage(pairs[0], {})) is not None:
        raise OrderFileError(reason)
    return pairs


def plan_settlement(client: Client, sender: Sender, pairs: Sequence[Pair]) -> Plan:
    """One pair is settled by itself, and raises RevertError where it cannot be; of many some may be refused."""
    exchange = client.deployment.exchange
    if len(pairs) == 1:
        data = SETTLE.encode(*pairs[0].values())
        return Plan(tuple(pairs), (None,), Step("settle", exchange, data, names=names_of(pairs[0], whole=True)))
    alone = [_try_alone(sender, exchange, pair) for pair in pairs]
    counts = [0, *(_settled(client, sender, pairs[: end + 1]) for end in range(len(pairs)))]
    is_settled = [after > before for before, after in pairwise(counts)]
    refusals = [
        None if is_settled[place] else why_refused(pairs, place, reason, is_settled)
        for place, (_, reason) in enumerate(alone)
    ]
    # A pair gets its part of the gas that is left, so that one that burns all it gets spends no more than that.
    largest = max(
        estimate or (0 if refusal else _GAS_OF_A_PAIR) for (estimate, _), refusal in zip(alone, refusals, strict=True)
    )
    gas = _enough_gas(client, sender, pairs, len(pairs) * (largest or _GAS_OF_A_PAIR), counts[-1])
    return Plan(tuple(pairs), tuple(refusals), Step("settleBatch", exchange, _batch(pairs), gas))


def refused_pairs(receipt: Receipt, plan: Plan) -> tuple[str | None, ...]:
    """By pair why a batch that was mined left it out, from its events.

    Where too little remained, of which the exchange names the first order that it looks at, as it was foreseen.
    """
    refusals: list[str | None] = [None] * len(plan.pairs)
    for _, topics, data in receipt.logs:
        if topics and topics[0] == PAIR_REFUSED.topic:
            index, reason = PAIR_REFUSED.decode(topics, data)
            refusal = RevertError(describe_revert(reason))
            foreseen = plan.refusals[index] if str(refusal).startswith("OrderOverfilled(") else None
            refusals[index] = foreseen or str(explained(refusal, names_of(plan.pairs[index])))
    return tuple(refusals)


def _batch(pairs: Sequence[Pair]) -> bytes:
    return SETTLE_BATCH.encode([pair.values() for pair in pairs])


def _try_alone(sender: Sender, exchange: str, pair: Pair) -> tuple[int | None, str | None]:
    """The gas of a pair settled by itself now, or why it is refused."""
    try:
        return sender.simulate(exchange, SETTLE.encode(*pair.values())), None
    except RevertError as refusal:
        return None, str(explained(refusal, names_of(pair)))


def _settled(client: Client, sender: Sender, pairs: Sequence[Pair], gas: int | None = None) -> int:
    """How many of a batch would be settled, with so much gas."""
    call = {"from": sender.address, "to": client.deployment.exchange, "data": "0x" + _batch(pairs).hex()}
    if gas is not None:
        call["gas"] = hex(gas)
    return client.endpoint.quantity("eth_call", call, "latest")


def _enough_gas(client: Client, sender: Sender, pairs: Sequence[Pair], gas: int, settled: int) -> int:
    """A gas limit with which a batch settles as many as it can, from a first one without a margin.

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
