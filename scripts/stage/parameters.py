"""The parameters of the markets that the tests and the demo list."""

from __future__ import annotations

from decimal import Decimal

from backstop.deployment.parameters import NO_BAND, UNLIMITED_NOTIONAL, UNLIMITED_OPEN_INTEREST, MarketParameters
from backstop.math.wad import WAD

__all__ = [
    "NO_BAND",
    "UNLIMITED_NOTIONAL",
    "UNLIMITED_OPEN_INTEREST",
    "MarketParameters",
    "full_market",
    "plain_market",
]


def plain_market(initial: Decimal, maintenance: Decimal) -> MarketParameters:
    """Without fees, funding and limits; a liquidation costs half of `mmf`, a quarter each for liquidator and pool."""
    fraction = int(maintenance * WAD)
    return MarketParameters(int(initial * WAD), fraction, fraction // 4, fraction // 4)


def full_market(initial: Decimal, maintenance: Decimal, smallest: Decimal) -> MarketParameters:
    """As a venue would list it: fees of 2 and 5 basis points, funding to 0.1 % an hour, fills within 5 % of mark."""
    return plain_market(initial, maintenance)._replace(
        maker_fee=WAD * 2 // 10_000,
        taker_fee=WAD * 5 // 10_000,
        price_band=WAD * 5 // 100,
        funding_cap=WAD // 1000,
        max_notional=10_000_000 * WAD,
        min_size=int(smallest * WAD),
        max_open_interest=UNLIMITED_OPEN_INTEREST,
    )
