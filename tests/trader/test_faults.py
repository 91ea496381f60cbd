"""What goes wrong once something was sent: whatever it is, the transactions are named, and the status is 1."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.chain.bindings import MINT
from backstop.chain.endpoint import Endpoint
from backstop.chain.keys import ENVIRONMENT
from backstop.errors import RpcError, UnknownOutcomeError
from backstop.transactions.sender import Sender
from scripts.stage.venue import TestMarket, Venue, rpc_url, tokens
from tests.keeper.command import BACKSTOP, Done, assert_refused, backstop_inside, secret_of
from tests.keeper.nodes import error, node, result

from .shell import Shell, nonce

Answer = Callable[[dict[str, Any]], tuple[int, bytes] | None]
DEPOSIT = ("deposit", "5", "--cross", "--send")
STANDS = r"; approve \(0x[0-9a-f]{64}\) was sent and stands\n$"


@pytest.fixture(autouse=True)
def purse(venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount) -> None:
    """Alice has tokens, and has approved nothing."""
    venue.send(alice, venue.system.token, MINT.encode(alice.address, tokens(100)))


def through(change: Answer) -> Any:
    """A node that answers what `change` says, and else what the real one does."""
    real = Endpoint(rpc_url())

    def answer(request: dict[str, Any]) -> tuple[int, bytes]:
        changed = change(request)
        if changed is not None:
            return changed
        try:
            return 200, result(real.request(request["method"], *request["params"]))
        except RpcError as fault:
            return 200, error(str(fault))

    return node(answer)


def at_second_transaction(answer: Answer) -> Answer:
    """Leaves all alone before the second transaction."""
    seen: list[str] = []

    def change(request: dict[str, Any]) -> tuple[int, bytes] | None:
        if request["method"] == "eth_sendRawTransaction":
            seen.append(request["method"])
        return answer(request) if len(seen) == 2 else None

    return change


def sent_hash(venue: Venue) -> str:
    """The transaction of the latest block."""
    return str(venue.endpoint.request("eth_getBlockByNumber", "latest", False)["transactions"][-1])


def run(shell: Shell, url: str, signer: LocalAccount) -> Done:
    """The deposit over a node."""
    return backstop_inside(*DEPOSIT, "--rpc", url, "--deployment", shell.deployment, key=secret_of(signer))


def receipts(body: bytes, status: int = 200) -> Answer:
    """A node that gives no others."""
    return lambda request: (status, body) if request["method"] == "eth_getTransactionReceipt" else None


def lost(request: dict[str, Any]) -> tuple[int, bytes] | None:
    """A node that takes a transaction and whose answer is lost."""
    if request["method"] == "eth_sendRawTransaction":
        Endpoint(rpc_url()).request(request["method"], *request["params"])
        return 502, b"bad gateway"
    return None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (receipts(b"gone", 500), "HTTP status 500"),
        (receipts(error("overloaded")), "overloaded"),
        (receipts(result({"blockNumber": "0x1"})), "with a receipt that cannot be read"),
        (receipts(result("soon")), "with a receipt that cannot be read"),
    ],
    ids=["node dies", "node errs", "half a receipt", "no receipt"],
)
def test_transaction_whose_outcome_is_not_known_is_named(
    fault: Answer, words: str, shell: Shell, venue: Venue, alice: LocalAccount
) -> None:
    before = nonce(venue, alice)
    with through(at_second_transaction(fault)) as url:
        done = run(shell, url, alice)
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    named = f"error: deposit ({sent_hash(venue)}) was sent, outcome unknown: look for it before sending again ("
    assert done.err.startswith(named)
    assert words in done.err
    assert re.search(STANDS, done.err)
    assert nonce(venue, alice) == before + 2


def test_transaction_whose_answer_is_lost_is_found_by_its_hash(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    before = nonce(venue, alice)
    with through(at_second_transaction(lost)) as url:
        done = run(shell, url, alice)
    assert (done.status, done.err) == (0, "")
    assert sent_hash(venue) in done.out
    assert nonce(venue, alice) == before + 2


def test_first_transaction_stands_alone(venue: Venue, alice: LocalAccount) -> None:
    with through(receipts(b"gone", 500)) as url:
        sender = Sender(Endpoint(url), alice, venue.deployment.chain_id)
        with pytest.raises(UnknownOutcomeError, match=r"^0x[0-9a-f]{64} was sent, outcome unknown") as fault:
            sender.send(venue.system.token.address, MINT.encode(alice.address, 1))
        assert sender.under_way == sent_hash(venue)
        assert sender.under_way in str(fault.value)


def test_transaction_that_the_node_refuses_was_not_sent(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    def refuse(request: dict[str, Any]) -> tuple[int, bytes] | None:
        return (200, error("underpriced")) if request["method"] == "eth_sendRawTransaction" else None

    before = nonce(venue, alice)
    with through(refuse) as url:
        assert_refused(run(shell, url, alice), "eth_sendRawTransaction: underpriced")
    assert nonce(venue, alice) == before
    with through(at_second_transaction(refuse)) as url:
        done = run(shell, url, alice)
    assert done.status == 1
    assert done.err.startswith("error: eth_sendRawTransaction: underpriced; approve (0x")
    assert re.search(STANDS, done.err)


# ------------------------------------------------------------------ as a process


def environment(signer: LocalAccount) -> dict[str, str]:
    """With somebody's key."""
    return os.environ | {ENVIRONMENT: secret_of(signer)}


@pytest.fixture
def no_mining(venue: Venue, purse: None) -> Iterator[None]:
    """Blocks are mined by hand."""
    venue.endpoint.request("evm_setAutomine", False)
    yield
    venue.endpoint.request("anvil_dropAllTransactions")
    venue.endpoint.request("evm_setAutomine", True)


def pending(venue: Venue) -> str:
    """The one transaction that waits, once it does."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        waiting = venue.endpoint.request("eth_getBlockByNumber", "pending", False)["transactions"]
        if waiting:
            return str(waiting[0])
        time.sleep(0.02)
    raise AssertionError("nothing was sent")


@pytest.mark.parametrize("second", [False, True], ids=["approve", "deposit"])
def test_ctrl_c_while_waiting_names_what_is_under_way(
    second: bool, shell: Shell, venue: Venue, alice: LocalAccount, no_mining: None
) -> None:
    command = [BACKSTOP, *map(str, shell.line(*DEPOSIT))]
    with subprocess.Popen(
        command, env=environment(alice), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        waiting = pending(venue)
        if second:
            venue.endpoint.request("evm_mine")
            waiting = pending(venue)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    name = "deposit" if second else "approve"
    unknown = f"error: interrupted; {name} ({waiting}) was sent, outcome unknown: look for it before sending again"
    assert err.startswith(unknown)
    assert bool(re.search(STANDS, err)) is second


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["words", "JSON"])
def test_output_that_cannot_be_written_leaves_the_deposit_told(
    form: list[str], shell: Shell, venue: Venue, alice: LocalAccount
) -> None:
    command = [BACKSTOP, *map(str, shell.line(*DEPOSIT)), *form]
    both = r"; approve \(0x[0-9a-f]{64}\), deposit \((0x[0-9a-f]{64})\) were sent and stand\n$"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, env=environment(alice), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    found = re.fullmatch(r"error: No space left on device" + both, done.stderr)
    assert found is not None
    assert found[1] == sent_hash(venue)

    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command, env=environment(alice), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert re.fullmatch(r"error: nobody reads the output" + both, done.stderr)


def closed(*arguments: str | Path, by: LocalAccount) -> Done:
    """A command whose standard output is closed."""
    line = ["bash", "-c", 'exec "$@" >&-', "-", str(BACKSTOP), *map(str, arguments)]
    done = subprocess.run(line, env=environment(by), stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return Done(done.returncode, "", done.stderr)


def test_results_that_go_nowhere_are_a_failure(shell: Shell, alice: LocalAccount) -> None:
    terms = ("--market", "SOL-USD", "--side", "buy", "--contracts", "1", "--price", "50")
    for arguments in (("account", alice.address), ("account", alice.address, "--json"), ("order", "new", *terms)):
        done = closed(*shell.line(*arguments), by=alice)
        assert (done.status, done.err) == (1, "error: standard output is closed\n")
    sent = closed(*shell.line(*DEPOSIT), by=alice)
    assert sent.status == 1
    assert re.fullmatch(r"error: standard output is closed; approve \(.*, deposit \(.* were sent and stand\n", sent.err)
    # What is not printed is not missed.
    file = shell.folder / "bid.json"
    assert closed(*shell.line("order", "new", *terms, "-o", file), by=alice).status == 0
    assert file.is_file()
