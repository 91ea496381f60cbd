"""Lists in memory, slots of positions and mutual groups: the libraries on an EVM in the process, to the byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("pyrevm", reason="there is no wheel of pyrevm for this Python")

from .in_process import Check, InProcess, checks, code_of

CASES = 1000


def _direct() -> Iterator[Check]:
    return (check for check in checks(CASES) if check.harness == "DirectHarness")


@pytest.fixture(scope="module")
def direct() -> InProcess:
    """A deployed `DirectHarness`."""
    return InProcess(code_of("DirectHarness"))


@pytest.mark.parametrize("check", _direct(), ids=lambda check: check.name)
def test_a_library_on_its_own(check: Check, direct: InProcess) -> None:
    check.run(direct)
