"""Tests of the suite as a part of the audit: run by pytest, read from its report."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from .environment import environment


@dataclass(slots=True)
class Outcome:
    """How many cases of each test function passed, and how many did not, a skipped one among them; what went wrong."""

    passed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def of(self, *names: str) -> tuple[int, int]:
        """Passed and failed cases of these functions."""
        return sum(self.passed[name] for name in names), sum(self.failed[name] for name in names)


class Run:
    """A pytest under way, with a report named after the part; `under` another module, where one is to watch it."""

    def __init__(self, name: str, *arguments: str, under: tuple[str, ...] = ()) -> None:
        self._report = Path("build") / f"{name}.xml"
        self._log = Path("build") / f"{name}.log"
        self._report.parent.mkdir(exist_ok=True)
        self._report.unlink(missing_ok=True)
        python = [sys.executable, *(("-m", *under) if under else ())]
        command = [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={self._report}"]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log, env=environment())

    def outcome(self) -> Outcome:
        """Waits for its end."""
        status = self._process.wait()
        outcome = Outcome()
        if not self._report.is_file():
            outcome.faults.append(f"pytest ends with {status}: {self._log.read_text(encoding='utf-8').strip()[-400:]}")
            return outcome
        for case in ET.parse(self._report).iter("testcase"):
            name = case.attrib["name"].partition("[")[0]
            bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
            (outcome.failed if bad else outcome.passed)[name] += 1
            if bad:
                outcome.faults.append(f"{case.attrib['name']}: {bad[0]}; see {self._log}")
        if status and not outcome.faults:
            outcome.faults.append(f"pytest ends with {status}; see {self._log}")
        return outcome
