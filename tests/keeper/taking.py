"""What somebody else does while a keeper looks on."""

from __future__ import annotations

from scripts.stage.venue import TestMarket, Venue


def take_over(venue: Venue, market: TestMarket, trader: str = "icarus") -> None:
    """Somebody takes a bankrupt account over."""
    account = bytes.fromhex(venue.account_of(market, trader)[2:])
    venue.system.exchange.takeOver(account, sender=venue.owner)
