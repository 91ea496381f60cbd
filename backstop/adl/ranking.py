"""The queue that a trader sees: who is deleveraged first on one side of a market."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.adl.scoring import Candidate, legs_of, score_sides
from backstop.adl.snapshot import Side, Snapshot
from backstop.errors import UnknownMarketError
from backstop.math.leveraged_return import adl_light
from backstop.math.margin import bankruptcy_notionals, bankruptcy_price, cash, liquidation_price


@dataclass(frozen=True, slots=True)
class Ranked:
    """A place in the queue: `adl_rank` 1 goes first, `adl_light` is 1 (first) to 5.

    WAD throughout: `contracts` unsigned, `leveraged_return` and `unrealized_pnl` signed; `bankruptcy_price` is rounded
    toward the mark and may be negative, `liquidation_price` is None where it is not positive, or the market is closed.
    """

    account: str
    market: str
    side: Side
    contracts: int
    adl_rank: int
    adl_light: int
    leveraged_return: int
    unrealized_pnl: int
    margin_ratio: int
    bankruptcy_price: int
    liquidation_price: int | None


def rank(snapshot: Snapshot, market: str, side: Side | str) -> list[Ranked]:
    """The accounts with `E > 0` on a side, first to be deleveraged first.

    Raises UnknownMarketError, and ValueError for a side that is neither `long` nor `short`.
    """
    if market not in snapshot.markets:
        raise UnknownMarketError(market, list(snapshot.markets))
    key = market, Side(side)
    candidates = score_sides(snapshot, [key])[key].ranked
    total = sum(abs(candidate.leg.size) for candidate in candidates)
    order = {name: place for place, name in enumerate(snapshot.markets)}
    queue = []
    ahead = 0
    for place, candidate in enumerate(candidates, start=1):
        own = abs(candidate.leg.size)
        at_bankruptcy, at_liquidation = _prices(snapshot, market, candidate, order)
        queue.append(
            Ranked(
                account=candidate.account.id,
                market=market,
                side=key[1],
                contracts=own,
                adl_rank=place,
                adl_light=adl_light(ahead, own, total),
                leveraged_return=candidate.leveraged_return,
                unrealized_pnl=candidate.leg.unrealized_pnl,
                margin_ratio=candidate.margin_rate,
                bankruptcy_price=at_bankruptcy,
                liquidation_price=at_liquidation,
            )
        )
        ahead += own
    return queue


def _prices(snapshot: Snapshot, market: str, candidate: Candidate, order: dict[str, int]) -> tuple[int, int | None]:
    """The bankruptcy and the liquidation price of a candidate's position; the legs are put into market order."""
    account = candidate.account
    pairs = sorted(
        zip(account.positions, legs_of(snapshot, account), strict=True), key=lambda pair: order[pair[0].market]
    )
    legs = [leg for _, leg in pairs]
    own = next(place for place, (position, _) in enumerate(pairs) if position.market == market)
    others = pairs[:own] + pairs[own + 1 :]
    size, mark = candidate.leg.size, snapshot.markets[market].mark_price
    at_bankruptcy = bankruptcy_price(bankruptcy_notionals(legs, candidate.equity)[own], size, mark)
    if snapshot.markets[market].is_closed:
        return at_bankruptcy, None
    return at_bankruptcy, liquidation_price(
        size,
        snapshot.markets[market].maintenance_margin_fraction,
        cash(account.margin, legs),
        sum(leg.maintenance_margin for position, leg in others if not snapshot.markets[position.market].is_closed),
        sum(leg.value for _, leg in others),
    )
