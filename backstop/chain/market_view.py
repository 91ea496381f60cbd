"""A market as the lens shows it, field by field."""

from __future__ import annotations

from typing import Any, NamedTuple

from backstop.adl.snapshot import Side
from backstop.chain.terms import Auction, MarketTerms


class _Listed(NamedTuple):
    """`Market` of the contracts: parameters, open interest and funding as stored."""

    initial_margin_fraction: int
    maintenance_margin_fraction: int
    open_interest: int
    pool: int
    liquidation_discount: int
    liquidation_fee: int
    maker_fee: int
    taker_fee: int
    round_marker: int
    max_notional: int
    min_size: int
    price_band: int
    max_open_interest: int
    pool_fee_share: int
    treasury_fee_share: int
    isolated_only: bool
    cross_holders: int
    calm_margin_fraction: int
    calm_band: int
    initial_margin_step: int
    stress_band: int
    name: bytes
    funding: tuple[int, ...]


class _Funding(NamedTuple):
    cumulative: int
    hour: int
    cap: int
    rest: int
    premium: int
    volume: int
    pot: int
    fees: int
    dust: int


class MarketView(NamedTuple):
    """BackstopLens.MarketView. WAD; `mark` is the last accepted price where `price_error` is not empty."""

    id: int
    mark: int
    price_error: bytes
    listed: tuple[Any, ...]
    funding_index: int
    trigger: int
    stop: int
    target: int
    accounts: int
    backing: tuple[Any, ...]
    backing_error: bytes
    long: tuple[int, int, int]
    short: tuple[int, int, int]
    long_auction: tuple[int, int]
    short_auction: tuple[int, int]
    settles_at: int

    @property
    def name(self) -> str:
        """Its name as text."""
        return text_of(_Listed(*self.listed).name)

    @property
    def open_interest(self) -> int:
        """The sum of the long sizes of accounts and pools, which is that of the short ones. WAD."""
        return _Listed(*self.listed).open_interest

    @property
    def terms(self) -> MarketTerms:
        """What the snapshot does not tell of it."""
        listed = _Listed(*self.listed)
        funding = _Funding(*listed.funding)
        sales = {Side.LONG: self.long_auction, Side.SHORT: self.short_auction}
        return MarketTerms(
            pool=listed.pool,
            initial_margin_fraction=listed.initial_margin_fraction,
            maintenance_margin_fraction=listed.maintenance_margin_fraction,
            liquidation_discount=listed.liquidation_discount,
            liquidation_fee=listed.liquidation_fee,
            maker_fee=listed.maker_fee,
            taker_fee=listed.taker_fee,
            price_band=listed.price_band,
            max_notional=listed.max_notional,
            min_size=listed.min_size,
            isolated_only=listed.isolated_only,
            pot=funding.pot,
            fees=funding.fees,
            settles_at=self.settles_at,
            has_funding=funding.cap != 0 or funding.premium != 0,
            auctions={side: Auction(price, contracts) for side, (price, contracts) in sales.items() if contracts},
        )


def text_of(name: bytes) -> str:
    """A short name, left-aligned in 32 bytes, as text."""
    return name.rstrip(b"\0").decode("utf-8", "backslashreplace")
