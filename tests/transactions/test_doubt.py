"""What nodes say too late, too long, or of another chain than there is: nothing is lost, and nothing counted twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.chain.endpoint import Endpoint
from backstop.errors import DroppedTransactionError, RpcError, TransactionError
from backstop.transactions.fees import Policy
from backstop.transactions.journal import State
from backstop.transactions.steps import Kind

from .chain import CHAIN_ID, COUNTER, ONCE, Chain, Request
from .scene import Scene

RECEIPT = "eth_getTransactionReceipt"


class Always(list[Any]):
    """What answers to every request of a method."""

    def __init__(self, answer: Callable[[Request, tuple[Any, ...]], Any]) -> None:
        super().__init__([answer])

    def pop(self, _: Any = 0) -> Any:
        """The same, and it stays."""
        return self[0]


def unseen(_: Request, __: tuple[Any, ...]) -> Any:
    """No receipt yet."""
    return


def receipt_of(chain: Chain, transaction: str) -> Any:
    """Past what a test makes of it."""
    return Endpoint(chain.full_url).request(RECEIPT, transaction)


def kept(receipt: dict[str, Any]) -> Always:
    """A node, or something before it, that has kept a receipt."""
    return Always(
        lambda request, asked: receipt if asked[1] == receipt["transactionHash"] else request(*asked),
    )


def written_off(chain: Chain, signer: LocalAccount) -> Scene:
    """One that is mined, and given up because its receipt trails by more than a block."""
    scene = Scene(chain, signer)
    chain.instead[RECEIPT] = Always(unseen)
    with pytest.raises(DroppedTransactionError, match="its nonce went to another transaction"):
        scene.sender.send(COUNTER, b"", waiting=chain.mine)
    assert scene.states == [State.DROPPED]
    return scene


def mine_until_gone_for(blocks: int, scene: Scene) -> None:
    """As many blocks after the one at which its nonce was first seen to be taken."""
    since = scene.intents[0].passed_block
    assert since is not None
    scene.chain.mine(since + blocks - scene.chain.quantity("eth_blockNumber"))


def test_receipt_that_trails_within_a_block_is_waited_for(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.instead[RECEIPT] = [unseen] * 3
    receipt = scene.sender.send(COUNTER, b"")
    assert receipt.transaction == scene.attempts()[0].hash
    assert (scene.states, chain.effects()) == ([State.MINED], 1)


def test_one_that_was_written_off_is_noted_with_its_cost_once_its_receipt_is_there(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = written_off(chain, signer)
    (attempt,) = scene.attempts()
    # Until then it may have cost all that it offered.
    assert scene.journal.spent(CHAIN_ID, signer.address, 0) == attempt.gas * attempt.max_fee
    mine_until_gone_for(Policy().final_after - 1, scene)
    scene.sender.tend()
    assert not scene.intents[0].is_settled
    del chain.instead[RECEIPT]
    scene.sender.tend()
    assert scene.intents[0].mined_hash == attempt.hash
    cost = scene.intents[0].cost
    assert cost is not None
    assert 0 < cost < attempt.gas * attempt.max_fee
    assert scene.journal.spent(CHAIN_ID, signer.address, 0) == cost
    assert chain.effects() == 1


def test_one_that_was_written_off_is_settled_once_its_nonce_is_gone_for_good(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = written_off(chain, signer)
    mine_until_gone_for(Policy().final_after - 1, scene)
    scene.sender.tend()
    assert not scene.intents[0].is_settled
    chain.mine()
    scene.sender.tend()
    assert scene.intents[0].is_settled
    assert scene.journal.spent(CHAIN_ID, signer.address, 0) == 0


def test_nonce_that_was_seen_gone_before_it_was_mined_is_seen_gone_twice_again(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer)
    scene.at(Kind.MINED, lambda _: chain.mine())
    chain.instead[RECEIPT] = [unseen] * 2
    scene.sender.send(COUNTER, b"")
    chain.request("anvil_reorg", 2, [])
    chain.request("anvil_dropAllTransactions")
    chain.foreign(signer, 0)
    chain.mine()
    scene.sender.tend()
    assert scene.states == [State.BROADCAST]
    chain.mine()
    scene.sender.tend()
    assert scene.states == [State.LOST]


def test_one_that_gave_way_and_is_mined_after_a_reorganisation_is_noted(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer, timeout=0.3)
    chain.no_mining()
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, b"", name="slow", gas=60_000)
    (slow,) = scene.attempts()
    scene.at(Kind.WAITING, lambda _: chain.mine())
    scene.sender.send(COUNTER, b"\x00", name="urgent", instead=lambda intent: intent.name == "slow")
    for _ in range(3):
        chain.mine()
        scene.sender.tend()
    assert (scene.states, [intent.is_settled for intent in scene.intents]) == (
        [State.DROPPED, State.MINED],
        [False, False],
    )
    chain.request("anvil_reorg", 4, [["0x" + slow.raw.hex(), 0]])
    chain.request("anvil_dropAllTransactions")
    for _ in range(3):
        chain.mine()
        scene.sender.tend()
    assert scene.states == [State.MINED, State.LOST]
    assert scene.intents[0].mined_hash == slow.hash
    assert scene.intents[0].cost == scene.journal.spent(CHAIN_ID, signer.address, 0) > 0
    assert (chain.effects(), scene.nonce()) == (1, 1)
    chain.mine(Policy().final_after)
    scene.sender.tend()
    scene.sender.tend()
    assert (scene.states, [intent.is_settled for intent in scene.intents]) == ([State.FINAL, State.LOST], [True, True])


def test_what_gave_way_stays_unsettled_until_what_has_its_nonce_is_final(chain: Chain, signer: LocalAccount) -> None:
    """The one that has it now was mined later than the nonce was first gone."""
    scene = Scene(chain, signer, timeout=0.3)
    chain.no_mining()
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, b"", name="slow", gas=60_000)
    scene.at(Kind.WAITING, lambda _: chain.mine())
    scene.sender.send(COUNTER, b"\x00", name="urgent", instead=lambda intent: intent.name == "slow")
    slow, urgent = scene.intents
    assert urgent.mined_block is not None
    scene.journal.passed(slow.id, urgent.mined_block - 5)
    chain.mine(Policy().final_after - 1)
    scene.sender.tend()
    assert not scene.intents[0].is_settled
    chain.mine()
    scene.sender.tend()
    assert scene.states == [State.DROPPED, State.FINAL]
    scene.sender.tend()
    assert scene.intents[0].is_settled


def test_receipt_of_a_block_that_was_taken_back_is_none(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    scene.sender.send(COUNTER, ONCE)
    old = receipt_of(chain, scene.attempts()[0].hash)
    chain.no_mining()
    chain.request("anvil_reorg", 1, [])
    chain.request("anvil_dropAllTransactions")
    chain.instead[RECEIPT] = kept(old)
    scene.sender.tend()
    assert scene.states == [State.BROADCAST]
    assert Kind.REVOKED in scene.kinds
    assert [tx["hash"] for tx in chain.pool()] == [old["transactionHash"]]
    chain.mine()
    assert chain.effects() == 1


def test_chain_that_has_become_shorter_takes_back_what_was_above_it(chain: Chain, signer: LocalAccount) -> None:
    short = chain.request("evm_snapshot")
    chain.mine(20)
    scene = Scene(chain, signer)
    sent = scene.sender.send(COUNTER, b"")
    chain.no_mining()
    chain.request("evm_revert", short)
    scene.sender.tend()
    scene.sender.tend()
    assert scene.states == [State.MINED]  # a node that is behind says the same, until the next head
    chain.mine()
    scene.sender.tend()
    assert (scene.states, chain.effects()) == ([State.BROADCAST], 0)
    assert [tx["hash"] for tx in chain.pool()] == [sent.transaction]
    chain.mine()
    scene.sender.tend()
    assert (scene.states, chain.effects()) == ([State.MINED], 1)


def test_receipt_of_another_transaction_is_an_error_and_nothing_is_mined_by_it(
    chain: Chain, signer: LocalAccount
) -> None:
    scene = Scene(chain, signer, timeout=1)
    scene.sender.send(COUNTER, b"")
    old = receipt_of(chain, scene.attempts()[0].hash)
    chain.no_mining()
    chain.instead[RECEIPT] = [lambda *_: old]
    with pytest.raises(TransactionError, match="receipt of another transaction than"):
        scene.sender.send(COUNTER, b"")
    assert scene.states == [State.MINED, State.BROADCAST]
    chain.instead[RECEIPT] = [lambda *_: old]
    with pytest.raises(RpcError, match="receipt of another transaction than"):
        scene.sender.tend()
    chain.mine()
    scene.sender.tend()
    assert (scene.states, chain.effects()) == ([State.MINED] * 2, 2)


def with_fee(receipt: Any) -> Any:
    """A receipt of a rollup; None where there is none yet."""
    return receipt and receipt | {"l1Fee": hex(10**15)}


def test_what_a_rollup_takes_for_the_chain_below_is_in_the_cost(chain: Chain, signer: LocalAccount) -> None:
    scene = Scene(chain, signer)
    chain.instead[RECEIPT] = Always(lambda request, asked: with_fee(request(*asked)))
    receipt = scene.sender.send(COUNTER, b"")
    plain = receipt_of(chain, receipt.transaction)
    assert receipt.cost == int(plain["gasUsed"], 16) * int(plain["effectiveGasPrice"], 16) + 10**15
    assert scene.journal.spent(CHAIN_ID, signer.address, 0) == receipt.cost
