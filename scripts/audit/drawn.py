"""Sequences that hypothesis draws on Anvil, and a bug that it must find there, and cut down to a few actions."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.invariants.chain import PyrevmChain
from tests.invariants.compiler import Artefact, compile_system, compile_variants
from tests.invariants.drawn import ACTIONS as FEW
from tests.invariants.drawn import BUG, SHORT, WITHIN, BrokenError, Scene
from tests.invariants.on_anvil import running
from tests.invariants.seeded import BUGS

from .machine import CORES
from .results import Part, Row

EXAMPLES = 60
ACTIONS = 40


def add_drawn(part: Part, examples: int = EXAMPLES) -> None:
    """A row for what is drawn on Anvil, and one for the bug."""
    faulty = compile_variants({BUG: BUGS[BUG].changes})[BUG]
    share = -(-examples // CORES)
    with ProcessPoolExecutor(CORES, mp_context=get_context("fork")) as pool:
        tasks = [pool.submit(_play, place, share) for place in range(CORES)]
        on_anvil, in_process = pool.submit(_found, faulty), pool.submit(_cut, faulty)
        played, actions, counts = 0, 0, Counter[str]()
        faults = []
        for task in tasks:
            some, done, seen, fault = task.result()
            played, actions, counts = played + some, actions + done, counts + seen
            faults += [fault] if fault else []
        is_found, length = on_anvil.result(), in_process.result()
    part.rows += [
        Row("on Anvil, by hypothesis", played, actions, (int(is_found), 1), holds=not faults and is_found),
        Row(
            "what it finds is cut down",
            found="nothing" if length is None else f"{length} actions",
            asked=f"at most {SHORT}",
            holds=length is not None and length <= SHORT,
        ),
    ]
    part.faults += faults
    if not is_found:
        part.faults.append(f"{BUG} is not found on Anvil in {WITHIN} examples")
    part.figures["drawn"] = {"examples": played, "actions": actions, "counts": dict(sorted(counts.items()))}


def _play(start: int, examples: int) -> tuple[int, int, Counter[str], str]:
    """In a process of the pool: examples, actions, how often what was judged, and the failure."""
    with running() as (chain, _):
        try:
            sum_ = Scene(chain, compile_system()).play(examples, ACTIONS, start=start)
        except BrokenError as fault:
            return examples, 0, Counter(), f"drawn on Anvil: {fault}"
    return sum_.examples, sum_.actions, sum_.counts, ""


def _found(faulty: dict[str, Artefact]) -> bool:
    # Contracts with a bug are not optimized, and larger than a network allows.
    with running("--disable-code-size-limit") as (chain, _):
        outcome = Scene(chain, faulty).broken(WITHIN, FEW, shrinks=False)
    return outcome is not None and outcome.broken >= BUGS[BUG].caught_by


def _cut(faulty: dict[str, Artefact]) -> int | None:
    """Actions of what is left when it is cut down, on an EVM in the process: Anvil would take minutes."""
    outcome = Scene(PyrevmChain(), faulty).broken(WITHIN, FEW, shrinks=True)
    return None if outcome is None else len(outcome.actions)
