"""Signers: an external one is told what to sign, and nothing else is accepted from it."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.errors import SignerError
from backstop.transactions.external_signer import ExternalSigner
from backstop.transactions.journal import State
from backstop.transactions.signers import LocalSigner, Signed, hash_of, open_signer, sign

from .chain import CHAIN_ID, COUNTER, KEY, Chain
from .scene import Scene
from .signing import signer_at

OTHER: LocalAccount = Account.from_key("0x" + "43" * 32)
TRANSACTION = {
    "type": 2,
    "chainId": CHAIN_ID,
    "nonce": 7,
    "to": "0x1111111111111111111111111111111111111111",
    "value": 0,
    "data": b"\x01\x02",
    "gas": 50_000,
    "maxFeePerGas": 30,
    "maxPriorityFeePerGas": 3,
}


def test_external_signer_signs_what_a_keeper_sends(chain: Chain, signer: LocalAccount) -> None:
    with signer_at(signer) as url:
        scene = Scene(chain, ExternalSigner(url))  # type: ignore[arg-type]
        receipt = scene.sender.send(COUNTER, b"")
    assert scene.sender.address == signer.address
    assert chain.transaction(receipt.transaction)["from"] == signer.address.lower()
    assert chain.effects() == 1


def test_both_kinds_of_signer_give_the_same_transaction(signer: LocalAccount) -> None:
    local = sign(LocalSigner(signer), TRANSACTION)
    for answer in (lambda raw: raw, lambda raw: {"raw": raw, "tx": {}}):
        with signer_at(signer, OTHER, answer=answer) as url:
            assert sign(open_signer(None, None, url, signer.address), TRANSACTION) == local


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chainId", 1),
        ("nonce", 8),
        ("to", OTHER.address),
        ("value", 1),
        ("data", b""),
        ("gas", 50_001),
        ("maxFeePerGas", 31),
        ("maxPriorityFeePerGas", 2),
    ],
)
def test_signer_that_changes_anything_is_refused(field: str, value: Any, signer: LocalAccount) -> None:
    with (
        signer_at(signer, change=lambda fields: fields | {field: value}) as url,
        pytest.raises(SignerError, match=f"the signer has changed {field}: "),
    ):
        sign(ExternalSigner(url), TRANSACTION)


def test_signer_that_adds_an_access_list_is_refused(signer: LocalAccount) -> None:
    added = {"accessList": [{"address": COUNTER, "storageKeys": []}]}
    with (
        signer_at(signer, change=lambda fields: fields | added) as url,
        pytest.raises(SignerError, match="has added an access list"),
    ):
        sign(ExternalSigner(url), TRANSACTION)


def test_signature_of_another_key_is_refused(signer: LocalAccount) -> None:
    raw = OTHER.sign_transaction(TRANSACTION).raw_transaction
    with (
        signer_at(signer, answer=lambda _: "0x" + raw.hex()) as url,
        pytest.raises(SignerError, match=f"signed with the key of {OTHER.address}, not of {signer.address}"),
    ):
        sign(ExternalSigner(url), TRANSACTION)


def test_hash_that_is_not_that_of_the_transaction_is_refused(signer: LocalAccount) -> None:
    class Lying(LocalSigner):
        def sign(self, transaction: dict[str, Any]) -> Signed:
            return Signed(super().sign(transaction).raw, hash_of(b"another"))

    with pytest.raises(SignerError, match="gives the hash 0x"):
        sign(Lying(signer), TRANSACTION)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "answers with no raw transaction"),
        ("soon", "answers with no raw transaction"),
        ({"tx": {}}, "answers with no raw transaction"),
        ("0x", "no EIP-1559 transaction that can be read"),
        ("0x02c0", "no EIP-1559 transaction that can be read"),
    ],
)
def test_answer_that_is_no_transaction_is_refused(answer: Any, words: str, signer: LocalAccount) -> None:
    with signer_at(signer, answer=lambda _: answer) as url, pytest.raises(SignerError, match=words) as fault:
        sign(ExternalSigner(url), TRANSACTION)
    assert "\n" not in str(fault.value)


def test_signer_without_the_account_is_refused(signer: LocalAccount) -> None:
    with signer_at(OTHER) as url, pytest.raises(SignerError, match=f"does not sign for {signer.address}"):
        ExternalSigner(url, signer.address)
    with signer_at(signer, OTHER) as url, pytest.raises(SignerError, match="has 2 accounts: say which one signs"):
        ExternalSigner(url)
    with signer_at(fault="locked") as url, pytest.raises(SignerError, match="eth_accounts: locked"):
        ExternalSigner(url)


def test_signer_that_is_not_there_is_told_without_its_credentials() -> None:
    with pytest.raises(SignerError, match=r"the signer at http://127\.0\.0\.1:1: no answer") as fault:
        ExternalSigner("http://keeper:hunter2@127.0.0.1:1/secret-path")
    assert "hunter2" not in str(fault.value)
    assert "secret-path" not in str(fault.value)


def test_signer_that_fails_leaves_nothing_open(chain: Chain, signer: LocalAccount) -> None:
    with signer_at(signer, change=lambda fields: fields | {"value": 1}) as url:
        scene = Scene(chain, ExternalSigner(url))  # type: ignore[arg-type]
        with pytest.raises(SignerError, match="has changed value: 1 instead of 0"):
            scene.sender.send(COUNTER, b"")
    assert chain.raws == []
    assert scene.states == [State.DROPPED]
    assert scene.attempts() == []
    assert not scene.sender.has_pending()
    assert KEY.removeprefix("0x") not in repr(scene.intents)
