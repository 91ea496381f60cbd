"""Times at which a ring of samples is put to the test."""

from __future__ import annotations

from random import Random

from backstop.math.rolling_max import BUCKET_SECONDS, RING_BUCKETS, WINDOW_BUCKETS

TAGS = 2**15  # an entry's tag repeats after so many buckets; with it the slot must differ


def leap(rng: Random, now: int) -> int:
    """Seconds to the next block: in a bucket, to its edge and beside, some buckets, the window, the tags' period."""
    to_edge = BUCKET_SECONDS - now % BUCKET_SECONDS
    buckets = rng.choice((1, 2, 3, 8, 16, WINDOW_BUCKETS - 1, WINDOW_BUCKETS, RING_BUCKETS, RING_BUCKETS + 1, 100))
    kind = rng.random()
    if kind < 0.35:
        return rng.randint(0, BUCKET_SECONDS)
    if kind < 0.65:
        return max(0, to_edge + rng.choice((-1, 0, 1)))
    if kind < 0.97:
        return max(0, buckets * BUCKET_SECONDS + rng.choice((-1, 0, 1, to_edge, rng.randint(-900, 900))))
    return (TAGS + rng.choice((-1, 0, 1))) * BUCKET_SECONDS
