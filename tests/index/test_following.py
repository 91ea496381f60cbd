"""What is read through the index is what is read without it, whatever happened on the chain."""

from __future__ import annotations

from random import Random

import pytest

from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import ChainState, read_chain
from backstop.index.accounts import AccountIndex
from tests.index.world import World

STEPS = 200


class Counting(Endpoint):
    """An endpoint that counts what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[str] = []

    def request(self, method: str, *params: object) -> object:
        self.asked.append(method)
        return super().request(method, *params)


def without(world: World, state: ChainState) -> ChainState:
    """The block of a state, read as if there were no index."""
    return read_chain(world.venue.endpoint, world.venue.deployment, state.block.number)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens(seed: int, world: World, url: str) -> None:
    """Trades, liquidations, takeovers, rounds, transfers, funding; reorganisations; a process that begins anew."""
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
