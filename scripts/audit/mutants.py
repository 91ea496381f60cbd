"""The results of `make mutate` that are in git: of these very sources, nothing left out, and a sample tried again."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random

from tests.invariants.compiler import compile_system

from .machine import CORES
from .mutation.ledger import INVALID, LEAST_KILLED, MOST_INVALID, SURVIVED, TARGETS, Ledger, hash_of, is_stale
from .mutation.trial import control, controls, try_all
from .results import Part, Row

SAMPLE = 50
OF_INVALID = 10  # among them: a survivor that a ledger calls invalid is not to be missed
ASKED = f"all guards, {LEAST_KILLED} %; at most {MOST_INVALID} % invalid"


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
        holds = holds and not ledger.has_too_many_invalid()
        found = f"guards {guards[1]} of {guards[0]}, others {others[1]} of {others[0]} killed"
        justified = guards[2] + others[2]
        found += f", {justified} justified" if justified else ""
        if invalid := len(ledger.invalid()):
            found += f", {invalid} of {len(ledger.results)} invalid ({100 * invalid / len(ledger.results):.1f} %)"
        found += f", {len(missing)} not tried" if missing else ""
        name = file.split("/", 1)[1].removeprefix("libraries/")
        part.rows.append(Row(name, len(ledger.mutants), found=found, asked=ASKED, holds=holds))
        part.faults += ledger.faults()
    part.rows += _sample(ledgers, part)
    return part


def _is_enough(others: tuple[int, int, int]) -> bool:
    """A justified survivor is no gap: it counts as if it were not there."""
    mutants, killed, justified = others
    return 100 * killed >= LEAST_KILLED * (mutants - justified)


def drawn(ledgers: list[Ledger]) -> list[tuple[Ledger, str]]:
    """Those to try again; which ones, the sources decide, so that it is others when they change."""
    known = [(ledger, name) for ledger in ledgers for name in ledger.results]
    invalid = [(ledger, name) for ledger, name in known if ledger.results[name] == INVALID]
    others = [(ledger, name) for ledger, name in known if ledger.results[name] != INVALID]
    rng = Random("".join(hash_of(ledger.file) for ledger in ledgers))
    chosen = rng.sample(invalid, min(OF_INVALID, len(invalid)))
    return chosen + rng.sample(others, min(SAMPLE - len(chosen), len(others)))


def is_other(result: str, kept: str) -> bool:
    """Whether one is killed, alive or invalid, and the other is not; what has killed it may be something else."""
    return result != kept and bool({result, kept} & {SURVIVED, INVALID})


def _sample(ledgers: list[Ledger], part: Part) -> list[Row]:
    """Tries the sources as they are, and if nothing is noticed then, some mutants again."""
    by_file: dict[str, list[str]] = {}
    kept: dict[str, str] = {}
    for ledger, name in drawn(ledgers):
        by_file.setdefault(ledger.file, []).append(name)
        kept[name] = ledger.results[name]
    jobs = [(file, names[i : i + 6]) for file, names in by_file.items() for i in range(0, len(names), 6)]
    compile_system()
    with ProcessPoolExecutor(CORES, mp_context=get_context("fork")) as pool:
        unchanged = controls(by_file)
        noticed = {what: found for what, found in zip(unchanged, pool.map(control, unchanged), strict=True) if found}
        part.faults += [f"without a mutant there is in {what}: {found}" for what, found in noticed.items()]
        found = f"{len(unchanged) - len(noticed)} of {len(unchanged)} without a fault"
        plain = Row("the sources as they are", len(unchanged), found=found, holds=bool(unchanged) and not noticed)
        if noticed:
            return [plain, Row("a sample, tried again", 0, found="not tried: all would be killed", holds=False)]
        again: dict[str, str] = {}
        for results in pool.map(try_all, *zip(*jobs, strict=True)) if jobs else ():
            again |= results
    differing = [name for name in kept if is_other(again[name], kept[name])]
    part.faults += [f"mutant {name} is {again[name] or 'alive'}, in git {kept[name] or 'alive'}" for name in differing]
    found = f"{len(kept) - len(differing)} of {len(kept)} as in git"
    return [plain, Row("a sample, tried again", len(kept), found=found, holds=bool(kept) and not differing)]
