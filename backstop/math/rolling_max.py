"""The largest value of the last eight hours from 33 buckets of 15 minutes (docs/mathematics.md, "max8h")."""

from __future__ import annotations

BUCKET_SECONDS = 900
WINDOW_BUCKETS = 32
RING_BUCKETS = WINDOW_BUCKETS + 1
_LARGEST = 2**111 - 1  # samples saturate at 112 bits, so that no result can stop a takeover


class RollingMax:
    """A ring of closed buckets and a head `(last, max, epoch)`, the open one; epoch 0 means no samples. Signed WAD.

    Between two samples the last one holds, so a new bucket opens with it. What `maximum` reads is never below the
    maximum of the window's samples and of the last one before it, and at most one bucket older than the window.
    """

    def __init__(self) -> None:
        self.last = 0
        self.max = 0
        self.epoch = 0
        self._ring: list[tuple[int, int]] = [(0, 0)] * RING_BUCKETS

    def touch(self, now: int, value: int) -> None:
        """Records `value` at `now` (seconds). Raises ValueError where `now` lies in a bucket before the head's."""
        value = max(-_LARGEST - 1, min(value, _LARGEST))
        epoch = now // BUCKET_SECONDS
        if epoch < self.epoch:
            raise ValueError(f"a sample at {now} is older than the open bucket {self.epoch}")
        if self.epoch == 0:
            self.max = value
        elif epoch == self.epoch:
            self.max = max(self.max, value)
        else:
            self._ring[self.epoch % RING_BUCKETS] = (self.epoch, self.max)
            self.max = max(self.last, value)
        self.last = value
        self.epoch = epoch

    def maximum(self, now: int, present: int | None = None) -> int:
        """The largest value of the eight hours before `now`; `present`, where given, is one of the samples.

        Raises ValueError where there are none at all.
        """
        samples = [] if present is None else [present]
        if self.epoch != 0:
            samples.append(self.last)
            first = now // BUCKET_SECONDS - WINDOW_BUCKETS
            if self.epoch >= first:
                samples.append(self.max)
                samples += [value for epoch, value in self._ring if epoch != 0 and first <= epoch < self.epoch]
        if not samples:
            raise ValueError("there are no samples")
        return max(samples)
