"""A handful of sequences on Anvil, deployed through ape: every invariant holds, and they end as on pyrevm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ape import accounts, networks, project

from .compiler import compile_system
from .machine import Machine, errors_of
from .on_anvil import AnvilChain, deploy_through_ape, running
from .sequences import Ground, play, report
from .system import System, set_up

pytest.importorskip(
    "pyrevm", reason="pyrevm has no wheel for this Python or platform: there is nothing to compare with"
)

SEEDS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def anvil() -> Iterator[tuple[AnvilChain, System]]:
    """Its clock is years ahead of ape's own."""
    with running() as (chain, url):
        with networks.parse_network_choice("ethereum:local:foundry", provider_settings={"host": url}):
            owner = accounts.test_accounts[0]
            system = deploy_through_ape(owner, project)
        set_up(chain, system)
        chain.mark()
        yield chain, system


@pytest.mark.parametrize("seed", SEEDS)
def test_sequence_on_anvil(seed: int, anvil: tuple[AnvilChain, System], ground: Ground) -> None:
    chain, system = anvil
    chain.rewind()
    machine = Machine(chain, system, errors_of(compile_system()))
    outcome = play(machine, seed)
    assert not outcome.violations, report(outcome)
    here = ground.machine()
    assert play(here, seed).actions == outcome.actions
    assert machine.state == here.state
    assert machine.counts == here.counts
