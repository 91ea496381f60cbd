"""Funding: the volume-weighted premium of an hour's fills, once an hour (docs/mathematics.md, "Funding").

Sizes, prices and quote amounts are WAD integers; the index is quote per base unit.
"""

from __future__ import annotations

from typing import NamedTuple

from backstop.math.wad import WAD, div_ceil, div_toward_zero, mul_ceil

HOUR = 3600
_MOST, _LEAST = 2**103 - 1, -(2**103)
_MOST_DUST = 2**32 - 1
_LEAST_VOLUME_DIVISOR = 100


def hour_of(timestamp: int) -> int:
    """The hour that a timestamp in seconds lies in."""
    return timestamp // HOUR


def index_after(index: int, premium: int, volume: int, open_interest: int) -> int:
    """The cumulative index after an hour with fills of `volume` contracts and a summed `premium`; down, saturating.

    Less volume than a hundredth of open interest is averaged as if the rest had been filled at mark.
    """
    if volume == 0:
        return index
    averaged = max(volume, open_interest // _LEAST_VOLUME_DIVISOR)
    return max(_LEAST, min(index + premium * WAD // averaged, _MOST))


def premium_of(contracts: int, price: int, mark: int, cap: int) -> int:
    """What a fill adds to the hour's premium: contracts times its price over mark, capped; toward zero.

    `cap` is a WAD fraction of mark.
    """
    most = mark * cap // WAD
    return div_toward_zero(max(-most, min(price - mark, most)) * contracts, WAD)


def payment(size: int, index_change: int) -> int:
    """What a position of signed `size` pays over a change of the index (negative: gets), rounded against it."""
    return mul_ceil(size, index_change)


def exact_payment(size: int, index_change: int) -> int:
    """The same in WAD squared, unrounded: what `payment` rounds up, and what the pot's dust is measured by."""
    return size * index_change


class Pot(NamedTuple):
    """What settled positions have paid into a market's pot, less what they got: `amount`, signed WAD quote.

    `rest` are the parts of a wei that roundings have left in it, in WAD squared below `10**18`, and `dust` the whole
    wei of them, which nobody claims.
    """

    amount: int = 0
    rest: int = 0
    dust: int = 0

    def collect(self, exact: int) -> Pot:
        """The pot after a payment of `exact` (in WAD squared), rounded up."""
        paid = div_ceil(exact, WAD)
        whole, rest = divmod(self.rest + paid * WAD - exact, WAD)
        return Pot(self.amount + paid, rest, min(self.dust + whole, _MOST_DUST))

    def swept(self) -> Pot:
        """The pot without its dust, which goes to the market's pool."""
        return Pot(self.amount - self.dust, self.rest, 0)
