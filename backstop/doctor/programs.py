"""The programs: is each there, does it run, and is its version one that works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from backstop.doctor.findings import Finding, Status, restore
from backstop.doctor.packages import node_version

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
OLDEST_NODE = 20
FOUNDRY = "1.7.1"

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_PATIENCE = 60  # seconds; the compiler takes one, on a busy machine several
_GET_NODE = "install it from https://nodejs.org or your system's packages"
_SETUP = "run `make setup`"


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The interpreter that runs this."""
    found, wanted = ".".join(map(str, version)), "3.11 to 3.13"
    if OLDEST_PYTHON <= version[:2] <= NEWEST_PYTHON:
        return Finding("Python", Status.OK, found, wanted)
    return Finding("Python", Status.WRONG, found, wanted, "install one, and name it: `make setup PYTHON=python3.12`")


def check_node() -> Finding:
    """Node, which runs the compiler."""
    return _check("Node", shutil.which("node"), f"{OLDEST_NODE} or newer", _GET_NODE, oldest=OLDEST_NODE)


def check_npm() -> Finding:
    """npm, which installs the compiler, Anvil and forge."""
    return _check("npm", shutil.which("npm"), "any", "it comes with Node: " + _GET_NODE)


def check_make() -> Finding:
    """GNU make."""
    return _check("make", shutil.which("make"), "any", "install GNU make from your system's packages")


def check_foundry(name: str, checkout: Path | None) -> Finding:
    """`anvil` or `forge`, in the checkout or else on the PATH, as make looks for them."""
    places = [str(checkout / "node_modules" / ".bin")] if checkout else []
    path = os.pathsep.join([*places, os.environ.get("PATH", "")])
    program = shutil.which(name, path=path)
    setup = _SETUP if program is None else f"remove node_modules and {_SETUP}"
    advice = f"{setup}, or put Foundry {FOUNDRY} on the PATH" if checkout else f"put Foundry {FOUNDRY} on the PATH"
    return _check(name, program, FOUNDRY, advice, exactly=FOUNDRY)


def check_compiler(checkout: Path | None) -> Finding:
    """solc as ape and forge find it: a wrapper around npm's, which tells its version by its name."""
    if checkout is None:
        return Finding("solc", Status.UNCHECKED, advice="it is in a checkout, and there is none here")
    wrappers = sorted((checkout / "toolchain").glob("solc-v*"))
    if not wrappers:
        return Finding("solc", Status.MISSING, "(toolchain/solc-v* is missing)", None, restore("toolchain"))
    if shutil.which("node") is None:
        return Finding("solc", Status.UNCHECKED, advice="it needs Node to run")
    wanted = wrappers[-1].name.removeprefix("solc-v")
    installed = node_version(checkout / "node_modules" / "solc")
    if installed is None:
        return Finding("solc", Status.MISSING, None, wanted, _SETUP)
    # Where npm's is the right one, the fault is in the wrapper, or in files that npm does not look at again.
    repair = f"run `git checkout toolchain`; if that does not help, remove node_modules and {_SETUP}"
    return _check("solc", str(wrappers[-1]), wanted, repair if installed == wanted else _SETUP, exactly=wanted)


def _check(
    name: str, program: str | None, wanted: str, advice: str, *, oldest: int | None = None, exactly: str | None = None
) -> Finding:
    """Judges a program by the first version number that its `--version` prints."""
    if program is None:
        return Finding(name, Status.MISSING, None, wanted, advice)
    try:
        told = subprocess.run(  # noqa: S603
            [program, "--version"], capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as fault:
        return Finding(name, Status.WRONG, f"{program} does not run: {_line(str(fault))}", wanted, advice)
    match = _VERSION.search(told.stdout)
    if told.returncode != 0 or match is None:
        words = _line(told.stderr or told.stdout) or f"status {told.returncode}"
        return Finding(name, Status.WRONG, f"{program} does not tell its version: {words}", wanted, advice)
    found = match[0]
    fits = (exactly is None or found == exactly) and (oldest is None or int(found.split(".")[0]) >= oldest)
    return Finding(name, Status.OK if fits else Status.WRONG, found, wanted, None if fits else advice)


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
