"""What may not be passed: the budget, the cap of tips, the balance; and a refusal that holds nobody else up."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.chain.endpoint import Endpoint
from backstop.errors import BalanceError, BudgetError, NodeError, TransactionError
from backstop.transactions.fees import Policy
from backstop.transactions.journal import State
from backstop.transactions.lookup import read_head

from .chain import CHAIN_ID, COUNTER, GWEI, ONCE, Chain
from .scene import Scene

SEND = "eth_sendRawTransaction"
GAS = 60_000


def waits(chain: Chain, signer: LocalAccount, policy: Policy | None = None, data: bytes = b"") -> Scene:
    """A transaction in the pool, and nobody who waits for it."""
    scene = Scene(chain, signer, policy, timeout=0.2)
    chain.no_mining()
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, data, gas=GAS, name="count")
    return scene


def limited(scene: Scene, policy: Policy) -> Scene:
    """The same journal with other limits."""
    return Scene(scene.chain, scene.signer, policy, journal=scene.journal, timeout=0.2)


def late(scene: Scene) -> None:
    """Blocks that leave it out: it is due to be replaced."""
    scene.chain.request("anvil_dropAllTransactions")
    scene.chain.mine(3, 12)
    newest = scene.attempts()[-1]
    Endpoint(scene.chain.full_url).request(SEND, "0x" + newest.raw.hex())


def spent(scene: Scene) -> int:
    """Paid and reserved."""
    return scene.journal.spent(CHAIN_ID, scene.signer.address, 0)


def done_by_another(chain: Chain) -> None:
    """With ONCE it would revert by now."""
    chain.request("anvil_setStorageAt", COUNTER, "0x" + "00" * 32, "0x" + "00" * 31 + "01")


# ------------------------------------------------------------------ the budget


def test_cancellations_do_not_pass_the_budget_however_often_nodes_leave_them_out(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = waits(chain, signer, data=ONCE)
    done_by_another(chain)
    budget = spent(scene)
    stopped = limited(scene, Policy(per_day=budget))
    for _ in range(40):
        late(scene)
        stopped.sender.tend()
    newest = scene.attempts()[-1]
    assert newest.cancels
    assert newest.gas * newest.max_fee <= budget < newest.gas * newest.max_fee * 9 / 8 + newest.gas
    assert spent(scene) == budget
    chain.mine()
    stopped.sender.tend()
    assert scene.states == [State.CANCELLED]
    # By hand it may.
    again = waits(chain, signer)
    newest = again.attempts()[-1]
    broke = limited(again, Policy(per_day=1))
    with pytest.raises(TransactionError, match="is not mined"):
        broke.sender.cancel(again.intents[0].id)
    assert again.attempts()[-1].cancels


def test_cancellation_that_costs_no_more_than_is_reserved_is_never_too_much(chain: Chain, signer: LocalAccount) -> None:
    scene = waits(chain, signer, data=ONCE)
    done_by_another(chain)
    late(scene)
    limited(scene, Policy(per_day=1)).sender.tend()
    assert [attempt.cancels for attempt in scene.attempts()] == [False, True]


@pytest.mark.parametrize("covers", [True, False])
def test_gap_is_filled_within_the_budget_only(covers: bool, chain: Chain, signer: LocalAccount) -> None:
    chain.no_mining()
    foreign = chain.foreign(signer, 0)
    scene = waits(chain, signer)
    room = 10**17 if covers else 0
    sender = limited(scene, Policy(per_day=spent(scene) + room)).sender
    chain.request("anvil_dropTransaction", foreign)
    sender.tend()
    if covers:
        sender.tend()
        assert [intent.name for intent in scene.intents] == ["count", "fill nonce 0"]
        return
    with pytest.raises(BudgetError, match=r"raise fees\.budget_per_day, or wait"):
        sender.tend()
    assert [intent.name for intent in scene.intents] == ["count"]


def test_what_is_given_up_stays_reserved_while_it_may_be_mined(chain: Chain, signer: LocalAccount) -> None:
    scene = waits(chain, signer, data=ONCE)
    reserved = spent(scene)
    chain.request("anvil_dropAllTransactions")
    done_by_another(chain)
    scene.sender.tend()
    assert scene.states == [State.DROPPED]
    assert spent(scene) == reserved > 0
    # What takes its nonce takes over what is reserved for that; the dearer of the two may be mined, not both.
    newest = limited(scene, Policy(per_day=2 * reserved))
    with pytest.raises(TransactionError, match="is not mined"):
        newest.sender.send(COUNTER, b"", gas=GAS)
    (second,) = scene.attempts(1)
    assert second.nonce == 0
    assert spent(scene) == second.gas * second.max_fee


# ------------------------------------------------------------------ the cap of tips


def test_replacements_stop_at_the_cap_of_tips_until_the_base_fee_has_passed_the_offer(
    chain: Chain, signer: LocalAccount
) -> None:
    cap = 3 * GWEI
    scene = waits(chain, signer, Policy(tip_cap=cap))
    for _ in range(20):
        late(scene)
        scene.sender.tend()
    newest = scene.attempts()[-1]
    assert newest.tip <= cap < newest.tip * 9 / 8 + 1
    stopped_at = len(scene.attempts())
    chain.request("anvil_dropAllTransactions")
    chain.request("anvil_setNextBlockBaseFeePerGas", hex(newest.max_fee + 1))
    chain.mine()
    scene.sender.tend()
    assert len(scene.attempts()) == stopped_at + 1
    assert scene.attempts()[-1].max_fee > newest.max_fee


# ------------------------------------------------------------------ the balance, and other refusals


def spike(chain: Chain, base_fee: int) -> None:
    """A block of that base fee; the pool keeps what is below it."""
    chain.request("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
    chain.mine()


def test_replacement_that_the_balance_does_not_carry_is_not_signed_and_what_waits_is_sent_again_in_the_calm(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = waits(chain, signer)
    (first,) = scene.attempts()
    chain.request("anvil_setBalance", signer.address, hex(3 * first.max_fee * GAS))
    spike(chain, 10 * first.max_fee)
    with pytest.raises(BalanceError, match=r"count waits below the base fee: a replacement may cost .* send it ether"):
        scene.sender.tend()
    assert len(scene.attempts()) == 1
    chain.request("anvil_dropAllTransactions")
    spike(chain, GWEI // 10)
    scene.sender.tend()
    chain.mine()
    scene.sender.tend()
    assert (scene.states, chain.effects()) == ([State.MINED], 1)


def test_replacement_offers_what_the_balance_carries_where_that_is_enough(chain: Chain, signer: LocalAccount) -> None:
    scene = waits(chain, signer)
    (first,) = scene.attempts()
    carried = 3 * first.max_fee
    chain.request("anvil_setBalance", signer.address, hex(carried * GAS))
    spike(chain, 2 * first.max_fee)
    scene.sender.tend()
    assert [attempt.max_fee for attempt in scene.attempts()] == [first.max_fee, carried]
    chain.mine()
    assert chain.effects() == 1


def refuses(dearer_than: int, chain: Chain) -> Any:
    """A node that takes nothing that offers more: one with a cap of its own, say."""

    def act(request: Any, asked: tuple[Any, ...]) -> Any:
        chain.instead[SEND].append(act)
        if any(asked[1] == "0x" + raw.hex() for raw, fee in dear() if fee > dearer_than):
            raise NodeError("eth_sendRawTransaction: tx fee exceeds the configured cap")
        return request(*asked)

    def dear() -> list[tuple[bytes, int]]:
        return [(attempt.raw, attempt.max_fee) for attempt in act.scene.attempts()]  # type: ignore[attr-defined]

    return act


@pytest.mark.parametrize("restarts", [False, True], ids=["the same process", "the next process"])
def test_what_a_node_once_took_is_sent_again_where_it_refuses_the_replacement(
    restarts: bool, chain: Chain, signer: LocalAccount
) -> None:
    scene = waits(chain, signer)
    (first,) = scene.attempts()
    act = refuses(first.max_fee, chain)
    act.scene = scene
    chain.instead[SEND] = [act]
    spike(chain, 2 * first.max_fee)
    with pytest.raises(NodeError, match="exceeds the configured cap"):
        scene.sender.tend()
    for _ in range(3):  # not signed or sent again before there is a new block
        scene.sender.tend()
    assert [attempt.broadcast_wall is None for attempt in scene.attempts()] == [False, True]
    chain.request("anvil_dropAllTransactions")
    spike(chain, GWEI // 10)
    sender = limited(scene, Policy()).sender if restarts else scene.sender
    sender.tend()
    assert [tx["hash"] for tx in chain.pool()] == [first.hash]
    chain.mine()
    sender.tend()
    assert (scene.states, chain.effects()) == ([State.MINED], 1)


def test_refused_broadcast_does_not_keep_others_from_being_looked_at(chain: Chain, signer: LocalAccount) -> None:
    scene = waits(chain, signer)
    first = scene.attempts()[0]
    # Another one behind it, as a process has left it that was killed.
    later = scene.journal.plan(CHAIN_ID, signer.address, COUNTER, b"", name="later", gas=GAS, at=first.signed_at)
    dispatch = scene.sender._dispatch
    head = read_head(chain)
    scene.sender._follower._broadcast(later, dispatch.sign(later, 1, first.fees, head), head)
    chain.request("anvil_dropAllTransactions")

    def refused(*_: Any) -> Any:
        raise NodeError("eth_sendRawTransaction: insufficient funds for gas * price + value")

    chain.instead[SEND] = [refused] * 2  # at its own look, and at that of the other one, which waits for it
    with pytest.raises(NodeError, match="insufficient funds"):
        scene.sender.tend()
    assert [tx["hash"] for tx in chain.pool()] == [scene.attempts(1)[0].hash]
    scene.sender.tend()
    chain.mine()
    scene.sender.tend()
    assert (scene.states, chain.effects()) == ([State.MINED] * 2, 2)
