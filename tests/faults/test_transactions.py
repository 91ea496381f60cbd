"""What befalls a transaction of the daemon on its way: one takeover is due, and there is one."""

from __future__ import annotations

import signal
from decimal import Decimal
from itertools import pairwise

import pytest

from backstop.transactions.journal import State
from backstop.transactions.steps import Kind
from scripts.stage.faulty_proxy import DropReply, FaultyProxy, first
from scripts.stage.venue import rpc_url
from tests.faults.conftest import Shows
from tests.faults.scene import ETHER, GWEI, Scene
from tests.faults.table import BOUNDS, scenario
from tests.keeper.sea import wait_until


@scenario("transaction dropped")
def test_transaction_that_is_dropped(scene: Scene, shows: Shows) -> None:
    scene.fall()
    with scene.by_hand():
        keeper = scene.start()
        sent = scene.waiting()
        scene.chain.request("anvil_dropTransaction", sent["hash"])
        dropped_at = scene.head()
        again = scene.waiting()
        assert (again["hash"], again["nonce"]) == (sent["hash"], sent["nonce"])
        scene.mine()
        scene.settle(keeper)
    assert scene.agrees()
    shows("transaction dropped", effects=len(scene.taken()), blocks=scene.effect() - dropped_at)


def spiked(scene: Scene, above: int) -> int:
    """A block whose base fee is `above`: what offers less is left out. Its number."""
    scene.chain.request("anvil_setNextBlockBaseFeePerGas", hex(above))
    return scene.mine()


@scenario("underpriced replacement")
def test_replacements_that_would_be_underpriced(scene: Scene, shows: Shows) -> None:
    cap = 5_000 * GWEI
    scene.fall()
    with scene.by_hand():
        spiked(scene, GWEI)
        keeper = scene.start(fees={"max_fee": f"{cap} wei", "budget_per_day": "10 ether"})
        known: list[str] = []
        for _ in range(2):
            one = scene.waiting(besides=known)
            known.append(one["hash"])
            spiked_at = spiked(scene, int(one["maxFeePerGas"], 16) + 1)
        scene.waiting(besides=known)
        scene.mine()
        scene.settle(keeper)
    offers = [(fee, tip) for _, fee, tip in scene.attempts()]
    assert len(offers) == 3
    for before, then in pairwise(offers):
        assert all(8 * raised >= 9 * was for was, raised in zip(before, then, strict=True))
    assert max(fee for fee, _ in offers) <= cap
    assert scene.agrees()
    assert len(keeper.said("replaced")) == 2
    shows("underpriced replacement", effects=len(scene.taken()), blocks=scene.effect() - spiked_at)


@scenario("gas spike")
def test_gas_spike(scene: Scene, shows: Shows) -> None:
    scene.fall()
    with scene.by_hand():
        keeper = scene.start(fees={"budget_per_day": "10 ether"})
        sent = scene.waiting()
        spiked_at = spiked(scene, 20 * int(sent["maxFeePerGas"], 16))
        scene.waiting(besides=[sent["hash"]])
        scene.mine()
        scene.settle(keeper)
    assert scene.agrees()
    shows("gas spike", effects=len(scene.taken()), blocks=scene.effect() - spiked_at)


@scenario("gas spike past the cap")
def test_gas_spike_past_the_cap(scene: Scene, shows: Shows) -> None:
    scene.fall()
    with scene.by_hand():
        spiked(scene, 1000 * GWEI)
        keeper = scene.start(fees={"max_fee": "500 gwei"})
        wait_until(lambda: bool(keeper.said("the cap of what a transaction may offer 500")))
        assert scene.pool() == []
        cheap_at = spiked(scene, GWEI)
        scene.waiting()
        scene.mine()
        scene.settle(keeper)
    assert scene.agrees()
    shows("gas spike past the cap", effects=len(scene.taken()), blocks=scene.effect() - cheap_at)


@scenario("gas spike past the budget")
def test_gas_spike_past_the_budget(scene: Scene, shows: Shows) -> None:
    scene.fall()
    with scene.by_hand():
        spiked(scene, 1000 * GWEI)
        keeper = scene.start(fees={"budget_per_day": "0.05 ether"})
        wait_until(lambda: bool(keeper.said("budget_spent")))
        assert scene.pool() == []
        cheap_at = spiked(scene, GWEI)
        scene.waiting()
        scene.mine()
        scene.settle(keeper)
    assert scene.agrees()
    shows("gas spike past the budget", effects=len(scene.taken()), blocks=scene.effect() - cheap_at)


@scenario("sent, response lost")
def test_response_that_is_lost(scene: Scene, shows: Shows) -> None:
    with FaultyProxy(rpc_url()) as proxy:
        proxy.inject("eth_sendRawTransaction", DropReply(), first(1))
        keeper = scene.watching(proxy.url)
        due_at = scene.fall()
        at = scene.effect()
        scene.settle(keeper)
        assert proxy.count("eth_sendRawTransaction") == 1
    assert len(scene.attempts()) == 1
    assert scene.agrees()
    shows("sent, response lost", effects=len(scene.taken()), blocks=at - due_at)


@pytest.mark.parametrize(
    ("name", "kind", "left"),
    [
        ("after planning", Kind.PLANNED, State.PLANNED),
        ("after signing", Kind.SIGNED, State.PLANNED),
        ("after journalling", Kind.JOURNALLED, State.SIGNED),
        ("after broadcast", Kind.BROADCAST, State.SIGNED),
        ("before the receipt", Kind.WAITING, State.BROADCAST),
    ],
)
@scenario(*(name for name in BOUNDS if name.startswith("killed ")))
def test_keeper_that_is_killed(name: str, kind: Kind, left: State, scene: Scene, shows: Shows) -> None:
    due_at = scene.fall()
    killed = scene.start(killed_at=kind)
    assert killed.died() == -signal.SIGKILL, killed.log
    assert [intent.state for intent in scene.journal()] == [left]
    signed = [raw for raw, *_ in scene.attempts()]
    keeper = scene.watching()
    at = scene.effect()
    wait_until(lambda: scene.journal()[-1].state is State.MINED)
    scene.settle(keeper)
    assert scene.agrees()
    if signed:  # what may be with a node is not signed again
        assert [raw for raw, *_ in scene.attempts()] == signed
    shows(f"killed {name}", effects=len(scene.taken()), blocks=at - due_at)


@scenario("foreign transaction from the key")
def test_foreign_transaction_from_the_key(scene: Scene, shows: Shows) -> None:
    scene.fall()
    signer = scene.sea.keeper
    with scene.by_hand():
        keeper = scene.start()
        sent = scene.waiting()
        foreign = {
            "type": 2,
            "chainId": 31337,
            "nonce": int(sent["nonce"], 16),
            "to": signer.address,
            "value": 0,
            "gas": 21_000,
            "maxFeePerGas": 10 * int(sent["maxFeePerGas"], 16),
            "maxPriorityFeePerGas": 10 * int(sent["maxPriorityFeePerGas"], 16),
        }
        raw = signer.sign_transaction(foreign).raw_transaction
        by_hand = scene.chain.request("eth_sendRawTransaction", "0x" + raw.hex())
        foreign_at = scene.mine()
        wait_until(lambda: scene.journal()[0].passed_block == foreign_at)
        scene.mine()  # it is believed at another head
        assert scene.waiting(besides=[by_hand])["nonce"] == hex(scene.nonce + 1)
        scene.mine()
        scene.settle(keeper)
    assert [intent.state for intent in scene.journal()] == [State.DROPPED, State.MINED]
    assert scene.agrees(foreign=1)
    shows("foreign transaction from the key", effects=len(scene.taken()), blocks=scene.effect() - foreign_at)


@scenario("out of gas money")
def test_gas_money_that_runs_out(scene: Scene, shows: Shows) -> None:
    keeper = scene.watching(fees={"low_balance": "2 ether", "budget_per_day": "0.5 ether"})
    assert keeper.said("low_balance") == []
    scene.chain.request("anvil_setBalance", scene.sea.keeper.address, hex(ETHER))
    due_at = scene.fall()
    at = scene.effect()
    wait_until(lambda: bool(keeper.said("low_balance")))
    scene.settle(keeper)
    assert scene.agrees()
    shows("out of gas money", effects=len(scene.taken()), blocks=at - due_at)


@scenario("reorganisation")
def test_reorganisation(scene: Scene, shows: Shows) -> None:
    keeper = scene.watching()
    scene.fall()
    scene.effect()
    wait_until(lambda: scene.journal()[-1].state is State.MINED)
    scene.chain.request("anvil_reorg", 1, [])
    reorganised_at = scene.head()
    scene.mine()
    wait_until(lambda: bool(keeper.said("revoked")))
    at = scene.effect()
    wait_until(lambda: scene.journal()[-1].state is State.MINED)
    scene.settle(keeper)
    assert len(scene.attempts()) == 1
    assert scene.agrees()
    shows("reorganisation", effects=len(scene.taken()), blocks=at - reorganised_at)


@scenario("reorganisation of the cause")
def test_reorganisation_that_takes_the_cause_too(scene: Scene, shows: Shows) -> None:
    keeper = scene.watching()
    scene.fall(Decimal(99))
    scene.fall()
    scene.effect()
    wait_until(lambda: scene.journal()[-1].state is State.MINED)
    scene.chain.request("anvil_reorg", 2, [])
    scene.mine()
    wait_until(lambda: scene.journal()[0].state is State.LOST)
    assert scene.taken() == []
    due_at = scene.fall()
    at = scene.effect()
    wait_until(lambda: scene.journal()[-1].state is State.MINED)
    scene.settle(keeper)
    assert [intent.state for intent in scene.journal()] == [State.LOST, State.MINED]
    assert scene.agrees()
    shows("reorganisation of the cause", effects=len(scene.taken()), blocks=at - due_at)
