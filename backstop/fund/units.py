"""Amounts, shares and times of the fund as text."""

from __future__ import annotations

from datetime import UTC, datetime

from backstop.errors import BackstopError
from backstop.math.staking import VIRTUAL_SHARES
from backstop.math.wad import DECIMALS as WAD_DECIMALS
from backstop.math.wad import WAD, format_amount
from backstop.trading.client import Token

_SHARES_MORE = 12  # decimals that shares have beyond the token's


class Units:
    """How a deployment's token and the shares of its pools are written."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.share_decimals = token.decimals + _SHARES_MORE

    def amount(self, units: int) -> int:
        """Token units in WAD."""
        return self.token.amount(units)

    def tokens(self, units: int) -> str:
        """Token units as a decimal amount, exactly."""
        return format_amount(self.token.amount(units))

    def shares(self, shares: int) -> str:
        """Shares as a decimal number, exactly."""
        whole, fraction = divmod(shares, 10**self.share_decimals)
        digits = f"{fraction:0{self.share_decimals}d}".rstrip("0")
        return f"{whole}.{digits}" if digits else str(whole)

    def parse_shares(self, number: int) -> int:
        """A WAD number of shares in the token contract's own units. Raises BackstopError where that cannot be."""
        shares, rest = divmod(number * int(10**self.share_decimals), WAD)
        if rest:
            raise BackstopError(
                f"{format_amount(number)} has more decimals than the {self.share_decimals} of shares: leave some out"
            )
        return shares

    def share_value(self, assets: int, total_shares: int) -> int:
        """What one whole share is worth, WAD, rounded down; of a pool without any what the first costs."""
        unit = int(10**self.share_decimals) * int(10 ** (WAD_DECIMALS - self.token.decimals))
        return (assets + 1) * unit // (total_shares + VIRTUAL_SHARES)


def show_time(timestamp: int) -> str:
    """`2026-01-31 08:00:00 UTC`."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso_time(timestamp: int) -> str:
    """`2026-01-31T08:00:00Z`."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%SZ}"


def show_span(seconds: int) -> str:
    """`3 d 4 h`, `5 min`, `20 s`: its two largest units, cut."""
    parts: list[str] = []
    for name, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"
