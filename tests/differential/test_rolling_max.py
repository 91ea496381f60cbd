"""The ring of `RollingMax` against its mirror and against plain lists of samples, through years of block time."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from ape import chain, project
from hypothesis import given
from hypothesis import strategies as st

from backstop.math.rolling_max import BUCKET_SECONDS, WINDOW_BUCKETS, RollingMax
from tests.invariants.chain import PyrevmChain

from . import extremes
from .clock import Clock
from .harness import MAXIMA, NO_SAMPLE, TOUCH, Harness
from .windows import TAGS, leap

RINGS = 24
STEPS = 220
WINDOW_SECONDS = WINDOW_BUCKETS * BUCKET_SECONDS

Samples = list[tuple[int, int]]


def _of_window(samples: Samples, now: int, seconds: int) -> int:
    """The largest sample of the last `seconds`; the last one before them counts, since the value held."""
    before = [value for time, value in samples if time <= now - seconds]
    return max([value for time, value in samples if time > now - seconds] + before[-1:])


def test_ring_equals_its_mirror(harness: Harness, owner: Any) -> None:
    rng = Random("rolling max")
    clock = Clock(harness.endpoint)
    rings = [RollingMax() for _ in range(RINGS)]
    samples: list[Samples] = [[] for _ in range(RINGS)]
    # Some rings hardly move, so that an old maximum is what counts; some fall steadily; some take any value at all.
    now = chain.blocks.head.timestamp + 1
    for step in range(STEPS):
        now += leap(rng, now)
        values = []
        for i, ring in enumerate(rings):
            value = (extremes.amount(rng), -step * 10**18 + rng.randrange(10**18), rng.randint(-3, 3))[i % 3]
            if rng.random() < (0.9, 0.5, 0.15)[i // 3 % 3]:
                ring.touch(now, value)
                samples[i].append((now, value))
                values.append(value)
            else:
                values.append(NO_SAMPLE)
        clock.send(owner.address, harness.address, TOUCH.encode(values), at=now)

        for at in {now, now + rng.randint(0, 1800), now + WINDOW_SECONDS + rng.randint(-1800, 1800)}:
            presents = [extremes.amount(rng) if rng.random() < 0.2 else extremes.INT112_MIN for _ in rings]
            (read,) = harness.call(MAXIMA, presents, at=at)
            assert list(read) == [ring.maximum(at, present) for ring, present in zip(rings, presents, strict=True)]
            for highest, present, seen in zip(read, presents, samples, strict=True):
                if seen:
                    assert highest >= max(present, _of_window(seen, at, WINDOW_SECONDS))
                    assert highest <= max(present, _of_window(seen, at, WINDOW_SECONDS + BUCKET_SECONDS))


def test_sample_beyond_112_bits_saturates(harness: Harness, owner: Any) -> None:
    """No result, however absurd, may stop the takeover that samples it; the mirror saturates alike."""
    clock = Clock(harness.endpoint)
    now = chain.blocks.head.timestamp + 1
    beyond = [extremes.INT112_MIN - 1, extremes.INT112_MAX + 1]
    clock.send(owner.address, harness.address, TOUCH.encode(beyond), at=now)
    (read,) = harness.call(MAXIMA, [extremes.INT112_MIN] * 2)
    mirrors = [RollingMax(), RollingMax()]
    for mirror, sample in zip(mirrors, beyond, strict=True):
        mirror.touch(now, sample)
    assert list(read) == [extremes.INT112_MIN, extremes.INT112_MAX]
    assert list(read) == [mirror.maximum(now, extremes.INT112_MIN) for mirror in mirrors]


@pytest.fixture(scope="module")
def ring() -> tuple[PyrevmChain, str]:
    """A harness on an EVM in this process, where a sample takes no time."""
    pytest.importorskip("pyrevm", reason="there is no wheel of pyrevm for this Python")
    evm = PyrevmChain()
    code = project.MathHarness.contract_type.model_dump(mode="json")["deploymentBytecode"]["bytecode"]
    address = evm.deploy(OWNER, bytes.fromhex(code[2:]))
    evm.mark()
    return evm, address


OWNER = "0x" + "0e" * 20
START = 1_790_000_000 // BUCKET_SECONDS * BUCKET_SECONDS
steps = st.one_of(
    st.integers(0, 60),
    st.integers(0, 2 * BUCKET_SECONDS),
    st.integers(0, 2 * WINDOW_SECONDS),
    st.sampled_from((BUCKET_SECONDS - 1, BUCKET_SECONDS, WINDOW_SECONDS, WINDOW_SECONDS + BUCKET_SECONDS)),
    st.just(TAGS * BUCKET_SECONDS),
)
values = st.one_of(st.integers(-1000, 1000), st.integers(extremes.INT112_MIN, extremes.INT112_MAX))


@given(history=st.lists(st.tuples(steps, values), min_size=1, max_size=50), wait=steps)
def test_never_below_the_true_maximum_and_at_most_one_bucket_older(
    ring: tuple[PyrevmChain, str], history: list[tuple[int, int]], wait: int
) -> None:
    evm, harness = ring
    evm.rewind()
    mirror, samples, now = RollingMax(), [], START
    for step, value in history:
        now += step
        assert evm.send(OWNER, harness, TOUCH.encode([value]), now).ok
        mirror.touch(now, value)
        samples.append((now, value))
    now += wait
    ((highest,),) = MAXIMA.decode(evm.view(harness, MAXIMA.encode([extremes.INT112_MIN]), now))
    assert highest == mirror.maximum(now)
    true, with_a_bucket_more = (_of_window(samples, now, WINDOW_SECONDS + more) for more in (0, BUCKET_SECONDS))
    assert true <= highest <= with_a_bucket_more
