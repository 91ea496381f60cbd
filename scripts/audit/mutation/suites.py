"""What tells a mutant from the contracts: the fuzz of the libraries and of the engine on its own, and the sequences."""

from __future__ import annotations

from tests.differential import engine_alone
from tests.differential.in_process import InProcess, checks
from tests.invariants.compiler import Artefact, compile_system, read_source
from tests.invariants.sequences import Ground

from .mutant import Mutant

HARNESSES = {
    **{name: f"contracts/mocks/{name}.sol" for name in ("MathHarness", "CrossHarness", "LiquidationHarness")},
    "DirectHarness": "tests/forge/DirectHarness.sol",
}
CASES = 500, 6000  # of each function of a library; most mutants are noticed by the first few
ROUNDS = 4000  # of the engine on its own
SEQUENCES = 80

# In no harness: what the sequences alone put to the test.
OF_SEQUENCES = frozenset({"Orders"})


def by_libraries(library: str, artefacts: dict[str, Artefact]) -> str:
    """What the differential fuzz says of changed harnesses; empty where it notices nothing."""
    harnesses: dict[str, InProcess] = {}
    for cases in CASES:
        # What is asked of the library itself comes first: it is the likeliest to notice.
        for check in sorted(checks(cases), key=lambda check: library not in check.libraries):
            if check.harness not in artefacts or (cases == CASES[-1] and library not in check.libraries):
                continue
            try:
                if check.harness not in harnesses:
                    harnesses[check.harness] = InProcess(artefacts[check.harness].bytecode)
                check.run(harnesses[check.harness])
            except Exception:
                return f"fuzz of {check.name}"
    return ""


def is_in_a_harness(mutant: Mutant) -> bool:
    """Whether a harness calls the function that is changed, or it is one that others of the library call."""
    texts = [read_source(file) for file in HARNESSES.values()]
    return mutant.function.startswith("_") or any(f".{mutant.function}(" in text for text in texts)


def by_engine(artefacts: dict[str, Artefact]) -> str:
    """Whether the engine on its own notices changed contracts; empty where it does not."""
    if "ADLEngine" not in artefacts:
        return ""
    try:
        engine_alone.check(artefacts["ADLEngine"].bytecode, ROUNDS)
    except Exception:
        return "engine on its own"
    return ""


def by_sequences(artefacts: dict[str, Artefact], most: int = SEQUENCES) -> str:
    """Which invariant fails in which sequence with the changed contracts; empty where none does."""
    try:
        ground = Ground({**compile_system(), **artefacts})
    except Exception:
        return "deployment"
    return broken_in(ground, range(most))


def broken_in(ground: Ground, seeds: range) -> str:
    """Which invariant fails in which sequence on this ground, or that one comes to no end; empty where none does."""
    for seed in seeds:
        try:
            broken = ground.play(seed).broken
        except Exception:
            return f"sequence {seed}"
        if broken:
            return f"{', '.join(sorted(broken))} in sequence {seed}"
    return ""
