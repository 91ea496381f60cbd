"""The hard bounds of the contracts: what a plan is held to before anything is sent, and a chain afterwards.

Each function names everything that is out of bounds; a test holds them against the constants of the contracts.
"""

from __future__ import annotations

from collections.abc import Iterator

from backstop.deployment.parameters import UNLIMITED_NOTIONAL, UNLIMITED_OPEN_INTEREST, MarketParameters
from backstop.math.wad import WAD, format_amount

MIN_INITIAL_MARGIN_FRACTION = WAD * 5 // 1000
MAX_INITIAL_MARGIN_FRACTION = WAD
MIN_MAINTENANCE_MARGIN_FRACTION = WAD // 1000
MAX_TRADING_FEE = WAD // 100
MAX_LIQUIDATION_FRACTION = WAD // 20
MIN_PRICE_BAND = WAD // 1000
MAX_FUNDING_CAP = WAD // 100
MIN_BACKSTOP_RATIO, MAX_BACKSTOP_RATIO = WAD // 10, WAD * 9 // 10
MIN_WARNING_RATE, MAX_WARNING_RATE = WAD // 10, WAD
MIN_DRAWDOWN_BOUND, MAX_DRAWDOWN_BOUND = WAD // 20, WAD * 9 // 10
MAX_AUCTION_PREMIUM = WAD // 5
MIN_AUCTION_DURATION, MAX_AUCTION_DURATION = 60, 86_400
MIN_COOLDOWN, MAX_COOLDOWN = 8 * 3600, 14 * 86_400
MAX_MARKETS = MAX_MEMBERS = 16
MAX_HEARTBEAT = 2 * 86_400
MAX_GRACE = 86_400
MIN_WINDOW, MAX_WINDOW = 600, 7 * 86_400
MIN_EXEMPT_AGE, MAX_EXEMPT_AGE = 12, 600
MIN_TOLERANCE, MAX_TOLERANCE = WAD // 1000, WAD // 2
MAX_RETURN_FLOOR = WAD
MAX_BOND_CAP = 1_000_000 * WAD
MAX_FLAT_REWARD = 1_000 * WAD
MAX_REWARD_RATE = WAD // 100
MAX_REWARD_SHARE = WAD // 2


def market_faults(p: MarketParameters) -> Iterator[str]:
    """Of a market's parameters, as `MarketModule` checks them."""
    yield from _within("initial_margin_fraction", p.initial_margin_fraction, MIN_INITIAL_MARGIN_FRACTION, WAD)
    yield from _within("maintenance_margin_fraction", p.maintenance_margin_fraction, MIN_MAINTENANCE_MARGIN_FRACTION)
    if p.maintenance_margin_fraction >= p.initial_margin_fraction:
        yield "maintenance_margin_fraction has to be below initial_margin_fraction"
    for name in ("liquidation_discount", "liquidation_fee"):
        yield from _within(name, getattr(p, name), 0, MAX_LIQUIDATION_FRACTION)
    if p.liquidation_discount + p.liquidation_fee > p.maintenance_margin_fraction:
        yield "liquidation_discount and liquidation_fee are together more than maintenance_margin_fraction"
    for name in ("maker_fee", "taker_fee"):
        yield from _within(name, getattr(p, name), 0, MAX_TRADING_FEE)
    if p.pool_fee_share + p.treasury_fee_share > WAD:
        yield "pool_fee_share and treasury_fee_share are together more than 1"
    yield from _within("price_band", p.price_band, MIN_PRICE_BAND, 2**64 - 1)
    yield from _within("funding_cap", p.funding_cap, 0, MAX_FUNDING_CAP)
    if 2 * p.funding_cap > p.maintenance_margin_fraction:
        yield "funding_cap is more than half of maintenance_margin_fraction"
    yield from _within("initial_margin_step", p.initial_margin_step, 0, p.initial_margin_fraction)
    if p.stress_band:
        yield from _within("stress_band", p.stress_band, MIN_PRICE_BAND, p.price_band)
    yield from _within("max_notional", p.max_notional, 0, UNLIMITED_NOTIONAL)
    yield from _within("min_size", p.min_size, 0, 2**96 - 1)
    yield from _within("max_open_interest", p.max_open_interest, 0, UNLIMITED_OPEN_INTEREST)


def exchange_faults(backstop_ratio: int, warning_rate: int) -> Iterator[str]:
    """Of what holds for all markets, WAD."""
    yield from _within("backstop_ratio", backstop_ratio, MIN_BACKSTOP_RATIO, MAX_BACKSTOP_RATIO)
    yield from _within("warning_rate", warning_rate, MIN_WARNING_RATE, MAX_WARNING_RATE)


def drawdown_faults(trigger: int, stop: int, target: int) -> Iterator[str]:
    """Of a market's drawdown bounds, WAD."""
    if not MIN_DRAWDOWN_BOUND <= stop <= target <= trigger <= MAX_DRAWDOWN_BOUND:
        yield "0.05 <= stop <= target <= trigger <= 0.9 has to hold"


def auction_faults(premium: int, duration: int) -> Iterator[str]:
    """Of a market's auctions: WAD and seconds."""
    yield from _within("premium", premium, 0, MAX_AUCTION_PREMIUM)
    yield from _seconds("duration", duration, MIN_AUCTION_DURATION, MAX_AUCTION_DURATION)


def staking_faults(cooldown: int) -> Iterator[str]:
    """Of a pool's exits, seconds."""
    yield from _seconds("cooldown", cooldown, MIN_COOLDOWN, MAX_COOLDOWN)


def feed_faults(heartbeat: int, lowest: int, highest: int) -> Iterator[str]:
    """Of a market's feed: seconds and WAD."""
    yield from _seconds("heartbeat", heartbeat, 1, MAX_HEARTBEAT)
    if not 0 < lowest < highest <= 2**96 - 1:
        yield "0 < lowest_price < highest_price has to hold, and the highest to fit 96 bits"


def sequencer_faults(grace: int) -> Iterator[str]:
    """Of the sequencer's feed, seconds."""
    yield from _seconds("grace", grace, 0, MAX_GRACE)


def round_faults(
    window: int, exempt_age: int, tolerance: int, return_floor: int, min_penalty: int, bond_cap: int
) -> Iterator[str]:
    """Of rounds and their challenge: seconds and WAD."""
    yield from _seconds("window", window, MIN_WINDOW, MAX_WINDOW)
    yield from _seconds("exempt_age", exempt_age, MIN_EXEMPT_AGE, MAX_EXEMPT_AGE)
    yield from _within("tolerance", tolerance, MIN_TOLERANCE, MAX_TOLERANCE)
    yield from _within("return_floor", return_floor, 0, MAX_RETURN_FLOOR)
    yield from _within("bond_cap", bond_cap, 0, MAX_BOND_CAP)
    if not 0 < min_penalty <= bond_cap:
        yield "0 < min_penalty <= bond_cap has to hold"


def reward_faults(flat: int, rate: int, share: int) -> Iterator[str]:
    """Of what a keeper gets, WAD."""
    yield from _within("flat", flat, 0, MAX_FLAT_REWARD)
    yield from _within("rate", rate, 0, MAX_REWARD_RATE)
    yield from _within("share", share, 0, MAX_REWARD_SHARE)


def _within(name: str, value: int, least: int, most: int | None = None) -> Iterator[str]:
    if value < least:
        yield f"{name} is {format_amount(value)}, at least {format_amount(least)} is needed"
    if most is not None and value > most:
        yield f"{name} is {format_amount(value)}, at most {format_amount(most)} is allowed"


def _seconds(name: str, value: int, least: int, most: int) -> Iterator[str]:
    if not least <= value <= most:
        yield f"{name} is {value} s, {least} to {most} s are allowed"
