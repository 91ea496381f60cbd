"""What a caller's shell says changes nothing of what the audit runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.audit.environment import environment
from scripts.audit.pytests import Run

ROOT = Path(__file__).parents[2]
TESTS = """
import os

def test_of_the_audit():
    assert __debug__
    assert not [name for name in os.environ if name.startswith(("HYPOTHESIS_", "COVERAGE_"))]

def test_that_fails():
    assert "PYTEST_ADDOPTS" in os.environ
"""
SAID = {
    "PYTEST_ADDOPTS": "--deselect test_given.py::test_that_fails",
    "PYTEST_PLUGINS": "somebodys_plugin",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "HYPOTHESIS_NO_PLUGINS": "1",
    "COVERAGE_RCFILE": "somebodys.toml",
    "PYTHONOPTIMIZE": "1",
}


def test_tests_are_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the caller's variables say, the first would be the only one, or none could be loaded."""
    for name, value in SAID.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_given.py").write_text(TESTS)
    outcome = Run("given", "test_given.py").outcome()
    assert outcome.of("test_of_the_audit") == (1, 0), outcome.faults
    assert outcome.of("test_that_fails") == (0, 1), outcome.faults


def test_everything_else_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SAID.items():
        monkeypatch.setenv(name, value)
    kept = environment()
    assert SAID.keys().isdisjoint(kept)
    assert {"PATH", "APE_DATA_FOLDER", "TMPDIR"} <= kept.keys()
    assert kept.items() <= os.environ.items()


def test_nothing_is_audited_without_asserts() -> None:
    command = [sys.executable, "-O", "-m", "scripts.audit", "--only", "callers"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "leave out what the audit asserts" in done.stderr
    assert "Traceback" not in done.stderr
