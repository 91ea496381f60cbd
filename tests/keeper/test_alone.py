"""A duty that cannot be tried, for a reason of its own, holds nothing else up; nor do blocks that a chain has lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backstop.chain.endpoint import Endpoint
from backstop.errors import DutyError, NodeError, RpcError
from backstop.keeper.cycle import Action, Cycle
from backstop.keeper.results import action_document
from backstop.transactions.fees import Policy
from backstop.transactions.sender import Sender
from scripts.stage.venue import Venue, rpc_url

from .sea import PRICES, Sea, told


@pytest.fixture
def sea(venue: Venue, tmp_path: Path) -> Iterator[Sea]:
    before = venue.endpoint.request("evm_snapshot")
    yield Sea(venue, tmp_path)
    venue.endpoint.request("evm_revert", before)


class Stubborn(Endpoint):
    """A node with an answer of its own to the estimates of what names an account."""

    def __init__(self, account: str, answer: Callable[[int], int]) -> None:
        super().__init__(rpc_url())
        self._account = account[2:]
        self._estimated = answer

    def quantity(self, method: str, *params: Any) -> int:
        found = super().quantity(method, *params)
        names = method == "eth_estimateGas" and self._account in params[0]["data"]
        return self._estimated(found) if names else found


def cycle_of(sea: Sea, node: Endpoint, policy: Policy | None = None) -> Cycle:
    sender = Sender(node, sea.keeper, sea.venue.deployment.chain_id, policy=policy)
    return Cycle(node, sea.venue.deployment, sender, send=True)


def run(cycle: Cycle) -> tuple[list[Action], DutyError | None]:
    """What was done, and what was told at the end."""
    done: list[Action] = []
    try:
        for action in cycle.run(pytest.fail):
            done.append(action)
    except DutyError as fault:
        return done, fault
    return done, None


def too_much(_: int) -> int:
    raise NodeError("eth_estimateGas: gas required exceeds allowance (50000000)", -32000)


def test_what_a_node_cannot_estimate_is_left_and_all_else_is_done(sea: Sea) -> None:
    sea.set_price(PRICES["ADL"])
    done, fault = run(cycle_of(sea, Stubborn(sea.accounts["first"], too_much)))
    assert next(told(action_document(action), sea) for action in done if action.receipt) == ("takeOver", "second")
    assert "deleverage" in {told(action_document(action), sea)[0] for action in done}
    assert str(fault) == (
        f"takeOver {sea.accounts['first']}: eth_estimateGas: gas required exceeds allowance (50000000)"
    )
    assert fault is not None
    assert fault.exit_code == 2
    assert "first" in sea.sizes()


def test_what_is_beyond_the_budget_is_left_and_what_is_within_it_is_done(sea: Sea) -> None:
    sea.set_price(PRICES["takeover"])
    policy = replace(Policy(), per_day=10**16)
    done, fault = run(cycle_of(sea, Stubborn(sea.accounts["first"], lambda gas: gas * 100_000), policy))
    assert [told(action_document(action), sea) for action in done] == [("takeOver", "second")]
    assert fault is not None
    assert fault.exit_code == 1
    assert "first" in sea.sizes()


@pytest.mark.parametrize("times", [1, 2])
def test_it_is_tried_again_on_another_state_and_in_the_next_cycle(sea: Sea, times: int) -> None:
    sea.set_price(PRICES["takeover"])
    moods = iter([too_much] * times)
    cycle = cycle_of(sea, Stubborn(sea.accounts["first"], lambda gas: next(moods, lambda same: same)(gas)))
    done, fault = run(cycle)
    assert (fault is not None) == (times == 2)
    assert told(action_document(done[0]), sea) == ("takeOver", "second")
    if fault is not None:
        done, fault = run(cycle)
        assert fault is None
    assert told(action_document(done[-1]), sea) == ("takeOver", "first")


def test_a_node_that_is_behind_is_not_read_from_and_a_chain_that_has_lost_blocks_is(sea: Sea) -> None:
    node = Endpoint(rpc_url())
    cycle = cycle_of(sea, node)
    run(cycle)  # it has seen the block
    before = node.request("evm_snapshot")
    node.request("anvil_mine", "0x14")
    sea.set_price(PRICES["takeover"])
    done, _ = run(cycle)
    assert len(done) == 2
    latest = node.head().timestamp
    node.request("evm_revert", before)
    node.request("evm_setAutomine", True)
    # As long as its blocks are those that were there before, it might be a node that is behind.
    with pytest.raises(RpcError, match=r"behind block \d+ with this keeper's last transaction"):
        run(cycle)
    node.request("evm_setNextBlockTimestamp", latest + 12)  # no block before that one is as late
    sea.set_price(PRICES["takeover"])
    run(cycle)
    assert "first" not in sea.sizes()
