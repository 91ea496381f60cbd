"""The parameters of a market, as `Exchange.listMarket` and `setParameters` take them."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from backstop.math.wad import WAD

NO_BAND = 2**64 - 1
UNLIMITED_NOTIONAL = 2**96 - 1
UNLIMITED_OPEN_INTEREST = 2**111 - 1


class MarketParameters(NamedTuple):
    """`MarketParameters` of the contracts, in their order, WAD. By default no fees, no funding, no limits."""

    initial_margin_fraction: int
    maintenance_margin_fraction: int
    liquidation_discount: int
    liquidation_fee: int
    maker_fee: int = 0
    taker_fee: int = 0
    price_band: int = NO_BAND
    funding_cap: int = 0
    max_notional: int = UNLIMITED_NOTIONAL
    min_size: int = 0
    max_open_interest: int = UNLIMITED_OPEN_INTEREST
    pool_fee_share: int = WAD // 2
    treasury_fee_share: int = WAD * 3 // 10
    initial_margin_step: int = 0
    stress_band: int = 0


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
