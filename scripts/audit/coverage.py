"""Line and branch coverage of the contracts by the Python tests, measured by forge.

The tests of the contracts run on Anvil behind a proxy that writes down what they ask of it; sequences and the fuzz of
the libraries and of the engine on its own are written down in this process. `tests/forge/Replay.t.sol` plays all of
that once more under `forge coverage`, and fails where a call does not end as it did.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential import engine_alone, in_process
from tests.invariants import sequences
from tests.invariants.compiler import ROOT, Artefact, compile_system

from .environment import environment
from .recording import FOLDER, RecordingChain, known_codes
from .results import Part, Row

LEAST = 98  # of a hundred lines, and of a hundred branches
SEQUENCES = 150
CASES = 2000  # of each function of a library
ROUNDS = 600  # of the engine on its own
_VIEWS_OF_SEQUENCES = 40  # one in so many, since they say the same over and over
UNREACHABLE = Path("tests") / "forge" / "unreachable.json"
_RECORDINGS = 8  # that the replay looks for
_RAW = FOLDER / "raw"
_LCOV = FOLDER / "lcov.info"
_PROCESSES = 2  # of pytest, each with an Anvil of its own
# Tests of the contracts by way of Anvil; the libraries' are written down in this process.
_TESTS = (
    # Those of gas see how much forge's code uses, which is not optimized.
    *sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests" / "contracts").glob("test_*.py")
        if not path.name.startswith("test_gas_of_")
    ),
    "tests/differential/test_account_ids.py",
    "tests/differential/test_edges.py",
)
# A router and its modules are one contract in pieces.
GROUPS = {
    "Exchange and its modules": (
        "Exchange",
        "ExchangeStorage",
        "MarginAccounts",
        "SettlementModule",
        "SolvencyModule",
        "MarketModule",
        "DelegatedModule",
        "Halts",
        "Owned",
    ),
    "InsuranceFund and its modules": (
        "InsuranceFund",
        "FundStorage",
        "PoolBooks",
        "PoolStakes",
        "InventoryModule",
        "PoolModule",
    ),
    "ADLEngine": ("ADLEngine",),
    "libraries": tuple(sorted(path.stem for path in (ROOT / "contracts" / "libraries").glob("*.sol"))),
}


@dataclass(slots=True)
class Source:
    """What forge saw of a source: by line how often, by branch (line, block, branch) how often."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def gaps(self) -> list[str]:
        """Lines that never ran, and branches that were never taken of lines that ran."""
        never = [line for line, count in self.lines.items() if count == 0]
        sides = sorted({place[0] for place, count in self.branches.items() if count == 0} - set(never))
        return [*(f"{line}" for line in sorted(never)), *(f"{line} (a branch)" for line in sides)]


def run() -> Part:
    """A row for each group of contracts, and one for each of the others."""
    part = Part("Coverage of the contracts, by forge")
    shutil.rmtree(FOLDER, ignore_errors=True)
    _RAW.mkdir(parents=True)
    tests = _start_tests()
    _record_here()
    part.faults += _end(tests)
    recordings = sorted(_RAW.glob("*.txt"))
    if len(recordings) > _RECORDINGS:
        part.faults.append(f"{len(recordings)} recordings, the replay looks for {_RECORDINGS}")
    for place, recording in enumerate(recordings[:_RECORDINGS]):
        recording.rename(FOLDER / f"recording-{place}.txt")
    calls = sum(_lines_of(file) for file in FOLDER.glob("recording-*.txt"))
    part.faults += _forge()
    measured = _parse()
    excused = _excuse(measured)
    part.faults += excused
    part.faults += _missing(measured)
    part.rows = list(_rows(measured))
    part.rows.insert(0, Row("calls played again by forge, each ending alike", calls=calls, holds=not part.faults))
    part.notes = [
        f"{name}: not reached: lines {', '.join(gaps)}"
        for name, source in sorted(measured.items())
        if (gaps := source.gaps())
    ]
    left_out = [line for lines in json.loads(UNREACHABLE.read_text(encoding="utf-8")).values() for line in lines]
    part.rows.append(Row("branches that nothing can take, left out", len(left_out), found=f"see {UNREACHABLE}"))
    part.figures = {
        name: {
            "lines": [len(source.lines) - sum(n == 0 for n in source.lines.values()), len(source.lines)],
            "branches": [sum(n != 0 for n in source.branches.values()), len(source.branches)],
            "gaps": source.gaps(),
        }
        for name, source in sorted(measured.items())
    }
    return part


# ---------------------------------------------------------------------- recordings


def _start_tests() -> list[tuple[subprocess.Popen[bytes], Path]]:
    real = shutil.which("anvil")
    if real is None:
        raise FileNotFoundError("anvil is not on the PATH")
    shim = FOLDER.resolve() / "bin" / "anvil"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\ncd {ROOT!s} && exec {sys.executable} -m scripts.audit.proxy "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    told = environment() | {
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        "BACKSTOP_ANVIL": str(Path(real).resolve()),
        "BACKSTOP_RECORDINGS": str(_RAW.resolve()),
    }
    started = []
    for place in range(_PROCESSES):
        log = FOLDER / f"tests-{place}.log"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_TESTS[place::_PROCESSES]]
        with log.open("wb") as out:
            started.append((subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=told), log))
    return started


def _end(tests: list[tuple[subprocess.Popen[bytes], Path]]) -> Iterator[str]:
    for process, log in tests:
        if process.wait() != 0:
            yield f"the tests whose calls are recorded fail: {_last_line(log)} ({log})"


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if "passed" in line]
    return lines[-1] if lines else "they did not end"


def _record_here() -> None:
    """The sequences, the engine on its own, and the fuzz of the libraries."""
    artefacts = compile_system()
    with _recorded("sequences.txt", _VIEWS_OF_SEQUENCES):
        ground = sequences.Ground(artefacts)
        for seed in range(SEQUENCES):
            ground.play(seed)
    codes = known_codes()
    with _recorded("engine.txt"):
        engine_alone.check(codes["ADLEngine"], ROUNDS)
    asked = [check for check in in_process.checks(CASES) if check.harness in codes]
    # Each on a chain of its own, and so in a recording of its own.
    for name in {check.harness: None for check in asked}:
        with _recorded(f"{name}.txt"):
            harness = in_process.InProcess(codes[name])
            for check in asked:
                if check.harness == name:
                    check.run(harness)


@contextmanager
def _recorded(name: str, every: int = 1) -> Iterator[None]:
    """What chains in this process are asked, from their beginning, in a file; of views every so many."""
    known = {name: Artefact([], code) for name, code in known_codes().items()}
    real = sequences.PyrevmChain
    with (_RAW / name).open("w", encoding="ascii") as file:

        def chain() -> RecordingChain:
            return RecordingChain(file, known, every)

        for asking in (sequences, in_process, engine_alone):
            asking.PyrevmChain = chain  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for asking in (sequences, in_process, engine_alone):
                asking.PyrevmChain = real  # type: ignore[attr-defined]


def _lines_of(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


# ---------------------------------------------------------------------- forge


def _forge() -> Iterator[str]:
    command = ["forge", "coverage", "--report", "lcov", "--report-file", str(_LCOV), "--match-path", "tests/forge/*"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    (FOLDER / "forge.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    failed = [line.strip() for line in done.stdout.splitlines() if line.startswith("[FAIL")]
    yield from (line[:400] for line in dict.fromkeys(failed))
    if done.returncode != 0 and not failed:
        yield f"forge coverage ends with {done.returncode}: see {FOLDER / 'forge.log'}"


def _parse() -> dict[str, Source]:
    """By source, but for mocks and tests."""
    measured: dict[str, Source] = {}
    source = Source()
    text = _LCOV.read_text(encoding="utf-8") if _LCOV.is_file() else ""
    for line in text.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            name = rest.strip()
            source = Source()
            if name.startswith("contracts/") and not re.match(r"contracts/(mocks|interfaces)/", name):
                measured[name] = source
        elif kind == "DA":
            number, count = map(int, rest.split(",")[:2])
            source.lines[number] = count
        elif kind == "BRDA":
            number, block, branch, taken = rest.split(",")
            source.branches[int(number), int(block), int(branch)] = 0 if taken == "-" else int(taken)
    return measured


def _excuse(measured: dict[str, Source]) -> list[str]:
    """Leaves out branches that nothing can take, each named with its reason. An excuse without need is a fault."""
    faults = []
    for name, lines in json.loads(UNREACHABLE.read_text(encoding="utf-8")).items():
        texts = [text.strip() for text in (ROOT / name).read_text(encoding="utf-8").splitlines()]
        for text in lines:
            number = texts.index(text) + 1 if texts.count(text) == 1 else 0
            sides = [place for place, count in measured[name].branches.items() if place[0] == number and count == 0]
            for place in sides:
                del measured[name].branches[place]
            if not sides:
                faults.append(f"{UNREACHABLE} excuses a line of {name} that is not there once, or is reached: {text}")
    return faults


def _missing(measured: dict[str, Source]) -> Iterator[str]:
    """Sources with code of a group that forge says nothing of."""
    seen = {Path(name).stem for name in measured}
    sources = {path.stem: path for path in (ROOT / "contracts").rglob("*.sol")}
    for group, names in GROUPS.items():
        for name in names:
            if name not in seen and re.search(
                r"^    function ", sources[name].read_text(encoding="utf-8"), re.MULTILINE
            ):
                yield f"{group}: nothing is known of {name}"


def _rows(measured: dict[str, Source]) -> Iterator[Row]:
    by_name = {Path(name).stem: source for name, source in measured.items()}
    for group, names in GROUPS.items():
        yield _row(group, [by_name.pop(name) for name in names if name in by_name], LEAST)
    for name, source in by_name.items():
        yield _row(name, [source], None)


def _row(name: str, sources: list[Source], least: int | None) -> Row:
    lines = [count != 0 for source in sources for count in source.lines.values()]
    branches = [count != 0 for source in sources for count in source.branches.values()]
    found = f"lines {_share(lines)}, branches {_share(branches)}"
    holds = least is None or all(100 * sum(seen) >= least * len(seen) for seen in (lines, branches))
    holds = holds and bool(lines)
    return Row(name, found=found, asked=f"{least} %" if least is not None else "", holds=holds)


def _share(seen: list[bool]) -> str:
    if not seen:
        return "none"
    return f"{100 * sum(seen) / len(seen):.2f} % ({sum(seen)}/{len(seen)})"
