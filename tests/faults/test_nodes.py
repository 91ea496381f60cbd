"""What nodes and the chain do to the daemon: nothing is decided on a part of an answer, nor on an old block."""

from __future__ import annotations

import pytest

from backstop.transactions.journal import State
from scripts.stage.faulty_proxy import Fault, FaultyProxy, Garbage, HalfBatch, Hang, Status
from scripts.stage.own_anvil import ask, own_anvil
from scripts.stage.venue import rpc_url
from tests.faults.conftest import Shows
from tests.faults.scene import Scene
from tests.faults.table import BOUNDS, scenario
from tests.keeper.sea import PRICES, wait_until


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("node answers 429", Status(429)),
        ("node answers 503", Status(503)),
        ("node times out", Hang()),
        ("node answers garbage", Garbage()),
        ("node answers half a batch", HalfBatch()),
    ],
    ids=["429", "503", "timeout", "garbage", "half a batch"],
)
@scenario(*(name for name in BOUNDS if name.startswith("node ")))
def test_node_that_fails(name: str, fault: Fault, scene: Scene, shows: Shows) -> None:
    with FaultyProxy(rpc_url()) as proxy:
        keeper = scene.watching(proxy.url, rpc_url(), node={"quorum": 1, "timeout": 1.0})
        wait_until(lambda: proxy.count("eth_call") > 0)
        rule = proxy.inject("*", fault)
        due_at = scene.fall()
        at = scene.effect()
        assert rule.injected > 0
        scene.settle(keeper)
    assert {one["node"] for one in keeper.said("node failed")} == {1}
    assert len(scene.journal()) == 1
    assert scene.agrees()
    shows(name, effects=len(scene.taken()), blocks=at - due_at)


def behind(block: int) -> tuple[str, ...]:
    """Options of an Anvil whose chain is the same, and ends with a block."""
    return "--fork-url", rpc_url(), "--fork-block-number", str(block), "--chain-id", "31337"


@scenario("lagging node")
def test_node_that_lags(scene: Scene, shows: Shows) -> None:
    with own_anvil(*behind(scene.head())) as old, FaultyProxy(old) as proxy:
        keeper = scene.watching(proxy.url, rpc_url(), node={"quorum": 1, "most_lag": 1})
        scene.mine()
        due_at = scene.fall()
        at = scene.effect()
        scene.settle(keeper)
        assert proxy.count("eth_sendRawTransaction") == 0
    assert any("is not read from: it is at block" in one["reason"] for one in keeper.said("nodes"))
    # There the takeover is due still.
    with own_anvil(*behind(due_at)) as old:
        alone = scene.watching(old)
        wait_until(lambda: bool(alone.said("run again when the node has caught up")))
        assert ask(old, "txpool_status") == {"pending": "0x0", "queued": "0x0"}
        assert ask(old, "eth_blockNumber") == hex(due_at)
        assert alone.end() == 0
    assert scene.agrees()
    shows("lagging node", effects=len(scene.taken()), blocks=at - due_at)


@scenario("clock skew")
def test_clock_that_is_wrong(scene: Scene, shows: Shows) -> None:
    """Two hours are more than a round's deadline."""
    keeper = scene.watching()
    now = int(scene.chain.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    scene.chain.request("evm_setNextBlockTimestamp", now + 7200)
    due_at = scene.fall(PRICES["ADL"])
    wait_until(lambda: bool(scene.rounds()))
    wait_until(lambda: [intent.state for intent in scene.journal()] == [State.MINED] * 3)
    scene.settle(keeper)
    (at,) = scene.rounds()
    assert len(scene.taken()) == 2
    assert scene.agrees()
    shows("clock skew", effects=len(scene.rounds()), blocks=at - due_at)


@scenario("chain halt")
def test_chain_that_halts(scene: Scene, shows: Shows) -> None:
    keeper = scene.watching(node={"stale_after": 1.0})
    with scene.by_hand():
        wait_until(lambda: bool(keeper.said("chain_halt")))
        scene.publish(PRICES["ADL"])
        halted_at = scene.head()
    scene.mine()
    wait_until(lambda: bool(scene.rounds()))
    wait_until(lambda: [intent.state for intent in scene.journal()] == [State.MINED] * 3)
    scene.settle(keeper)
    assert keeper.said("blocks come again")
    assert [intent.name.split()[0] for intent in scene.journal()] == ["takeOver", "takeOver", "deleverage"]
    (at,) = scene.rounds()
    assert scene.taken()[-1] < at
    assert len(scene.taken()) == 2
    assert scene.agrees()
    shows("chain halt", effects=len(scene.rounds()), blocks=at - halted_at)
