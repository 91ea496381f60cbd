"""What a keeper needs of a market beside the snapshot: how it is liquidated, and what its pool has on sale."""

from __future__ import annotations

from dataclasses import dataclass

from backstop.adl.snapshot import Side


@dataclass(frozen=True, slots=True)
class Auction:
    """An inventory on sale: `price` of a contract at the block that was read, and the `contracts`, unsigned. WAD."""

    price: int
    contracts: int


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What a market asks of those who trade in it. WAD.

    `pool` is the id of its pool. A trade needs `initial_margin_fraction`; a liquidator gets `liquidation_discount` of
    the notional, the pool `liquidation_fee`, fills cost `maker_fee` and `taker_fee`. Positions have at least `min_size`
    contracts and grow to `max_notional` quote; fills lie within `price_band` of mark. `pot` and `fees` are what is set
    aside for funding and for those who share the fees. `has_funding` says whether the end of an hour may move what
    positions owe. `auctions` by side of the inventory; no entry where none is for sale. `settles_at` is from when on
    the positions of a closed market are settled, seconds; 0 while it is open.
    """

    pool: int
    initial_margin_fraction: int
    maintenance_margin_fraction: int
    liquidation_discount: int
    liquidation_fee: int
    maker_fee: int
    taker_fee: int
    price_band: int
    max_notional: int
    min_size: int
    isolated_only: bool
    pot: int
    fees: int
    has_funding: bool
    auctions: dict[Side, Auction]
    settles_at: int = 0
