"""The parameters of a market, as `Exchange.listMarket` and `setParameters` take them."""

from __future__ import annotations

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
