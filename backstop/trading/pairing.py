"""A pair of signed orders, what it is called, and why it is left out of a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backstop.account_id import account_text
from backstop.math.wad import format_amount
from backstop.trading.order_file import OrderFile
from backstop.trading.refusals import Names


@dataclass(frozen=True, slots=True)
class Pair:
    """Two signed orders that meet, for how many contracts, and how many remained of each; WAD."""

    maker: OrderFile
    taker: OrderFile
    contracts: int
    left: tuple[int, int]

    def values(self) -> tuple[Any, ...]:
        """The fields as the contracts take them."""
        return (
            self.maker.order.values(),
            self.maker.signature,
            self.taker.order.values(),
            self.taker.signature,
            self.contracts,
        )


def names_of(pair: Pair, *, whole: bool = False) -> Names:
    """The files of a pair by the ids of their orders and accounts; `whole` gives the pair a name of its own too."""
    maker, taker = pair.maker, pair.taker
    by_id = {"0x" + one.digest.hex(): str(one.file) for one in (maker, taker)}
    if maker.order.account != taker.order.account:
        by_id |= {account_text(one.order.account): str(one.file) for one in (maker, taker)}
    return Names(by_id, f"{maker.file} with {taker.file}" if whole else "")


def shortage(pair: Pair, used: Mapping[bytes, int]) -> str | None:
    """Which order of a pair has too little left, the shorter of the two, once others of the batch have `used` some.

    None where both have enough, and where one had nothing before: the exchange says why.
    """
    if not all(pair.left):
        return None
    orders = zip((pair.maker, pair.taker), pair.left, strict=True)
    room, left, item = min(
        ((left - used.get(one.digest, 0), left, one) for one, left in orders), key=lambda found: found[0]
    )
    if pair.contracts <= room:
        return None
    asked = format_amount(pair.contracts)
    if room == left:
        return f"{item.file}: {asked} contracts are asked for where {format_amount(left)} remain: lower --contracts"
    return (
        f"{item.file}: {asked} contracts are asked for where the pairs before it leave {format_amount(room)} of "
        f"{format_amount(left)}"
    )


def why_refused(pairs: Sequence[Pair], place: int, alone: str | None, is_settled: Sequence[bool]) -> str:
    """Why a pair of a batch is left out: `alone` is what the exchange says of it by itself, None where that is good."""
    used: dict[bytes, int] = defaultdict(int)
    for pair, settled in zip(pairs[:place], is_settled, strict=False):
        for one in (pair.maker, pair.taker):
            used[one.digest] += pair.contracts if settled else 0
    short = shortage(pairs[place], {} if alone else used)
    return short or alone or "it would be settled by itself, but not after the pairs before it: settle it apart"
