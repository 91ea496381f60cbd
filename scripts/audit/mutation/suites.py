"""What tells a mutant from the contracts: the differential fuzz of the libraries, and the sequences."""

from __future__ import annotations

from tests.differential.in_process import InProcess, checks
from tests.invariants.compiler import DEPLOYED, Artefact, compile_system
from tests.invariants.sequences import Ground

HARNESSES = {name: f"contracts/mocks/{name}.sol" for name in ("MathHarness", "CrossHarness", "LiquidationHarness")}
CASES = 600  # of each function of a library
SEQUENCES = 150

# In no harness: what the sequences alone put to the test.
OF_SEQUENCES = frozenset({"FlatTuples", "MutualMath", "Orders", "PositionSlots"})


def by_libraries(library: str, artefacts: dict[str, Artefact]) -> str:
    """What the differential fuzz says of changed harnesses; empty where it notices nothing."""
    # What is asked of the library itself comes first: it is the likeliest to notice.
    asked = sorted(checks(CASES), key=lambda check: library not in check.libraries)
    harnesses: dict[str, InProcess] = {}
    for check in asked:
        if check.harness not in artefacts:
            continue
        try:
            if check.harness not in harnesses:
                harnesses[check.harness] = InProcess(artefacts[check.harness].bytecode)
            check.run(harnesses[check.harness])
        except Exception:
            return f"fuzz of {check.name}"
    return ""


def by_sequences(artefacts: dict[str, Artefact], most: int = SEQUENCES) -> str:
    """Which invariant fails in which sequence with the changed contracts; empty where none does."""
    try:
        ground = Ground({**compile_system(), **artefacts})
    except Exception:
        return "deployment"
    for seed in range(most):
        try:
            broken = ground.play(seed).broken
        except Exception:
            return f"sequence {seed}"
        if broken:
            return f"{', '.join(sorted(broken))} in sequence {seed}"
    return ""


DEPLOYABLE = DEPLOYED
