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
    """WAD fractions of the notional, and the auctions by side of the inventory; no entry where none is for sale.

    A trade needs `initial_margin_fraction`; a liquidator gets `liquidation_discount`, the pool `liquidation_fee`.
    """

    initial_margin_fraction: int
    liquidation_discount: int
    liquidation_fee: int
    auctions: dict[Side, Auction]
