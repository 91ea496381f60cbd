"""What is not mined: sent again as it is where nodes lost it, replaced with higher fees where it waits."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.errors import (
    BudgetError,
    CancelledTransactionError,
    DroppedTransactionError,
    FeeCapError,
    TransactionError,
)
from backstop.transactions.fees import HOUR, Policy
from backstop.transactions.journal import Intent, State
from backstop.transactions.steps import Kind

from .chain import CHAIN_ID, COUNTER, GWEI, ONCE, Chain
from .scene import Scene

_ROOM = 30_000_000


def passed_over(chain: Chain, blocks: int, seconds: int = 1) -> None:
    """Blocks too small for the transaction, which stays in the pool."""
    chain.request("evm_setBlockGasLimit", hex(21_000))
    chain.mine(blocks, seconds)
    chain.request("evm_setBlockGasLimit", hex(_ROOM))


def test_transaction_that_nodes_have_lost_is_sent_again_as_it_was(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.no_mining()
    scene.at(Kind.WAITING, lambda step: chain.request("anvil_dropTransaction", step.transaction))
    scene.at(Kind.REBROADCAST, lambda _: chain.mine())
    receipt = scene.sender.send(COUNTER, b"")
    assert len(chain.raws) == 2
    assert len(set(chain.raws)) == 1
    (attempt,) = scene.attempts()
    assert (attempt.hash, attempt.nonce) == (receipt.transaction, 0)
    assert (chain.effects(), scene.nonce()) == (1, 1)


@pytest.mark.parametrize(("blocks", "seconds"), [(3, 1), (1, 36)], ids=["by blocks", "by chain time"])
def test_transaction_that_waits_is_replaced_with_both_fees_an_eighth_higher(
    blocks: int, seconds: int, chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    chain.no_mining()
    scene.at(Kind.WAITING, lambda _: passed_over(chain, blocks, seconds), lambda _: chain.mine())
    receipt = scene.sender.send(COUNTER, b"", name="count")
    first, second = scene.attempts()
    assert second.max_fee * 8 >= first.max_fee * 9
    assert second.tip * 8 >= first.tip * 9
    mined = chain.transaction(second.hash)
    assert receipt.transaction == second.hash == scene.intents[0].mined_hash
    assert (mined["nonce"], mined["to"], mined["input"]) == ("0x0", COUNTER, "0x")
    assert (int(mined["maxFeePerGas"], 16), int(mined["maxPriorityFeePerGas"], 16)) == second.fees
    assert (chain.effects(), scene.nonce()) == (1, 1)
    assert scene.kinds.count(Kind.REPLACED) == 1


@pytest.mark.parametrize(("blocks", "seconds"), [(2, 17), (2, 1)])
def test_nothing_is_replaced_before_its_time(blocks: int, seconds: int, chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer, timeout=0.3)
    chain.no_mining()
    scene.at(Kind.WAITING, lambda _: passed_over(chain, blocks, seconds))
    with pytest.raises(TransactionError, match=r"^count \(0x[0-9a-f]{64}\) is not mined after 0 s"):
        scene.sender.send(COUNTER, b"", name="count")
    assert len(scene.attempts()) == 1
    # A chain that stands still gives no reason either.
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, b"")
    assert len(set(chain.raws)) == 1
    chain.mine()
    assert scene.sender.send(COUNTER, b"").transaction == scene.attempts()[0].hash
    assert chain.effects() == 1


def test_gas_spike_is_followed_within_two_blocks(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.no_mining()

    def spike(_: Any) -> None:
        chain.request("anvil_setNextBlockBaseFeePerGas", hex(300 * GWEI))
        chain.mine()

    before = chain.quantity("eth_blockNumber")
    scene.at(Kind.WAITING, spike, lambda _: chain.mine())
    receipt = scene.sender.send(COUNTER, b"")
    assert receipt.block == before + 2
    first, second = scene.attempts()
    assert first.max_fee < 300 * GWEI < second.max_fee
    assert second.tip * 8 >= first.tip * 9
    assert chain.effects() == 1


def test_spike_that_comes_between_the_look_and_the_broadcast_is_paid_at_once(
    chain: Chain, signer: LocalAccount
) -> None:
    """The next block's base fee is what the node refuses by: no block is needed to learn of it."""
    scene = Scene(chain, signer)
    scene.at(Kind.JOURNALLED, lambda _: chain.request("anvil_setNextBlockBaseFeePerGas", hex(300 * GWEI)))
    receipt = scene.sender.send(COUNTER, b"")
    assert [attempt.hash for attempt in scene.attempts()][-1] == receipt.transaction
    assert scene.attempts()[-1].max_fee > 300 * GWEI
    assert (chain.effects(), scene.nonce()) == (1, 1)


def test_spike_above_the_cap_is_an_alarm_and_no_transaction(chain: Chain, signer: LocalAccount) -> None:
    chain.request("anvil_setNextBlockBaseFeePerGas", hex(51 * GWEI))
    chain.mine()
    scene = Scene(chain, signer, Policy(max_fee=50 * GWEI))
    with pytest.raises(FeeCapError, match=r"the base fee is 51 gwei, and the cap .* 50: raise fees.max_fee, or wait"):
        scene.sender.send(COUNTER, b"")
    assert (chain.raws, scene.intents) == ([], [])


def test_transaction_below_a_base_fee_above_the_cap_waits_with_an_alarm(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer, Policy(max_fee=50 * GWEI))
    chain.no_mining()

    def spike(_: Any) -> None:
        chain.request("anvil_setNextBlockBaseFeePerGas", hex(60 * GWEI))
        chain.mine()

    scene.at(Kind.WAITING, spike)
    for _ in range(2):
        with pytest.raises(FeeCapError, match="count waits below the base fee: the base fee is 60 gwei"):
            scene.sender.send(COUNTER, b"", name="count")
    with pytest.raises(FeeCapError, match="waits below the base fee"):
        scene.sender.tend()
    assert len(scene.attempts()) == 1
    chain.request("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    chain.mine()
    scene.at(Kind.REBROADCAST, lambda _: chain.mine())
    assert scene.sender.send(COUNTER, b"", name="count").transaction == scene.attempts()[0].hash
    assert chain.effects() == 1


def test_replacement_stops_at_the_cap_and_what_waits_may_still_be_mined(chain: Chain, signer: LocalAccount) -> None:
    chain.no_mining()
    base = int(chain.request("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    cap = 2 * base + GWEI  # what the first one offers
    scene = Scene(chain, signer, Policy(max_fee=cap), timeout=0.3)
    scene.at(Kind.WAITING, lambda _: passed_over(chain, 3))
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, b"")
    (attempt,) = scene.attempts()
    assert attempt.max_fee == cap
    chain.mine()
    assert scene.sender.send(COUNTER, b"").transaction == attempt.hash


def test_budget_of_an_hour_is_counted_from_the_journal(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    cost = scene.sender.send(COUNTER, b"").cost
    assert cost == scene.intents[0].cost
    assert cost > 0
    most = scene.attempts()[0].gas * scene.attempts()[0].max_fee
    tight = Scene(chain, signer, Policy(per_hour=2 * most), journal=scene.journal)
    tight.sender.send(COUNTER, b"")
    sent = len(chain.raws)
    stopped = Scene(chain, signer, Policy(per_hour=most), journal=scene.journal)
    with pytest.raises(BudgetError, match=r"may be spent in an hour 0\.0\d+ are .* raise fees\.budget_per_hour"):
        stopped.sender.send(COUNTER, b"")
    assert len(chain.raws) == sent
    assert scene.states == [State.MINED] * 2
    # An hour of chain time later there is a budget again; a day's would still be spent.
    chain.mine(2, HOUR)
    daily = Scene(chain, signer, Policy(per_day=most), journal=scene.journal)
    with pytest.raises(BudgetError, match=r"raise fees\.budget_per_day"):
        daily.sender.send(COUNTER, b"")
    stopped.sender.send(COUNTER, b"")
    assert chain.effects() == 3


def test_what_is_open_is_reserved_and_its_replacement_needs_a_budget_too(chain: Chain, signer: LocalAccount) -> None:
    chain.no_mining()
    scene = Scene(chain, signer, timeout=0.2)
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, b"")
    (attempt,) = scene.attempts()
    most, now = attempt.gas * attempt.max_fee, attempt.signed_at
    assert scene.journal.spent(CHAIN_ID, signer.address, now - HOUR) == most
    # Enough for what is open, not for an eighth more: it is left as it is.
    limited = Scene(chain, signer, Policy(per_hour=most), journal=scene.journal, timeout=0.2)
    passed_over(chain, 3)
    with pytest.raises(TransactionError, match="is not mined"):
        limited.sender.send(COUNTER, b"")
    assert len(scene.attempts()) == 1
    chain.request("anvil_setNextBlockBaseFeePerGas", hex(300 * GWEI))
    chain.mine()
    with pytest.raises(BudgetError, match="waits below the base fee: the transaction may cost"):
        limited.sender.send(COUNTER, b"")


def test_replacement_takes_over_what_its_nonce_has_reserved(chain: Chain, signer: LocalAccount) -> None:
    """Of the two only one can be mined: the budget needs room for the dearer one alone."""
    chain.no_mining()
    scene = Scene(chain, signer, timeout=0.2)
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, b"")
    (first,) = scene.attempts()
    raised = -(-first.max_fee * 9 // 8)
    passed_over(chain, 3)
    just_enough = Scene(chain, signer, Policy(per_hour=first.gas * raised), journal=scene.journal)
    just_enough.at(Kind.WAITING, lambda _: chain.mine())
    receipt = just_enough.sender.send(COUNTER, b"")
    assert scene.attempts()[1].max_fee == raised
    assert receipt.transaction == scene.attempts()[1].hash
    assert chain.effects() == 1


def test_what_would_fail_by_now_makes_room_for_an_empty_transaction(chain: Chain, signer: LocalAccount) -> None:
    """Another keeper was faster: the loser does not pay for a revert."""
    scene = Scene(chain, signer)
    chain.no_mining()

    def beaten(_: Any) -> None:
        chain.request("anvil_setStorageAt", COUNTER, "0x" + "00" * 32, "0x" + "00" * 31 + "01")
        passed_over(chain, 3)

    scene.at(Kind.WAITING, beaten, lambda _: chain.mine())
    with pytest.raises(CancelledTransactionError, match=r"count was cancelled: 0x[0-9a-f]{64} took its nonce"):
        scene.sender.send(COUNTER, ONCE, name="count")
    first, second = scene.attempts()
    assert (first.cancels, second.cancels) == (False, True)
    assert second.tip * 8 >= first.tip * 9
    assert scene.states == [State.CANCELLED]
    assert chain.effects() == 1


def test_what_nodes_have_lost_and_would_fail_is_not_sent_again(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.no_mining()

    def lost_and_beaten(step: Any) -> None:
        chain.request("anvil_dropTransaction", step.transaction)
        chain.request("anvil_setStorageAt", COUNTER, "0x" + "00" * 32, "0x" + "00" * 31 + "01")
        chain.mine()

    scene.at(Kind.WAITING, lost_and_beaten)
    with pytest.raises(DroppedTransactionError, match="count is not sent again: the contracts would refuse it by now"):
        scene.sender.send(COUNTER, ONCE, name="count")
    assert len(chain.raws) == 1
    # The next one takes the nonce, and offers enough to replace the lost one wherever that still is.
    scene.at(Kind.WAITING, lambda _: chain.mine())
    scene.sender.send(COUNTER, b"")
    (lost,), (new,) = scene.attempts(0), scene.attempts(1)
    assert new.nonce == lost.nonce == 0
    assert new.max_fee * 8 >= lost.max_fee * 9
    assert new.tip * 8 >= lost.tip * 9
    # The lost one turns up too late, and is known to be none.
    scene.sender.tend()
    chain.mine(Policy().final_after)
    scene.sender.tend()
    assert scene.states == [State.DROPPED, State.FINAL]
    scene.sender.tend()
    assert scene.intents[0].is_settled


def test_lost_transaction_that_is_mined_after_all_is_seen(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.no_mining()

    def lost_and_beaten(step: Any) -> None:
        chain.request("anvil_dropTransaction", step.transaction)
        chain.request("anvil_setStorageAt", COUNTER, "0x" + "00" * 32, "0x" + "00" * 31 + "01")

    scene.at(Kind.WAITING, lost_and_beaten)
    with pytest.raises(DroppedTransactionError):
        scene.sender.send(COUNTER, ONCE, name="count")
    chain.request("eth_sendRawTransaction", chain.raws[0])
    chain.mine()
    scene.sender.tend()
    assert scene.states == [State.FAILED]
    assert scene.intents[0].mined_hash == scene.attempts()[0].hash


# ------------------------------------------------------------------ what gives way


def is_slow(intent: Intent) -> bool:
    return intent.name.startswith("slow")


class CalmIsOverError(Exception):
    """What whoever waits raises."""


def begin_slow(scene: Scene) -> None:
    """A transaction that waits, and whose sender has something better to do."""

    def stop() -> None:
        raise CalmIsOverError

    scene.chain.no_mining()
    with pytest.raises(CalmIsOverError):
        scene.sender.send(COUNTER, b"", name="slow count", waiting=stop)


def test_what_is_urgent_takes_the_nonce_of_what_gives_way(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    begin_slow(scene)
    scene.at(Kind.WAITING, lambda _: chain.mine())
    receipt = scene.sender.send(COUNTER, ONCE, name="urgent", instead=is_slow)
    (slow,), (urgent,) = scene.attempts(0), scene.attempts(1)
    assert slow.nonce == urgent.nonce == 0
    assert urgent.max_fee * 8 >= slow.max_fee * 9
    assert urgent.tip * 8 >= slow.tip * 9
    assert receipt.transaction == urgent.hash
    assert scene.states == [State.DROPPED, State.MINED]
    assert scene.intents[0].reason == f"preempted by transaction {scene.intents[1].id}"
    assert (chain.effects(), scene.nonce()) == (1, 1)
    assert Kind.PREEMPTED in scene.kinds


def test_what_does_not_give_way_is_waited_for(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    begin_slow(scene)
    chain.mine()
    scene.at(Kind.WAITING, lambda _: chain.mine())
    scene.sender.send(signer.address, b"", name="other", instead=lambda _: False)
    assert scene.states == [State.MINED, State.MINED]
    assert (chain.effects(), scene.nonce()) == (1, 2)


def test_the_same_call_does_not_give_way_to_itself(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    begin_slow(scene)
    chain.mine()
    receipt = scene.sender.send(COUNTER, b"", name="slow count", instead=is_slow)
    assert receipt.transaction == scene.attempts()[0].hash
    assert (chain.effects(), scene.nonce()) == (1, 1)


def test_one_that_is_mined_by_then_is_followed_by_the_urgent_one(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    begin_slow(scene)
    chain.mine()
    scene.at(Kind.WAITING, lambda _: chain.mine())
    receipt = scene.sender.send(signer.address, b"", name="urgent", instead=is_slow)
    assert receipt.transaction == scene.attempts(1)[0].hash
    assert scene.states == [State.MINED, State.MINED]
    assert (chain.effects(), scene.nonce()) == (1, 2)


def test_one_that_is_mined_after_all_is_noted_and_the_urgent_one_is_planned_anew(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    begin_slow(scene)
    raw = chain.raws[0]

    def slow_wins(_: Any) -> None:
        sent = chain.pool()[0]["hash"]
        chain.request("anvil_dropTransaction", sent)
        chain.request("eth_sendRawTransaction", raw)
        chain.mine()

    scene.at(Kind.WAITING, slow_wins)
    with pytest.raises(DroppedTransactionError, match="plan anew"):
        scene.sender.send(COUNTER, ONCE, name="urgent", instead=is_slow, waiting=chain.mine)
    scene.sender.tend()
    assert scene.states == [State.MINED, State.DROPPED]
    assert (chain.effects(), scene.nonce()) == (1, 1)


def test_what_gave_way_is_not_forgotten_by_the_next_process(chain: Chain, signer: LocalAccount) -> None:
    """Killed once the journal has the urgent one: that is sent, and replaces what waits."""
    scene = Scene(chain, signer)
    begin_slow(scene)

    def die(_: Any) -> None:
        raise KeyboardInterrupt

    scene.at(Kind.PREEMPTED, die)
    with pytest.raises(KeyboardInterrupt):
        scene.sender.send(COUNTER, ONCE, name="urgent", instead=is_slow)
    again = Scene(chain, signer, journal=scene.journal)
    again.sender.tend()
    chain.mine()
    again.sender.tend()
    assert scene.states == [State.DROPPED, State.MINED]
    assert (chain.effects(), scene.nonce()) == (1, 1)


def test_pending_is_told_without_what_gives_way(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    begin_slow(scene)
    assert scene.sender.has_pending()
    assert not scene.sender.has_pending(besides=is_slow)
    chain.foreign(signer, 1)
    assert scene.sender.has_pending(besides=is_slow)
