"""Sequences among enemies, and that between them all plays call whatever changes anything."""

from __future__ import annotations

import pytest

from . import halting
from .compiler import DEPLOYED, compile_system
from .halted import never_seen
from .hostile import CONTRACTS, HostileStage, functions_of, hostile
from .sequences import play

pytest.importorskip("pyrevm", reason="pyrevm has no wheel for this Python or platform, and Anvil would take an hour")

PLAYS, SEQUENCES, ENDINGS = 4, 50, 4
# What no sequence calls, and why.
LEFT_OUT = {
    **dict.fromkeys(
        ("SettlementModule", "SolvencyModule", "MarketModule"),
        "runs in the exchange, which the sequences call; by itself it refuses every call (test_caller_matrix)",
    ),
    **dict.fromkeys(
        ("InventoryModule", "PoolModule"),
        "runs in the fund, which the sequences call; by itself it refuses every call (test_caller_matrix)",
    ),
    "PoolSharesFactory": "called by the fund; whoever else calls it makes shares that no pool knows",
    **dict.fromkeys(("MockAggregator", "MockUSDC", "StateReader"), "stands for what is no part of the system"),
}


@pytest.fixture(scope="module")
def stage() -> HostileStage:
    """The contracts as they are, after what enemies tried."""
    stage = HostileStage(compile_system())
    for seed in range(PLAYS):
        violations = hostile(stage, seed)
        assert not violations, f"seed {seed}: {violations}"
    return stage


def test_enemies_gain_nothing(stage: HostileStage) -> None:
    assert not never_seen("hostile", PLAYS, stage.counts)


def test_every_function_that_changes_anything_is_called(stage: HostileStage) -> None:
    """By those who are meant to, or where only parts of the system are, by others in vain."""
    for seed in range(SEQUENCES):
        play(stage.machine(), seed)
    for seed in range(ENDINGS):
        halting.end(stage, seed)
    meant = {(name, function) for name, functions in stage.functions.items() for function in functions}
    assert meant - stage.called.keys() == set()
    assert meant >= stage.called.keys()


def test_every_contract_is_played_on_or_named() -> None:
    assert set(CONTRACTS.values()) | LEFT_OUT.keys() == set(DEPLOYED)
    assert not set(CONTRACTS.values()) & LEFT_OUT.keys()
    for name, functions in ((name, functions_of(compile_system()[name])) for name in CONTRACTS.values()):
        assert functions, f"{name} has nothing that changes anything"
