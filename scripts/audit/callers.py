"""Who may call what: every function that changes anything, from everybody, on the deployed contracts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

from .results import Part, Row

_REPORT = Path("build") / "callers.xml"
_TESTS = ("tests/contracts/test_owner.py", "tests/contracts/test_callers.py")
_ROWS = {
    "every function is in the matrix, every contract": (
        "test_every_function_is_in_the_matrix",
        "test_every_contract_is_in_the_matrix",
        "test_the_modules_have_between_them_what_is_routed",
    ),
    "functions of the owner, asked for by all others": ("test_only_the_owner",),
    "functions of one contract or the treasury": ("test_only_the_contract_meant",),
    "functions of modules, called directly by everybody": ("test_a_module_is_never_called_directly",),
    "forwarders, other selectors, ether": (
        "test_there_is_no_forwarder_and_nothing_like_it",
        "test_an_address_behind_the_calldata_is_nobody",
        "test_no_other_selector_answers",
        "test_nobody_takes_ether",
    ),
}


def run() -> Part:
    """A row for each kind of function; the tests themselves are those of `make test`."""
    part = Part("Caller matrix")
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={_REPORT}", *_TESTS]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if not _REPORT.is_file():
        part.faults.append(f"pytest ends with {done.returncode}: {done.stdout.strip()[-400:]}{done.stderr[-400:]}")
        return part
    passed, failed = Counter[str](), Counter[str]()
    for case in ET.parse(_REPORT).iter("testcase"):
        name = case.attrib["name"].partition("[")[0]
        bad = any(child.tag in ("failure", "error", "skipped") for child in case)
        (failed if bad else passed)[name] += 1
        if bad:
            part.faults.append(f"{case.attrib['name']} fails")
    for what, names in _ROWS.items():
        good, bad = (sum(counter[name] for name in names) for counter in (passed, failed))
        part.rows.append(Row(what, good + bad, found=f"{good} of {good + bad} pass", holds=good > 0 and not bad))
    others = {name for name in passed if not any(name in names for names in _ROWS.values())}
    good = sum(passed[name] for name in others)
    part.rows.append(Row("wiring, ownership and bounds of parameters", good, found=f"{good} pass", holds=good > 0))
    return part
