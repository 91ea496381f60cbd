"""The end of a market: who is left in one that was closed, and the calls that settle them, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backstop.adl.scoring import is_bankrupt
from backstop.chain.bindings import SETTLE_CLOSED
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import BackstopError
from backstop.fund.units import show_time
from backstop.trading.actions import Step
from backstop.trading.client import Client
from backstop.transactions.sender import Sender

MOST_GAS = 10_000_000  # of a batch, a third of a block of 30 million
_LARGEST = 100  # accounts of a batch that cannot be estimated now


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left to do in a closed market: accounts by id, the bankrupt apart; `price` is the final one, WAD.

    `inventory` says that the pool's two sides are still to be closed against each other.
    """

    market: str
    id: int
    price: int
    settles_at: int
    bankrupt: tuple[str, ...]
    others: tuple[str, ...]
    inventory: bool

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left."""
        return not (self.bankrupt or self.others or self.inventory)


def read_remainder(client: Client, market: str) -> Remainder:
    """Raises BackstopError for a market that is not listed or open, or cannot be read, and before its settlement."""
    state = read_chain(client.endpoint, client.deployment)
    number = state.market_ids.get(market)
    if number is None:
        raise BackstopError(f"{market!r} is not listed: the exchange has {', '.join(state.market_ids) or 'none'}")
    settles_at = state.terms[market].settles_at
    if not settles_at:
        raise BackstopError(f"{market} is open: only a market that its owner has closed is settled")
    if market in state.left_out:
        raise BackstopError(f"{market} cannot be read, because another market of its pool never had a price")
    if state.block.timestamp < settles_at:
        raise BackstopError(f"{market} was closed, and is settled from {show_time(settles_at)} on")
    return _remainder(state, market, number, settles_at)


def _remainder(state: ChainState, market: str, number: int, settles_at: int) -> Remainder:
    snapshot = state.snapshot
    there = [
        account for account in snapshot.accounts if any(position.market == market for position in account.positions)
    ]
    return Remainder(
        market=market,
        id=number,
        price=snapshot.markets[market].mark_price,
        settles_at=settles_at,
        bankrupt=tuple(account.id for account in there if is_bankrupt(snapshot, account)),
        others=tuple(account.id for account in there if not is_bankrupt(snapshot, account)),
        inventory=any(item.market == market for pool in snapshot.pools.values() for item in pool.inventory),
    )


def settle_steps(client: Client, sender: Sender, left: Remainder) -> list[Step]:
    """The bankrupt first, since nobody else is settled while what they lack has a round due."""
    exchange = client.deployment.exchange
    batches = [batch for group in (left.bankrupt, left.others) for batch in _batches(sender, exchange, left.id, group)]
    return [
        Step("settleClosed", exchange, _call(left.id, batch)) for batch in batches or ([()] if left.inventory else [])
    ]


def _batches(sender: Sender, exchange: str, market: int, accounts: Sequence[str]) -> list[Sequence[str]]:
    """Halved until each takes no more gas than a batch may."""
    if not accounts:
        return []
    try:
        fits = sender.simulate(exchange, _call(market, accounts)) <= MOST_GAS
    except BackstopError:  # refused as things stand, or more than the node allows
        fits = len(accounts) <= _LARGEST
    if fits or len(accounts) == 1:
        return [accounts]
    half = len(accounts) // 2
    return [batch for part in (accounts[:half], accounts[half:]) for batch in _batches(sender, exchange, market, part)]


def _call(market: int, accounts: Sequence[str]) -> bytes:
    return SETTLE_CLOSED.encode(market, [bytes.fromhex(account[2:]) for account in accounts])
