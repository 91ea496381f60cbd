"""The invariants at scale, those of what halts too, and the seeded bugs that show that each of them can fail."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from tests.invariants import halted
from tests.invariants.checks import INVARIANTS
from tests.invariants.compiler import Artefact, compile_system, compile_variants
from tests.invariants.halting import Stage
from tests.invariants.seeded import BUGS
from tests.invariants.sequences import LENGTH, Ground, report

from .drawn import EXAMPLES, add_drawn
from .machine import CORES
from .results import Part, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

SEQUENCES = 1000
HALTS = {"end": 300, "pause": 100, "hostile": 60}  # of each kind of `halted.PLAYS`
_SHORTEST = 25  # sequences that a process plays at a time
_SHORTEST_HALT = 10

_grounds: list[Ground] = []
_stages: dict[str, Stage] = {}


def run(sequences: int = SEQUENCES) -> Part:
    """Plays the sequences and the seeded bugs; a row for each invariant."""
    part = Part("Invariants")
    compile_system()
    caught, missed = _bugs()
    counts: Counter[str] = Counter()
    actions = 0
    with _pool() as pool:
        starts = range(0, sequences, _SHORTEST)
        tasks = [pool.submit(_play, range(start, min(start + _SHORTEST, sequences))) for start in starts]
        for task in tasks:
            done, seen, faults = task.result()
            actions += done
            counts += seen
            part.faults += faults
    for name, says in INVARIANTS.items():
        naming = [bug for bug in BUGS if name in BUGS[bug].caught_by]
        found = sum(bug in caught for bug in naming)
        broken = any(fault.startswith(f"{name}:") or f"\n  {name}:" in fault for fault in part.faults)
        holds = not broken and found == len(naming) > 0 and counts[name] > 0
        part.rows.append(Row(f"{name}  {_short(says)}", sequences, counts[name], (found, len(naming)), holds=holds))
    enough = actions >= sequences * LENGTH
    part.rows.append(
        Row("all of them after every action", sequences, actions, (len(caught), len(BUGS)), holds=enough and not missed)
    )
    part.faults += [f"{name}: {fault}" for name, fault in missed.items()]
    part.faults += _never_seen(counts, sequences)
    part.figures = {"sequences": sequences, "actions": actions, "counts": dict(sorted(counts.items()))}
    for play, times in HALTS.items():
        _halts(part, play, times * sequences // SEQUENCES)
    add_drawn(part, EXAMPLES * sequences // SEQUENCES)
    return part


def _halts(part: Part, play: str, times: int) -> None:
    """A row for each invariant that this play judges: of a market's end, of a pause, or of enemies."""
    bugs = {name: bug for name, bug in halted.BUGS.items() if bug.play == play}
    variants = compile_variants({name: bug.changes for name, bug in bugs.items()})
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with _pool() as pool:
        starts = range(0, times, _SHORTEST_HALT)
        tasks = [pool.submit(_play_halt, play, range(start, min(start + _SHORTEST_HALT, times))) for start in starts]
        missing = dict(zip(bugs, pool.map(_missed_halt, bugs, (variants[name] for name in bugs)), strict=True))
        for task in tasks:
            seen, found = task.result()
            counts += seen
            faults += found
    judged = frozenset().union(*(bug.caught_by for bug in bugs.values()))
    for name, says in halted.INVARIANTS.items():
        if name not in judged:
            continue
        naming = [bug for bug in bugs if name in bugs[bug].caught_by]
        caught = sum(not missing[bug] for bug in naming)
        broken = any(fault.startswith(f"{name},") for fault in faults)
        holds = not broken and caught == len(naming) and counts[name] > 0
        part.rows.append(Row(f"{name}  {_short(says)}", times, counts[name], (caught, len(naming)), holds=holds))
    part.faults += faults
    part.faults += [f"{name}: {fault}" for name, fault in missing.items() if fault]
    part.faults += halted.never_seen(play, times, counts)
    part.figures[play] = {"plays": times, "counts": dict(sorted(counts.items()))}


def _play_halt(play: str, seeds: range) -> tuple[Counter[str], list[str]]:
    """In a process of the pool: counts, and what does not hold."""
    if play not in _stages:
        _stages[play] = halted.stage_of(play, compile_system())
    stage = _stages[play]
    stage.counts.clear()
    faults = [
        f"{violation.invariant}, {play} {seed}: {violation.text}"
        for seed in seeds
        for violation in halted.PLAYS[play](stage, seed)
    ]
    return Counter(stage.counts), faults


def _missed_halt(name: str, artefacts: dict[str, Artefact]) -> str:
    return halted.BUGS[name].missed(artefacts)


def _never_seen(counts: Counter[str], sequences: int) -> Iterator[str]:
    """What the tests ask to be seen, for as many sequences as there were."""
    from tests.invariants.test_sequences import seldom

    for name, (seen, least) in seldom(counts, sequences).items():
        yield f"{name!r} was seen {seen} times, at least {least} are asked for"


def _short(says: str) -> str:
    """The first words of what an invariant says."""
    head = says.split(": ")[0].split("; ")[0]
    return head if len(head) <= 52 else head[:51].rsplit(" ", 1)[0] + " …"


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(CORES, mp_context=get_context("fork"))


def _play(seeds: range) -> tuple[int, Counter[str], list[str]]:
    """In a process of the pool: actions, counts, and failures cut down to what still fails."""
    if not _grounds:
        _grounds.append(Ground(compile_system()))
    counts: Counter[str] = Counter()
    actions, faults = 0, []
    for seed in seeds:
        outcome = _grounds[0].play(seed)
        counts += outcome.counts
        actions += len(outcome.actions)
        if outcome.violations:
            faults.append(report(_grounds[0].shrunk(outcome)))
    return actions, counts, faults


def _bugs() -> tuple[set[str], dict[str, str]]:
    """The seeded bugs that were caught, and what became of the others."""
    variants = compile_variants({name: bug.changes for name, bug in BUGS.items()})
    with _pool() as pool:
        faults = dict(zip(BUGS, pool.map(_missed, BUGS, (variants[name] for name in BUGS)), strict=True))
    return {name for name, fault in faults.items() if not fault}, {n: fault for n, fault in faults.items() if fault}


def _missed(name: str, artefacts: dict[str, Artefact]) -> str:
    return BUGS[name].missed(artefacts)
