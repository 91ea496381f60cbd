"""`backstop tx`: the journal from a shell, and what is stuck cancelled or resumed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.errors import TransactionError
from backstop.transactions.journal import Journal, State
from backstop.transactions.lock import only_process
from tests.keeper.command import Done, assert_refused, backstop, backstop_inside

from .chain import CHAIN_ID, COUNTER, KEY, Chain
from .scene import Scene
from .signing import signer_at

Tx = Callable[..., Done]
OTHER: LocalAccount = Account.from_key("0x" + "43" * 32)


@pytest.fixture
def stuck(chain: Chain, signer: LocalAccount, journal_file: Path) -> Scene:
    """One transaction that is mined, and one that waits."""
    scene = Scene(chain, signer, timeout=0.2, journal=Journal(str(journal_file)))
    scene.journal = Journal(str(journal_file))
    scene.sender.send(COUNTER, b"", name="takeOver")
    chain.no_mining()
    with pytest.raises(TransactionError, match="is not mined"):
        scene.sender.send(COUNTER, b"", name="deleverage")
    return scene


@pytest.fixture
def tx(chain: Chain, journal_file: Path) -> Tx:
    """The command, with the node where it wants one."""

    def run(command: str, *arguments: str, key: str | None = KEY) -> Done:
        rpc = () if command == "list" else ("--rpc", chain.full_url)
        return backstop_inside("tx", command, *arguments, "--journal", journal_file, *rpc, key=key)

    return run


def test_nothing_is_sent_beside_a_keeper_that_runs(
    stuck: Scene, tx: Tx, signer: LocalAccount, journal_file: Path
) -> None:
    with only_process(stuck.journal, CHAIN_ID, signer.address):
        for command in (("resume",), ("cancel", "2")):
            done = tx(*command, "--send")
            assert_refused(done, f"another keeper runs with the key of {signer.address}", "stop it first")
        assert tx("resume").status == 0  # a dry run
    assert [attempt.nonce for attempt in stuck.attempts(1)] == [1]


def test_list_shows_what_became_of_each(stuck: Scene, tx: Tx, journal_file: Path) -> None:
    done = tx("list", key=None)
    assert (done.status, done.err) == (0, "")
    mined, waiting = (line.split() for line in done.out.splitlines()[2:])
    assert (mined[1], mined[4:7]) == ("takeOver", ["0", "mined", "1"])
    assert (waiting[1], waiting[4:7]) == ("deleverage", ["1", "broadcast", "1"])
    assert mined[-1] == stuck.intents[0].mined_hash
    assert waiting[-1] == stuck.attempts(1)[0].hash
    documents = tx("list", "--json").document
    assert [one["state"] for one in documents] == ["mined", "broadcast"]
    assert documents[0]["cost"] == str(stuck.intents[0].cost)
    assert documents[1]["attempts"][0]["maxFeePerGas"] == str(stuck.attempts(1)[0].max_fee)
    assert [one["id"] for one in tx("list", "--json", "--open").document] == [2]
    assert [one["id"] for one in tx("list", "--json", "--last", "1").document] == [2]


def test_cancel_shows_and_then_makes_room(stuck: Scene, tx: Tx, chain: Chain) -> None:
    dry = tx("cancel", "2", key=None)
    assert (dry.status, dry.err) == (0, "")
    assert dry.out.startswith("2 deleverage: would replace nonce 1 by an empty transaction, offering ")
    assert dry.out.endswith("Nothing is sent without --send.\n")
    assert len(stuck.attempts(1)) == 1
    chain.request("evm_setIntervalMining", 1)
    done = tx("cancel", "2", "--send", "--json")
    assert (done.status, done.err) == (0, "")
    (document,) = done.document
    assert (document["state"], len(document["attempts"])) == ("cancelled", 2)
    mined = chain.transaction(document["transaction"])
    assert (mined["to"], mined["input"], mined["value"]) == (stuck.signer.address.lower(), "0x", "0x0")
    assert int(mined["nonce"], 16) == 1
    first, second = stuck.attempts(1)
    assert second.max_fee * 8 >= first.max_fee * 9
    assert (chain.effects(), stuck.nonce()) == (1, 2)
    assert_refused(tx("cancel", "2", "--send"), "transaction 2 of the journal is not open: it is cancelled")


def test_cancel_that_comes_too_late_says_so(stuck: Scene, tx: Tx, chain: Chain) -> None:
    chain.mine()
    done = tx("cancel", "2", "--send", "--json")
    assert done.document[0]["state"] == "mined"
    assert (chain.effects(), stuck.nonce(), len(stuck.attempts(1))) == (2, 2, 1)


def test_resume_shows_and_then_sees_to_the_end(stuck: Scene, tx: Tx, chain: Chain) -> None:
    sent = stuck.attempts(1)[0]
    assert tx("resume", key=None).out.startswith("2 deleverage: waits to be mined; would wait")
    chain.request("anvil_dropTransaction", sent.hash)
    dry = tx("resume", "--json", key=None)
    assert dry.document == [{"id": 2, "found": "unknown to the node", "would": "send it again as it is"}]
    assert chain.pool() == []
    chain.request("evm_setAutomine", True)
    done = tx("resume", "--send", "--json")
    assert (done.status, done.err) == (0, "")
    assert (done.document[0]["state"], done.document[0]["transaction"]) == ("mined", sent.hash)
    assert (chain.effects(), stuck.states) == (2, [State.MINED, State.MINED])
    assert tx("resume").out == "nothing is open\n"


def test_resume_says_what_cannot_be_done_any_more(stuck: Scene, tx: Tx, chain: Chain) -> None:
    chain.foreign(stuck.signer, 1)
    chain.mine()
    assert tx("resume").out.startswith("2 deleverage: its nonce went to another transaction; would give up")
    chain.request("evm_setIntervalMining", 1)  # it is believed at another head
    assert tx("resume", "--send", "--json").document[0]["state"] == "dropped"


def test_external_signer_cancels_too(stuck: Scene, tx: Tx, chain: Chain) -> None:
    chain.request("evm_setIntervalMining", 1)
    with signer_at(stuck.signer, OTHER) as url:
        choice = ("--signer", url, "--signer-address", stuck.signer.address)
        done = tx("cancel", "2", "--send", "--json", *choice, key=None)
    assert done.document[0]["state"] == "cancelled"


def test_what_is_wrong_is_one_line_and_status_2(stuck: Scene, tx: Tx, chain: Chain, tmp_path: Path) -> None:
    other = "0x" + "43" * 32
    assert_refused(tx("cancel", "9"), "has no transaction 9")
    assert_refused(tx("cancel", "1"), "transaction 1 of the journal is not open: it is mined")
    assert_refused(tx("cancel", "2", "--send", key=None), "no signing key")
    assert_refused(tx("cancel", "2", "--send", key=other), f"is of {stuck.signer.address} on chain {CHAIN_ID}, not of")
    missing = tmp_path / "missing"
    assert_refused(backstop_inside("tx", "list", "--journal", missing), f"there is no journal at {missing}")
    assert_refused(backstop_inside("tx", "list"), "no journal is named")
    assert stuck.states == [State.MINED, State.BROADCAST]
    assert len(chain.pool()) == 1


def test_journal_may_stand_in_the_environment(
    stuck: Scene, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKSTOP_JOURNAL", str(journal_file))
    done = backstop("tx", "list", "--json")
    assert [one["name"] for one in done.document] == ["takeOver", "deleverage"]
