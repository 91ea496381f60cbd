"""The results of `make mutate` that are in git: of these very sources, nothing left out, and a sample tried again."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random

from tests.invariants.compiler import compile_system

from .machine import CORES
from .mutation.ledger import INVALID, LEAST_KILLED, SURVIVED, TARGETS, Ledger, hash_of, is_stale
from .mutation.trial import try_all
from .results import Part, Row

SAMPLE = 50


def run() -> Part:
    """A row for each file, and one for the sample."""
    part = Part("Mutants of the engine, the libraries and their mirror in Python")
    ledgers = []
    for file in TARGETS:
        if is_stale(file):
            part.faults.append(f"{file} has changed since its mutants were tried: `make mutate`")
            part.rows.append(Row(file.split("/", 1)[1].removeprefix("libraries/"), found="stale", holds=False))
            continue
        ledger = Ledger.open(file)
        ledgers.append(ledger)
        guards, others = ledger.counts(guards=True), ledger.counts(guards=False)
        missing = ledger.missing()
        holds = not missing and guards[1] + guards[2] == guards[0] and _is_enough(others)
        found = f"guards {guards[1]} of {guards[0]}, others {others[1]} of {others[0]} killed"
        justified = guards[2] + others[2]
        found += f", {justified} justified" if justified else ""
        found += f", {len(missing)} not tried" if missing else ""
        name = file.split("/", 1)[1].removeprefix("libraries/")
        part.rows.append(
            Row(name, len(ledger.mutants), found=found, asked=f"all guards, {LEAST_KILLED} %", holds=holds)
        )
        part.faults += ledger.faults()
    part.rows.append(_sample(ledgers, part))
    return part


def _is_enough(others: tuple[int, int, int]) -> bool:
    """A justified survivor is no gap: it counts as if it were not there."""
    mutants, killed, justified = others
    return 100 * killed >= LEAST_KILLED * (mutants - justified)


def _sample(ledgers: list[Ledger], part: Part) -> Row:
    """Tries some again; which ones, the sources decide, so that it is others when they change."""
    known = [(ledger, name) for ledger in ledgers for name, result in ledger.results.items() if result != INVALID]
    rng = Random("".join(hash_of(ledger.file) for ledger in ledgers))
    chosen = rng.sample(known, min(SAMPLE, len(known)))
    by_file: dict[str, list[str]] = {}
    kept: dict[str, str] = {}
    for ledger, name in chosen:
        by_file.setdefault(ledger.file, []).append(name)
        kept[name] = ledger.results[name]
    jobs = [(file, names[i : i + 6]) for file, names in by_file.items() for i in range(0, len(names), 6)]
    compile_system()
    again: dict[str, str] = {}
    with ProcessPoolExecutor(CORES, mp_context=get_context("fork")) as pool:
        for results in pool.map(try_all, *zip(*jobs, strict=True)) if jobs else ():
            again |= results
    differing = [name for name in kept if (again[name] == SURVIVED) != (kept[name] == SURVIVED)]
    part.faults += [f"mutant {name} is {again[name] or 'alive'}, in git {kept[name] or 'alive'}" for name in differing]
    found = f"{len(kept) - len(differing)} of {len(kept)} as in git"
    return Row("a sample, tried again", len(kept), found=found, holds=bool(kept) and not differing)
