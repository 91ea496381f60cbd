"""The soak in its short form: two keepers, a crowd, price jumps and faults, for six minutes of chain time."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stage.soak import MOST_BLOCKS, Deficits, Plan, is_idle, soak

SEED = 7


def test_no_deficit_stays_no_effect_is_doubled_memory_is_flat_and_journals_agree(owner: Any) -> None:
    result = soak(owner, Plan(seed=SEED, accounts=40, blocks=60))
    assert result["broken"] == []
    assert result["faults"]["process: SIGKILL"] == 2
    assert sum(count for fault, count in result["faults"].items() if fault.startswith("node: ")) >= 10
    assert set(result["effects"]) == {"takeOver", "deleverage", "liquidate"}


POLL = ("eth_chainId", "eth_getBlockByNumber")
LOOK = [POLL, ("eth_getTransactionReceipt",), ("eth_getBlockByNumber",), ("eth_getTransactionCount",)]


@pytest.mark.parametrize(
    ("asked", "is_waiting"),
    [
        ([("eth_call",), POLL, POLL, POLL], True),
        ([POLL, POLL], False),
        ([POLL, POLL, POLL, ("eth_call",)], False),
        ([*LOOK, *LOOK, POLL], True),
        ([*LOOK, *LOOK, POLL, ("eth_getTransactionReceipt",)], True),
        ([*LOOK, *LOOK[:3], POLL], False),
        ([*LOOK, POLL], False),
        ([POLL, ("eth_call",), POLL, ("eth_call",), POLL], False),
    ],
)
def test_a_keeper_only_waits_for_a_block_when_it_looks_the_same_way_again(
    asked: list[tuple[str, ...]], is_waiting: bool
) -> None:
    assert is_idle(asked) is is_waiting


def test_a_deficit_is_open_from_the_block_in_which_it_is_due_to_that_of_its_round() -> None:
    deficits, market = Deficits(), ("round", "ETH-USD", "long")
    deficits.see(10, {market}, set())
    assert not deficits.is_none_open
    # A round, after which it is due again: that is another one.
    deficits.see(11, {market}, {market})
    for block in (12, 13, 14):
        deficits.see(block, {market}, set())
    deficits.see(15, set(), {market})
    assert deficits.is_none_open
    assert dict(deficits.ages) == {1: 1, 4: 1}
    assert deficits.worst == (4, "round ETH-USD long at block 15")
    assert deficits.worst[0] > MOST_BLOCKS


def test_what_a_reorganisation_takes_back_is_due_anew() -> None:
    deficits, market = Deficits(), ("round", "ETH-USD", "long")
    deficits.see(10, {market}, set())
    deficits.forget()
    deficits.see(12, {market}, set())
    deficits.see(13, set(), set())
    assert dict(deficits.ages) == {1: 1}
