"""What a sample and a reading of the rolling maximum cost, in a ring that is full and cold."""

from __future__ import annotations

from scripts.stage.ring_gas import ring_gas
from scripts.stage.venue import Venue

MOST_OF_A_SAMPLE = 12_000
MOST_OF_A_READING = 90_000


def test_a_full_ring(venue: Venue) -> None:
    gas = ring_gas(venue.owner, venue.endpoint)
    assert 2_100 < gas["touchInBucket"] < gas["touchOpensBucket"] <= MOST_OF_A_SAMPLE
    # 17 slots and the head, all cold.
    assert 18 * 2_100 < gas["maximum"] <= MOST_OF_A_READING
