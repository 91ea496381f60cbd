"""Slither over the contracts: clean but for what `tests/slither/exclusions.json` excludes, each with its reason.

A place has one reason for each finding of a detector in a function, so that one more is another question.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

from .results import Part, Row

EXCLUSIONS = Path("tests") / "slither" / "exclusions.json"
_SLITHER = Path(".venv-slither") / "bin" / "slither"
_REPORT = Path("build") / "slither.json"
_LEFT_OUT = "node_modules,contracts/mocks,tests/forge"
_FUNCTION = re.compile(r"(?:Reentrancy in )?([A-Za-z_]\w*\.[A-Za-z_]\w*\([^)]*\))")


def run() -> Part:
    """A row for what is found, and one for what is excluded."""
    part = Part("Slither")
    exclusions = json.loads(EXCLUSIONS.read_text(encoding="utf-8"))
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.unlink(missing_ok=True)
    command = [str(_SLITHER.resolve()), ".", "--json", str(_REPORT), "--filter-paths", _LEFT_OUT]
    command += ["--exclude-informational", "--exclude-optimization"]
    # It reads the syntax tree, which is the same without the optimizer, and had in a fifth of the time.
    environment = os.environ | {"FOUNDRY_VIA_IR": "false", "FOUNDRY_OPTIMIZER": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if not _REPORT.is_file() or not json.loads(_REPORT.read_text(encoding="utf-8"))["success"]:
        part.faults.append(f"slither ends with {done.returncode}: {done.stderr.strip()[-400:]}")
        return part
    findings = json.loads(_REPORT.read_text(encoding="utf-8"))["results"].get("detectors", [])
    by_detector, by_place, left = Counter[str](), Counter[str](), []
    for finding in findings:
        function = _FUNCTION.match(finding["description"])
        place = f"{finding['check']} {function[1] if function else ''}".strip()
        if finding["check"] in exclusions["detectors"]:
            by_detector[finding["check"]] += 1
        elif place in exclusions["places"]:
            by_place[place] += 1
        else:
            left.append(f"{finding['impact']}: {' '.join(finding['description'].split())[:300]}")
    part.faults += left
    unused = [name for name in exclusions["detectors"] if not by_detector[name]]
    unused += [name for name in exclusions["places"] if not by_place[name]]
    part.faults += [f"the exclusion of {name} excludes nothing any more" for name in unused]
    other = {place: count for place, count in by_place.items() if count != len(exclusions["places"][place])}
    part.faults += [
        f"{count} findings of {place}, excluded are {len(exclusions['places'][place])}"
        for place, count in other.items()
    ]
    part.rows = [
        Row("findings of low, medium or high impact", len(findings), found=f"{len(left)} left", holds=not left),
        Row(
            "excluded with a reason",
            by_detector.total() + by_place.total(),
            found=f"{len(exclusions['detectors'])} detectors, {len(exclusions['places'])} places",
            holds=not (unused or other),
        ),
    ]
    part.figures = {"detectors": dict(by_detector), "places": dict(by_place)}
    return part
