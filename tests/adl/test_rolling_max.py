"""The eight-hour maximum against a model that remembers every sample."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.rolling_max import RollingMax

BUCKET_SECONDS = 15 * 60
WINDOW = 8 * 60 * 60
START = 1_790_000_000 // BUCKET_SECONDS * BUCKET_SECONDS


def ring(*samples: tuple[int, int]) -> RollingMax:
    """A ring that got `(seconds after START, value)`."""
    result = RollingMax()
    for after, value in samples:
        result.touch(START + after, value)
    return result


def test_without_samples_only_the_present_counts() -> None:
    empty = RollingMax()
    assert empty.maximum(START, -5) == -5
    with pytest.raises(ValueError, match="no samples"):
        empty.maximum(START)


def test_a_peak_leaves_after_eight_hours_and_at_most_a_bucket() -> None:
    peak = ring((0, 100), (1, 20), (BUCKET_SECONDS, 10))
    # The bucket of the peak counts for 32 more buckets; the one after it opened with 20, the value held until then.
    assert peak.maximum(START + WINDOW) == 100
    assert peak.maximum(START + WINDOW + BUCKET_SECONDS - 1) == 100
    assert peak.maximum(START + WINDOW + BUCKET_SECONDS) == 20
    assert peak.maximum(START + WINDOW + 2 * BUCKET_SECONDS) == 10


def test_a_value_that_held_still_counts_however_old() -> None:
    assert ring((0, 100)).maximum(START + 1000 * WINDOW) == 100
    # The first sample after a long silence finds it in its own bucket.
    late = ring((0, 100), (10 * WINDOW, 5))
    assert late.maximum(START + 10 * WINDOW) == 100
    assert late.maximum(START + 11 * WINDOW + BUCKET_SECONDS) == 5


def test_negative_values_and_the_present() -> None:
    low = ring((0, -100), (60, -50), (120, -70))
    assert low.maximum(START + 130) == -50
    assert low.maximum(START + 130, -20) == -20
    assert low.maximum(START + 130, -90) == -50


def test_time_does_not_run_backward() -> None:
    with pytest.raises(ValueError, match="older than the open bucket"):
        ring((BUCKET_SECONDS, 1), (BUCKET_SECONDS - 1, 2))


steps = st.one_of(
    st.integers(0, 60),
    st.integers(0, 2 * BUCKET_SECONDS),
    st.integers(0, 2 * WINDOW),
    st.just(BUCKET_SECONDS),
    st.just(WINDOW),
)


@given(st.lists(st.tuples(steps, st.integers(-1000, 1000)), min_size=1, max_size=60), steps)
def test_never_below_the_true_maximum_and_at_most_one_bucket_older(history: list[tuple[int, int]], wait: int) -> None:
    tested, samples, now = RollingMax(), [], START
    for step, value in history:
        now += step
        tested.touch(now, value)
        samples.append((now, value))
    now += wait
    assert (
        _true_maximum(samples, now - WINDOW)
        <= tested.maximum(now)
        <= _true_maximum(samples, now - WINDOW - BUCKET_SECONDS)
    )


def _true_maximum(samples: list[tuple[int, int]], since: int) -> int:
    """Of the samples from `since` on, and of the last one before, whose value still held then."""
    inside = [value for when, value in samples if when >= since]
    before = [value for when, value in samples if when < since]
    return max(inside + before[-1:])


def test_a_ring_begins_with_nothing() -> None:
    fresh = RollingMax()
    assert (fresh.last, fresh.max, fresh.epoch) == (0, 0, 0)


def test_buckets_that_were_never_written_are_no_samples_even_at_the_beginning_of_time() -> None:
    fresh = RollingMax()
    fresh.touch(2 * BUCKET_SECONDS, -5)
    assert fresh.maximum(2 * BUCKET_SECONDS) == -5


def test_samples_saturate_at_112_bits() -> None:
    fresh = RollingMax()
    for value, kept in ((-(2**200), -(2**111)), (2**200, 2**111 - 1)):
        fresh.touch(BUCKET_SECONDS, value)
        assert fresh.last == kept
