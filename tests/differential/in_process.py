"""The harnesses on an EVM in this process, where ten thousand cases take a second, and all that they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, NamedTuple

from backstop.chain.bindings import Function
from backstop.math.rolling_max import BUCKET_SECONDS, RollingMax
from tests.invariants.chain import PyrevmChain
from tests.invariants.compiler import compile_alone

from . import cross_pairs, direct_pairs, extremes, liquidation_pairs, pairs
from .engine_alone import creation_code
from .harness import MAXIMA, TOUCH, Harness
from .windows import leap

_OWNER = "0x" + "0e" * 20
_START = 1_790_000_000 // BUCKET_SECONDS * BUCKET_SECONDS
_RING = 50  # samples of one history
_ALONE = {"DirectHarness": "tests/forge/DirectHarness.sol"}  # harnesses that are compiled on their own


class InProcess(Harness):
    """A harness whose code is given, on an EVM of its own."""

    def __init__(self, code: bytes) -> None:
        self.chain = PyrevmChain()
        self.address = self.chain.deploy(_OWNER, code)
        self.chain.mark()

    def call(self, function: Function, *arguments: Any, at: int | None = None) -> tuple[Any, ...]:
        """See `Harness`."""
        return function.decode(self.raw(function.encode(*arguments), at))

    def raw(self, data: bytes, at: int | None = None) -> bytes:
        """All that a view returns."""
        return self.chain.view(self.address, data, at)

    def send(self, data: bytes) -> bytes:
        """What a transaction returns; it must be accepted."""
        receipt = self.chain.send(_OWNER, self.address, data, _START)
        assert receipt.ok, receipt
        return receipt.output


def code_of(harness: str) -> bytes:
    """What a harness is deployed from."""
    return compile_alone(_ALONE[harness]).bytecode if harness in _ALONE else creation_code(harness)


class Check(NamedTuple):
    """What is asked of a harness: `run` wants a deployed one and raises where an answer is wrong; it makes `cases`."""

    name: str
    harness: str
    libraries: frozenset[str]
    cases: int
    run: Callable[[InProcess], None]


def checks(cases: int) -> Iterator[Check]:
    """Everything, with so many cases for each function."""
    groups = (
        (pairs.WAD_MATH, "MathHarness", {"WadMath"}),
        (pairs.MARGIN_MATH, "MathHarness", {"MarginMath", "PositionMath", "WadMath"}),
        (pairs.LEVERAGED_RETURN, "MathHarness", {"LeveragedReturn"}),
        (pairs.ADL_MATH, "MathHarness", {"ADLMath", "MarginMath"}),
        (cross_pairs.FUNDING, "CrossHarness", {"FundingMath"}),
        (liquidation_pairs.LIQUIDATION, "LiquidationHarness", {"AuctionMath", "LiquidationMath"}),
    )
    for group, harness, libraries in groups:
        for pair in group:
            name = pair.signature.split("(")[0]
            yield Check(name, harness, frozenset(libraries), cases, partial(pairs.check, pair, cases=cases))
    score = frozenset({"LeveragedReturn"})
    yield Check("score at the bounds", "MathHarness", score, 3, pairs.check_saturation)
    yield Check("overflow", "MathHarness", frozenset({"WadMath"}), 8, pairs.check_overflow)
    for length in pairs.LENGTHS:
        run = partial(pairs.check_sort, length)
        yield Check(f"sort of {length}", "MathHarness", frozenset({"Ranking"}), 18, run)
    lists = partial(pairs.check_sorts, cases=cases)
    yield Check("lists of any length", "MathHarness", frozenset({"Ranking"}), cases, lists)
    shares, legs = partial(cross_pairs.check_shares, cases=cases), partial(cross_pairs.check_legs, cases=cases)
    yield Check("sharesOf", "CrossHarness", frozenset({"BankruptcyMath"}), cases, shares)
    yield Check("sets of legs", "CrossHarness", frozenset({"LegSet"}), cases, legs)
    histories = max(1, cases // _RING)
    rings = partial(check_rings, histories=histories)
    yield Check("rings", "MathHarness", frozenset({"RollingMax"}), histories * _RING, rings)
    yield from _direct_checks(cases)


def _direct_checks(cases: int) -> Iterator[Check]:
    def exposures(harness: InProcess) -> None:
        direct_pairs.check_exposures(cases, harness.raw)

    def slots(harness: InProcess) -> None:
        direct_pairs.check_slots(cases, harness.send)

    tuples, groups = frozenset({"FlatTuples"}), partial(direct_pairs.check_groups, cases=cases)
    yield Check("lists of exposures", "DirectHarness", tuples, cases, exposures)
    yield Check("lists of fills", "DirectHarness", tuples, cases, partial(direct_pairs.check_fills, cases=cases))
    yield Check("slots of positions", "DirectHarness", frozenset({"PositionSlots"}), cases, slots)
    yield Check("mutual groups", "DirectHarness", frozenset({"MutualMath"}), cases, groups)


def check_rings(harness: InProcess, histories: int) -> None:
    """The ring and its mirror, sample by sample: any value at all, a steady fall, hardly any move."""
    rng = Random("rings")
    for history in range(histories):
        harness.chain.rewind()
        ring, now = RollingMax(), _START
        for step in range(_RING):
            now += leap(rng, now)
            kind = history % 3
            if kind == 0 and rng.random() < 0.1:
                value = rng.choice((extremes.INT112_MIN - 1, extremes.INT112_MAX + 1))
            else:
                value = (extremes.amount(rng), -step * 10**18 + rng.randrange(10**18), rng.randint(-3, 3))[kind]
            if rng.random() < 0.7:
                receipt = harness.chain.send(_OWNER, harness.address, TOUCH.encode([value]), now)
                assert receipt.ok, f"a sample of {value} at {now} is refused"
                ring.touch(now, value)
            present = extremes.amount(rng) if rng.random() < 0.2 else extremes.INT112_MIN
            at = now + rng.choice((0, 0, rng.randint(0, 1800), leap(rng, now)))
            ((found,),) = harness.call(MAXIMA, [present], at=at)
            assert found == ring.maximum(at, present), f"maximum at {at} of history {history}, step {step}"
