"""`backstop snapshot`: what it writes is what `rank` and `plan` read, from a file or from the chain itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.adl.results import plan_document
from backstop.adl.snapshot_file import dumps, loads
from backstop.chain.snapshot import read_chain
from backstop.keeper.cycle import Cycle
from backstop.keeper.results import executed_round
from backstop.transactions.sender import Sender
from scripts.stage.venue import TestMarket, Venue, rpc_url

from .command import assert_refused, backstop, backstop_inside
from .taking import take_over

RANK = ("--market", "ETH-USD", "--side", "short", "--json")


@pytest.fixture
def source(deployment_file: Path) -> tuple[str | Path, ...]:
    """The chain, on a command line."""
    return "--rpc", rpc_url(), "--deployment", deployment_file


def test_written_file_is_the_state_of_the_chain(
    gapped: TestMarket, venue: Venue, source: tuple[str | Path, ...], tmp_path: Path
) -> None:
    file = tmp_path / "snapshot.json"
    done = backstop("snapshot", *source, "-o", file)
    state = read_chain(venue.endpoint, venue.deployment)
    assert (done.status, done.out) == (0, "")
    assert done.err == f"block {state.block.number}: 1 markets, 1 pools, 7 accounts in {file}\n"
    assert loads(file.read_text()) == state.snapshot
    assert file.read_text() == dumps(state.snapshot)

    head = chain.blocks.head
    assert json.loads(file.read_text())["block"] == {
        "chainId": chain.chain_id,
        "number": head.number,
        "hash": "0x" + bytes(head.hash).hex(),
        "timestamp": head.timestamp,
    }


def test_file_output_and_printed_snapshot_are_one(
    gapped: TestMarket, source: tuple[str | Path, ...], tmp_path: Path
) -> None:
    file = tmp_path / "snapshot.json"
    printed = backstop_inside("snapshot", *source)
    assert (printed.status, printed.err) == (0, "")
    both = backstop_inside("snapshot", *source, "-o", file, "--json")
    assert both.status == 0
    assert printed.out == both.out == file.read_text()


@pytest.mark.parametrize("command", [("rank", *RANK), ("plan", "--json")], ids=["rank", "plan"])
def test_file_says_what_the_chain_says(
    command: tuple[str, ...], gapped: TestMarket, venue: Venue, source: tuple[str | Path, ...], tmp_path: Path
) -> None:
    take_over(venue, gapped)
    file = tmp_path / "snapshot.json"
    assert backstop_inside("snapshot", *source, "-o", file).status == 0
    direct = backstop_inside(*command, *source)
    from_file = backstop_inside(*command, file)
    assert (direct.status, direct.err) == (from_file.status, from_file.err) == (0, "")
    assert direct.out == from_file.out
    assert direct.document != []
    piped = backstop(*command, "-", stdin=file.read_text())
    assert piped.out == from_file.out


def test_plan_of_the_file_is_the_round_that_is_executed(
    gapped: TestMarket, venue: Venue, operator: LocalAccount, source: tuple[str | Path, ...], tmp_path: Path
) -> None:
    """Fills in order, with price, contracts and leveraged return; and what each realized."""
    take_over(venue, gapped)
    file = tmp_path / "snapshot.json"
    assert backstop_inside("snapshot", *source, "-o", file).status == 0
    (planned,) = backstop_inside("plan", "--json", file).document
    before = {account.id: account for account in loads(file.read_text()).accounts}

    sender = Sender(venue.endpoint, operator, chain.chain_id)
    (action,) = Cycle(venue.endpoint, venue.deployment, sender, send=True).run(pytest.fail)
    assert action.receipt is not None
    executed = executed_round(action.receipt)
    assert plan_document(action.duty.plan) == planned
    same = ("account", "contracts", "price", "leveragedReturn")
    assert [[fill[key] for key in same] for fill in executed["fills"]] == [
        [fill[key] for key in same] for fill in planned["fills"]
    ]
    assert [fill["place"] for fill in executed["fills"]] == [fill["adlRank"] for fill in planned["fills"]]
    assert (executed["adlPrice"], executed["compensation"]) == (planned["adlPrice"], planned["compensation"])
    assert executed["contracts"] == planned["contracts"]
    after = {account.id: account for account in read_chain(venue.endpoint, venue.deployment).snapshot.accounts}
    for fill in planned["fills"]:
        moved = after[fill["account"]].margin - before[fill["account"]].margin
        assert moved == int(fill["realizedPnl"]) * 10**18


def test_older_block(gapped: TestMarket, venue: Venue, source: tuple[str | Path, ...]) -> None:
    """The state as it was then, also for what has changed since."""
    then = read_chain(venue.endpoint, venue.deployment)
    take_over(venue, gapped)
    venue.set_price(gapped, 81)
    done = backstop_inside("snapshot", *source, "--block", str(then.block.number))
    assert (done.status, done.err) == (0, "")
    assert loads(done.out) == then.snapshot
    assert loads(done.out) != read_chain(venue.endpoint, venue.deployment).snapshot


def test_block_that_is_not_there_yet(gapped: TestMarket, source: tuple[str | Path, ...]) -> None:
    assert_refused(backstop_inside("snapshot", *source, "--block", "1000000"), "has no block 1000000")


@pytest.mark.parametrize(("name", "words"), [(".", "Is a directory"), ("no/such/folder.json", "No such file")])
def test_file_that_cannot_be_written(
    name: str, words: str, gapped: TestMarket, source: tuple[str | Path, ...], tmp_path: Path
) -> None:
    assert_refused(backstop_inside("snapshot", *source, "-o", tmp_path / name), "cannot write", words)


def test_system_without_markets(owner: Any, tmp_path: Path) -> None:
    file = tmp_path / "new.json"
    Venue.open(owner).deployment.save(file)
    source = ("--rpc", rpc_url(), "--deployment", file)
    document = backstop_inside("snapshot", *source).document
    assert (document["markets"], document["pools"], document["accounts"]) == ({}, {}, [])
    assert backstop_inside("plan", *source, "--json").document == []
    done = backstop_inside("run", "--once", *source)
    assert (done.status, done.out) == (0, "nothing is due\n")
