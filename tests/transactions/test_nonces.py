"""Answers that are lost, nonces that others use, blocks that are taken back: one effect each, and the journal knows."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.errors import DroppedTransactionError, FailedTransactionError, NodeError, RpcError, UnknownOutcomeError
from backstop.transactions.fees import Policy
from backstop.transactions.journal import State
from backstop.transactions.steps import Kind, Step
from scripts.stage.own_anvil import own_anvil

from .chain import COUNTER, ONCE, Chain, Request, prepared
from .scene import Scene

SEND = "eth_sendRawTransaction"


# ------------------------------------------------------------------ answers


def lost(request: Request, asked: tuple[Any, ...]) -> Any:
    """The node has it, and its answer does not arrive."""
    request(*asked)
    raise RpcError("no answer")


def never_arrived(_: Request, __: tuple[Any, ...]) -> Any:
    """The request does not arrive either."""
    raise RpcError("no answer")


def twice(request: Request, asked: tuple[Any, ...]) -> Any:
    """Something on the way repeats it; the second answer is what arrives."""
    request(*asked)
    return request(*asked)


@pytest.mark.parametrize("fault", [lost, never_arrived, twice])
@pytest.mark.parametrize("mines", [True, False], ids=["mined at once", "in the pool"])
def test_whatever_becomes_of_the_answer_it_is_looked_for_by_its_hash(
    fault: Any, mines: bool, chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    if not mines:
        chain.no_mining()
        scene.at(Kind.REBROADCAST if fault is never_arrived else Kind.JOURNALLED, lambda _: chain.mine())
        chain.instead["eth_getTransactionReceipt"] = [
            lambda request, asked: request(*asked),
            lambda request, asked: chain.mine() or request(*asked),
        ]
    chain.instead[SEND] = [fault]
    receipt = scene.sender.send(COUNTER, b"")
    (attempt,) = scene.attempts()
    assert receipt.transaction == attempt.hash
    assert set(chain.raws) == {"0x" + attempt.raw.hex()}
    assert (chain.effects(), scene.nonce(), scene.states) == (1, 1, [State.MINED])


def test_node_that_dies_after_the_broadcast_leaves_it_open_for_the_next_look(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    chain.instead[SEND] = [lost]
    chain.instead["eth_getTransactionReceipt"] = [never_arrived]
    with pytest.raises(UnknownOutcomeError, match=r"^count \(0x[0-9a-f]{64}\) was sent, outcome unknown"):
        scene.sender.send(COUNTER, b"", name="count")
    assert scene.sender.has_pending()
    assert scene.sender.under_way == f"count ({scene.attempts()[0].hash})"
    scene.sender.tend()
    assert (scene.states, scene.sender.under_way, scene.sender.has_pending()) == ([State.MINED], None, False)
    assert chain.effects() == 1


def test_what_a_node_refuses_and_does_not_know_is_given_up(chain: Chain, signer: LocalAccount) -> None:
    chain.request("anvil_setBalance", signer.address, hex(10**12))
    scene = Scene(chain, signer)
    with pytest.raises(NodeError, match="nsufficient funds"):
        scene.sender.send(COUNTER, b"", gas=50_000)
    assert scene.states == [State.DROPPED]
    assert "nsufficient funds" in scene.intents[0].reason
    chain.fund(signer)
    scene.sender.send(COUNTER, b"")
    # Nobody has the first one: nothing has to be outbid.
    assert scene.attempts(1)[0].tip == scene.attempts(0)[0].tip
    assert (chain.effects(), scene.nonce()) == (1, 1)


def test_private_endpoint_has_it_first_and_the_public_one_is_read(chain: Chain, signer: LocalAccount) -> None:
    private = Chain(chain.full_url)
    scene = Scene(chain, signer, private=private)
    scene.sender.send(COUNTER, b"")
    assert (len(private.raws), chain.raws) == (1, [])
    assert {method for method, _ in private.asked} == {SEND}
    assert chain.effects() == 1


def test_what_a_private_pool_holds_is_sent_there_again_with_a_new_block_only(
    chain: Chain, signer: LocalAccount
) -> None:
    with own_anvil("--no-mining") as hidden:
        private = Chain(hidden)
        prepared(hidden)
        scene = Scene(chain, signer, private=private, timeout=0.3)
        with pytest.raises(Exception, match="is not mined"):
            scene.sender.send(COUNTER, b"")
        assert len(private.raws) == 1
        chain.mine()
        scene.sender.tend()
        scene.sender.tend()
        assert len(private.raws) == 2
        assert (len(set(private.raws)), chain.raws) == (1, [])


def beside(request: Request, asked: tuple[Any, ...]) -> Any:
    """A receipt of a block that is not of the canonical chain."""
    return request(*asked) | {"blockHash": "0x" + "ab" * 32}


def not_yet(_: Request, __: tuple[Any, ...]) -> Any:
    """The node has the block, and its index of transactions does not have it yet."""
    return


@pytest.mark.parametrize("fault", [beside, not_yet])
def test_receipt_that_cannot_be_believed_is_asked_for_again(fault: Any, chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.instead["eth_getTransactionReceipt"] = [fault]
    receipt = scene.sender.send(COUNTER, b"")
    asked = [params for method, params in chain.asked if method == "eth_getTransactionReceipt"]
    assert len(asked) == 2
    assert receipt.block_hash == chain.request("eth_getBlockByNumber", "latest", False)["hash"]
    assert (chain.effects(), scene.states, len(chain.raws)) == (1, [State.MINED], 1)


# ------------------------------------------------------------------ foreign transactions


def test_foreign_transaction_that_is_faster_costs_a_nonce_and_nothing_else(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    scene.at(Kind.JOURNALLED, lambda _: chain.foreign(signer, 0))
    receipt = scene.sender.send(COUNTER, b"", waiting=chain.mine)
    assert scene.states == [State.DROPPED, State.MINED]
    assert [intent.nonce for intent in scene.intents] == [0, 1]
    assert receipt.transaction == scene.intents[1].mined_hash
    assert (chain.effects(), scene.nonce()) == (1, 2)


def test_foreign_transaction_that_takes_the_place_in_the_pool_is_told(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.no_mining()
    scene.at(Kind.WAITING, lambda _: (chain.foreign(signer, 0), chain.mine()))
    with pytest.raises(DroppedTransactionError, match="its nonce went to another transaction; plan anew"):
        scene.sender.send(COUNTER, b"", waiting=chain.mine)
    assert (scene.states, chain.effects()) == ([State.DROPPED], 0)
    scene.at(Kind.WAITING, lambda _: chain.mine())
    scene.sender.send(COUNTER, b"")
    assert (chain.effects(), scene.nonce()) == (1, 2)


def test_foreign_transaction_that_waits_is_waited_for(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.no_mining()
    chain.foreign(signer, 0)
    assert scene.sender.has_pending()
    scene.at(Kind.WAITING, lambda _: chain.mine())
    scene.sender.send(COUNTER, b"")
    assert [intent.nonce for intent in scene.intents] == [1]
    assert (chain.effects(), scene.nonce()) == (1, 2)


def test_gap_that_a_foreign_transaction_leaves_is_filled(chain: Chain, signer: LocalAccount) -> None:
    """What was behind it could never be mined; to sign it again for a lower nonce might do it twice."""
    scene = Scene(chain, signer)
    chain.no_mining()
    foreign = chain.foreign(signer, 0)
    # Anvil drops what is behind it too: that is sent again, and then the gap is filled.
    scene.at(Kind.WAITING, lambda _: chain.request("anvil_dropTransaction", foreign), lambda _: None)
    scene.at(Kind.REBROADCAST, lambda _: scene.at(Kind.WAITING, lambda _: chain.mine()))
    scene.sender.send(COUNTER, b"")
    assert [(intent.name, intent.nonce) for intent in scene.intents] == [("", 1), ("fill nonce 0", 0)]
    assert (chain.effects(), scene.nonce()) == (1, 2)
    scene.sender.tend()
    assert scene.states == [State.MINED, State.MINED]


def test_node_behind_the_journal_is_not_asked_for_a_nonce(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    scene.sender.send(COUNTER, b"")
    chain.instead["eth_getTransactionCount"] = [lambda *_: "0x0"] * 2
    with pytest.raises(RpcError, match=r"counts 0 transactions of 0x\w{40}, the journal has 1: run again when"):
        scene.sender.send(COUNTER, b"")
    assert len(chain.raws) == 1


# ------------------------------------------------------------------ reorganisations


def test_block_that_is_taken_back_is_sent_again_once(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    sent = scene.sender.send(COUNTER, b"")
    chain.request("anvil_reorg", 1, [])
    assert chain.effects() == 0
    scene.sender.tend()
    assert scene.kinds[-4:] == [Kind.REVOKED, Kind.BROADCAST, Kind.WAITING, Kind.REBROADCAST]
    # The next send of the same call is the one that is under way.
    assert scene.sender.send(COUNTER, b"").transaction == sent.transaction
    assert (len(set(chain.raws)), chain.effects(), scene.nonce()) == (1, 1, 1)
    assert scene.states == [State.MINED]


def test_block_that_is_taken_back_under_what_waits_is_sent_again_in_its_place(
    chain: Chain, signer: LocalAccount
) -> None:
    """The nonce of the one that was mined is nobody's then: it is its own again, not an empty transaction's."""
    scene = Scene(chain, signer)
    first = scene.sender.send(COUNTER, ONCE, name="first")
    chain.no_mining()
    scene.at(Kind.WAITING, lambda _: chain.request("anvil_reorg", 1, []))
    second = scene.sender.send(COUNTER, b"", name="second", waiting=chain.mine)
    scene.sender.tend()
    assert [(one.name, one.nonce, one.mined_hash) for one in scene.intents] == [
        ("first", 0, first.transaction),
        ("second", 1, second.transaction),
    ]
    assert (chain.effects(), scene.nonce()) == (2, 2)


def test_what_is_not_wanted_any_more_after_its_block_is_taken_back_leaves_its_nonce_to_be_filled(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    scene.sender.send(COUNTER, ONCE, name="first")
    chain.no_mining()

    def taken_back(_: Step) -> None:
        chain.request("anvil_reorg", 1, [])
        chain.request("anvil_setStorageAt", COUNTER, "0x" + "00" * 32, "0x" + "00" * 31 + "01")

    scene.at(Kind.WAITING, taken_back)
    scene.sender.send(COUNTER, b"", name="second", waiting=chain.mine)
    assert [(one.name, one.nonce) for one in scene.intents] == [("first", 0), ("second", 1), ("fill nonce 0", 0)]
    assert scene.states[0] is State.LOST
    assert (chain.effects(), scene.nonce()) == (2, 2)


def test_call_that_is_planned_anew_while_its_block_is_taken_back_is_not_sent_twice(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    scene.sender.send(COUNTER, ONCE)

    def after_a_reorganisation(request: Request, asked: tuple[Any, ...]) -> Any:
        request("anvil_reorg", 1, [])
        return request(*asked)

    chain.instead["eth_estimateGas"] = [after_a_reorganisation]
    with pytest.raises(DroppedTransactionError, match="under way again; plan anew"):
        scene.sender.send(COUNTER, ONCE)
    scene.sender.resume()
    assert (len(set(chain.raws)), chain.effects(), scene.nonce()) == (1, 1, 1)
    assert scene.states == [State.MINED]


def test_block_that_is_taken_back_while_others_act_is_planned_anew(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    scene.sender.send(COUNTER, ONCE)
    chain.request("anvil_reorg", 1, [])
    chain.request("anvil_setStorageAt", COUNTER, "0x" + "00" * 32, "0x" + "00" * 31 + "01")
    scene.sender.tend()
    assert scene.states == [State.LOST]
    assert scene.intents[0].reason == "the contracts would refuse it by now"
    assert scene.intents[0].cost is None
    assert not scene.sender.has_pending()
    assert (len(chain.raws), chain.effects()) == (1, 1)


def test_nonce_that_a_foreign_transaction_takes_after_a_reorganisation_is_lost(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    scene.sender.send(COUNTER, b"")
    chain.request("anvil_reorg", 1, [])
    chain.foreign(signer, 0)
    scene.sender.tend()
    assert scene.states == [State.BROADCAST]
    chain.mine()
    scene.sender.tend()
    assert (scene.states, chain.effects()) == ([State.LOST], 0)
    assert Kind.LOST in scene.kinds
    scene.sender.send(COUNTER, b"")
    assert (scene.states, chain.effects(), scene.nonce()) == ([State.LOST, State.MINED], 1, 2)


def test_confirmations_are_counted_on_the_chain_that_stands(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer, Policy(confirmations=3))
    chain.no_mining()

    def taken_back(_: Any) -> None:
        chain.mine()
        chain.request("anvil_reorg", 2, [])

    scene.at(Kind.WAITING, lambda _: chain.mine())
    scene.at(Kind.MINED, taken_back, lambda _: chain.mine(2))
    scene.at(Kind.REBROADCAST, lambda _: chain.mine())
    receipt = scene.sender.send(COUNTER, b"")
    assert chain.quantity("eth_blockNumber") == receipt.block + 2
    assert scene.kinds.count(Kind.MINED) == 2
    assert scene.kinds.count(Kind.REVOKED) == 1
    assert (len(set(chain.raws)), chain.effects()) == (1, 1)
    block = chain.request("eth_getBlockByNumber", hex(receipt.block), False)
    assert (block["hash"], scene.intents[0].mined_block_hash) == (receipt.block_hash, receipt.block_hash)


def test_deep_enough_it_is_final_and_not_asked_for_any_more(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer, Policy(final_after=5))
    scene.sender.send(COUNTER, b"")
    chain.mine(4)
    scene.sender.tend()
    assert scene.states == [State.MINED]
    chain.mine()
    scene.sender.tend()
    assert (scene.states, scene.kinds[-1]) == ([State.FINAL], Kind.FINAL)
    chain.asked.clear()
    scene.sender.tend()
    assert chain.asked == []


def test_what_failed_in_a_block_is_told_with_its_reason_and_kept(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    slot = ("0x" + "00" * 32, "0x" + "00" * 31 + "01")
    scene.at(Kind.JOURNALLED, lambda _: chain.request("anvil_setStorageAt", COUNTER, *slot))
    with pytest.raises(FailedTransactionError, match=r"^0x[0-9a-f]{64} failed in block \d+: "):
        scene.sender.send(COUNTER, ONCE)
    (intent,) = scene.intents
    assert intent.state is State.FAILED
    assert intent.reason
    assert intent.cost
    assert scene.sender.mined == []
