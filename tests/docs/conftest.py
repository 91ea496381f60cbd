"""The contracts as the compiler describes them, once for all tests of the pages."""

from __future__ import annotations

import pytest

from scripts.reference import Compiled, compile_contracts


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return compile_contracts()
