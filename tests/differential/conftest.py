"""The contract that lays the libraries open."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project

from backstop.chain.endpoint import Endpoint
from scripts.stage.venue import rpc_url

pytest.register_assert_rewrite(f"{__package__}.history", f"{__package__}.table", "tests.keeper.command")

from .harness import Harness  # noqa: E402


@pytest.fixture(scope="module")
def harness(owner: Any) -> Harness:
    """A deployed `MathHarness`."""
    return Harness(Endpoint(rpc_url()), owner.deploy(project.MathHarness).address)
