"""What the caller's shell may not change of the audit: which tests are run, and what they and coverage measure."""

from __future__ import annotations

import os

# Options and plugins of pytest, settings of hypothesis, another configuration of coverage; and Python without asserts.
_PREFIXES = ("PYTEST_", "HYPOTHESIS_", "COVERAGE_")
_NAMES = frozenset({"PYTHONOPTIMIZE"})


def environment() -> dict[str, str]:
    """This process's, without what would change the tests of a child."""
    return {name: value for name, value in os.environ.items() if name not in _NAMES and not name.startswith(_PREFIXES)}


def forget_others() -> None:
    """Leaves this process with `environment()`."""
    for name in os.environ.keys() - environment().keys():
        del os.environ[name]
