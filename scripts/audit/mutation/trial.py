"""A trial of mutants: compiled together, and held to the suites one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.invariants.compiler import DEPLOYED, compile_edits, read_source

from . import python_trial
from .ledger import INVALID, SURVIVED, is_python
from .mutant import Mutant
from .solidity import mutants_of
from .suites import HARNESSES, OF_SEQUENCES, by_engine, by_libraries, by_sequences, is_in_a_harness

# Mutants of deployed contracts for one run of the compiler, whose memory some twenty contracts fill.
AT_ONCE = 4
CONTRACTS = "contracts/"  # the control of those that are deployed, as one


def controls(files: Iterable[str]) -> list[str]:
    """What is to be played without a mutant before any of these files' is tried, for `control`."""
    files = list(files)
    alone = [file for file in files if is_python(file) or _has_harnesses(file)]
    return [*alone, CONTRACTS] if any(not is_python(file) for file in files) else alone


def control(what: str) -> str:
    """What the suites notice where nothing is changed: it must be nothing, or each mutant would count as killed."""
    if is_python(what):
        return python_trial.control(what)
    contracts = DEPLOYED if what == CONTRACTS else HARNESSES
    sources = DEPLOYED.values() if what == CONTRACTS else [what]
    made = compile_edits({"control": {file: read_source(file) for file in sources}}, contracts)["control"]
    if isinstance(made, str):
        return made
    return by_engine(made) or by_sequences(made) if what == CONTRACTS else by_libraries(Path(what).stem, made)


def try_all(file: str, names: list[str]) -> dict[str, str]:
    """What notices each of these mutants of a file."""
    if is_python(file):
        return python_trial.try_all(file, names)
    mutants = {mutant.id: mutant for mutant in mutants_of(file) if mutant.id in names}
    library = Path(file).stem
    results: dict[str, str] = {}
    if _has_harnesses(file):
        results = _try(mutants, HARNESSES, library)
        survivors = [mutants[name] for name, result in results.items() if result == SURVIVED]
        mutants = {mutant.id: mutant for mutant in survivors if not is_in_a_harness(mutant)}
    todo = list(mutants.items())
    for start in range(0, len(todo), AT_ONCE):
        results |= _try(dict(todo[start : start + AT_ONCE]), DEPLOYED, "")
    return results


def _has_harnesses(file: str) -> bool:
    return file.startswith("contracts/libraries/") and Path(file).stem not in OF_SEQUENCES


def _try(mutants: dict[str, Mutant], contracts: dict[str, str], library: str) -> dict[str, str]:
    if not mutants:
        return {}
    edits = {name: {mutant.file: mutant.text} for name, mutant in mutants.items()}
    results = {}
    for name, made in compile_edits(edits, contracts).items():
        if isinstance(made, str):
            results[name] = INVALID
        elif library:
            results[name] = by_libraries(library, made)
        else:
            results[name] = by_engine(made) or by_sequences(made)
    return results
