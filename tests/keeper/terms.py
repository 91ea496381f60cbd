"""What the markets of the planned liquidations are like: 10x, a mark of 100, no limits unless a test sets them."""

from __future__ import annotations

from backstop.chain.terms import MarketTerms
from backstop.math.wad import parse_amount as wad

KEEPER = "0x" + "11" * 20
MARK = wad("100")
IMF, MMF, DISCOUNT, FEE = wad("0.1"), wad("0.05"), wad("0.0125"), wad("0.0125")
TERMS = MarketTerms(
    pool=1,
    initial_margin_fraction=IMF,
    maintenance_margin_fraction=MMF,
    liquidation_discount=DISCOUNT,
    liquidation_fee=FEE,
    maker_fee=0,
    taker_fee=0,
    price_band=2**64 - 1,
    max_notional=2**96 - 1,
    min_size=0,
    isolated_only=False,
    pot=0,
    fees=0,
    has_funding=False,
    auctions={},
)
