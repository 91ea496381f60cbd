"""Properties that halmos proves for all arguments, and seeded bugs that it refutes them with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.invariants.compiler import ROOT
from tests.symbolic.properties import FAULTS, FOLDER, PROPERTIES, changed

from .machine import CORES
from .results import Part, Row

_BIN = Path(".venv-halmos") / "bin"
_FOLDER = Path("build") / "symbolic"
_LOOP = 17  # turns of a loop that are followed: a cross account has at most 16 legs
_SOLVER = "30s"
_MOST = 900  # seconds for one run of halmos, which needs less than a third of it on two free cores
_PROVEN, _REFUTED = 0, 1
_VERDICTS = {_PROVEN: "proven", _REFUTED: "REFUTED", 2: "the solver gave up", 3: "stuck", 4: "every path reverts"}


def run() -> Part:
    """A row for each property: how many paths it has, and whether it holds on all of them."""
    part = Part("Symbolic")
    trees = sorted({fault.tree for fault in FAULTS.values()})
    shutil.rmtree(_FOLDER, ignore_errors=True)
    with ThreadPoolExecutor(CORES) as pool:
        proofs = pool.submit(_halmos, ROOT, _FOLDER / "proofs", PROPERTIES)
        refutations = {tree: pool.submit(_refute, tree) for tree in trees}
        proven, log = proofs.result()
        if not proven:
            part.faults.append(f"halmos proves nothing: {log}")
        results: dict[str, dict[str, Any]] = {}
        for tree, task in refutations.items():
            results[tree], log = task.result()
            if not results[tree]:
                part.faults.append(f"halmos refutes nothing of {tree}: {log}")
    for one in PROPERTIES.values():
        bugs = [fault for fault in FAULTS.values() if fault.refutes == one.name]
        caught = [bug for bug in bugs if results[bug.tree].get(one.name, {}).get("exitcode") == _REFUTED]
        part.faults += [f"{one.name} is not refuted by: {bug.what}" for bug in bugs if bug not in caught]
        verdict, paths = _verdict(proven.get(one.name))
        holds = verdict == _VERDICTS[_PROVEN] and len(caught) == len(bugs) > 0
        part.rows.append(Row(_short(one.says), paths, None, (len(caught), len(bugs)), found=verdict, holds=holds))
    part.figures = {
        one.name: {
            "says": one.says,
            "verdict": _verdict(proven.get(one.name))[0],
            "paths": _verdict(proven.get(one.name))[1],
        }
        for one in PROPERTIES.values()
    }
    return part


def _verdict(result: dict[str, Any] | None) -> tuple[str, int]:
    """What came out, and on how many paths. A proof for fewer turns of a loop than there may be is none."""
    if result is None:
        return "no result", 0
    paths = result["num_paths"][0]
    if result["num_bounded_loops"]:
        return "a loop was cut off", paths
    return _VERDICTS.get(result["exitcode"], f"exit status {result['exitcode']}"), paths


def _refute(tree: str) -> tuple[dict[str, Any], str]:
    """The properties of a tree's bugs, on the contracts with those bugs."""
    root = _FOLDER / tree
    names = {fault.refutes for fault in FAULTS.values() if fault.tree == tree}
    shutil.copytree(ROOT / "contracts", root / "contracts", ignore=shutil.ignore_patterns(".cache"))
    for file, text in changed(tree).items():
        (root / file).write_text(text, encoding="utf-8")
    (root / FOLDER).mkdir(parents=True)
    tests = {PROPERTIES[name].file for name in names}
    for file in (ROOT / FOLDER).glob("*.sol"):
        if file.name in tests or not file.name.endswith(".t.sol"):
            shutil.copy(file, root / FOLDER)
    shutil.copy(ROOT / "foundry.toml", root)
    for name in ("node_modules", "toolchain"):
        (root / name).symlink_to(ROOT / name)
    return _halmos(root, root / "refutations", sorted(names))


def _halmos(root: Path, out: Path, wanted: Iterable[str]) -> tuple[dict[str, Any], str]:
    """The results of halmos for some properties, by their names, and the end of what it said."""
    out.mkdir(parents=True, exist_ok=True)
    report, log = (out / "report.json").resolve(), out / "log.txt"
    command = [str((_BIN / "halmos").resolve()), "--root", str(root.resolve()), "--no-status"]
    command += ["--forge-build-out", str(_FOLDER / "out"), "--json-output", str(report)]
    # Named outright: halmos would fetch a solver of its own elsewhere.
    command += ["--solver-command", str((_BIN / "yices-smt2").resolve()), "--solver-timeout-assertion", _SOLVER]
    if root != ROOT:
        command.append("--early-exit")  # one argument that refutes is enough
    command += ["--loop", str(_LOOP), "--match-test"]
    command.append(f"({'|'.join(name.removeprefix('check_') for name in wanted)})\\(")
    environment = os.environ | {"FOUNDRY_PROFILE": "symbolic"}
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment, start_new_session=True)
        try:
            process.wait(_MOST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # and the solvers that it started
            process.wait()
    end = log.read_text(encoding="utf-8").strip()[-400:]
    if not report.is_file():
        return {}, end
    results = json.loads(report.read_text(encoding="utf-8"))["test_results"]
    return {one["name"].partition("(")[0]: one for tests in results.values() for one in tests}, end


def _short(says: str) -> str:
    """As much of it as a row has room for."""
    return says if len(says) <= 56 else says[:55].rsplit(" ", 1)[0] + " …"
