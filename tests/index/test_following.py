"""What is read through the index is what is read without it, whatever happened on the chain."""

from __future__ import annotations

from random import Random

import pytest

from backstop.chain.snapshot import ChainState, read_chain
from backstop.index.accounts import AccountIndex
from tests.index.world import World

STEPS = 110


def without(world: World, state: ChainState) -> ChainState:
    """The block of a state, read as if there were no index."""
    return read_chain(world.venue.endpoint, world.venue.deployment, state.block.number)


@pytest.mark.parametrize(("seed", "database"), [(1, "sqlite_url"), (2, "postgres_url")])
def test_whatever_happens(seed: int, database: str, world: World, request: pytest.FixtureRequest) -> None:
    """Trades, liquidations, takeovers, rounds, transfers, funding; reorganisations; a process that begins anew."""
    url = str(request.getfixturevalue(database))
    world.draws, draws = Random(seed), Random(-seed)
    world.done.clear()
    told: list[str] = []
    node, deployment = world.venue.endpoint, world.venue.deployment
    index = AccountIndex(url, deployment, tell=told.append)
    marks: list[str] = []
    reorganised = 0
    for _ in range(STEPS):
        world.step()
        if draws.random() < 0.1:
            marks.append(node.request("evm_snapshot"))
        if marks and draws.random() < 0.06:
            node.request("evm_revert", marks.pop(draws.randrange(len(marks))))
            marks.clear()  # those after it are gone, those before it are used up soon enough
            reorganised += 1
            if draws.random() < 0.7:  # else the chain is shorter for a while
                world.idle()
                world.step()
        if draws.random() < 0.1:
            index.close()
            index = AccountIndex(url, deployment, tell=told.append)
        if draws.random() < 0.6:
            state = index.read(node)
            assert state == without(world, state)
    state = index.read(node)
    assert state == without(world, state)
    assert told == []
    assert reorganised > 2
    for what in ("trade", "transfer", "Liquidate", "TakeOver", "Deleverage"):
        assert world.done.get(what), world.done
    index.close()
