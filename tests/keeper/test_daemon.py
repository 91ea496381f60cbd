"""The keeper as an operator leaves it running: settings from a file, a journal, an index, pages and webhooks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.chain.endpoint import Endpoint
from backstop.chain.keys import ENVIRONMENT
from backstop.transactions.journal import Journal, State
from scripts.stage.faulty_proxy import FaultyProxy, Status
from scripts.stage.own_anvil import own_anvil
from scripts.stage.venue import Venue, rpc_url
from tests.telemetry.receivers import receiver

from .command import BACKSTOP, assert_refused, backstop, secret_of
from .sea import PATIENCE, PRICES, Keeper, Sea, told, wait_until


@pytest.fixture
def sea(venue: Venue, tmp_path: Path) -> Sea:
    return Sea(venue, tmp_path)


Start = Callable[..., Keeper]


@pytest.fixture
def start(sea: Sea) -> Iterator[Start]:
    """Starts keepers, and leaves none behind."""
    started: list[Keeper] = []

    def begin(*options: str, url: str | None = "", signer: LocalAccount | None = None, state: str = "state") -> Keeper:
        node = rpc_url() if url == "" else url
        started.append(Keeper(signer or sea.keeper, sea.deployment, node, *options, state=state))
        return started[-1]

    yield begin
    for keeper in started:
        keeper.process.kill()
        keeper.process.wait()


@contextmanager
def by_hand(endpoint: Endpoint) -> Iterator[None]:
    """Blocks are mined when a test says so."""
    endpoint.request("evm_setAutomine", False)
    try:
        yield
    finally:
        endpoint.request("evm_setAutomine", True)


def settings_file(folder: Path, text: str) -> str:
    file = folder / "keeper.toml"
    file.write_text(text)
    return str(file)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def states(folder: Path) -> list[State]:
    journal = Journal(str(folder / "state" / "journal.sqlite"), create=False)
    try:
        return [intent.state for intent in journal.all()]
    finally:
        journal.close()


# ------------------------------------------------------------------ what shows


def test_what_it_does_is_on_its_pages_in_its_log_and_told_to_receivers(sea: Sea, start: Start, tmp_path: Path) -> None:
    port = free_port()
    with receiver() as hook:
        config = settings_file(
            tmp_path,
            f"""
            [metrics]
            listen = "127.0.0.1:{port}"
            [webhooks]
            urls = ["{hook.url}"]
            events = ["round"]
            """,
        )
        keeper = start("--send", "--json", "--config", config)
        assert keeper.word().startswith("watching")
        pages = f"http://127.0.0.1:{port}"
        wait_until(lambda: requests.get(f"{pages}/readyz", timeout=PATIENCE).text == "ok\n")
        sea.set_price(PRICES["ADL"])
        done = [told(keeper.action(), sea)[0] for _ in range(3)]
        assert done == ["takeOver", "takeOver", "deleverage"]
        posted = hook.next()
        counted = requests.get(f"{pages}/metrics", timeout=PATIENCE).text
        assert 'backstop_duties_total{duty="take_over",outcome="sent"} 2.0' in counted
        assert 'backstop_duties_total{duty="adl",outcome="sent"} 1.0' in counted
        assert 'backstop_node_up{node="1"} 1.0' in counted
        assert requests.get(f"{pages}/healthz", timeout=PATIENCE).text == "ok\n"
        assert keeper.end() == 0
    assert (posted["event"], posted["data"]["market"], posted["data"]["fills"]) == ("round", "SEA-USD", 1)
    logged = [one for one in keeper.log if one["event"] == "sent"]
    assert [one["duty"] for one in logged] == ["take_over", "take_over", "adl"]
    assert all(one["tx"].startswith("0x") and one["block"] for one in logged)
    assert states(tmp_path) == [State.MINED] * 3
    assert (tmp_path / "state" / "index.sqlite").is_file()


# ------------------------------------------------------------------ its journal


def test_killed_while_a_transaction_waits_the_next_process_ends_it_with_one_effect(
    sea: Sea, start: Start, tmp_path: Path
) -> None:
    chain = sea.venue.endpoint
    sea.set_price(PRICES["first takeover"])
    nonce = chain.quantity("eth_getTransactionCount", sea.keeper.address, "latest")
    with by_hand(chain):
        first = start("--send", "--json")
        wait_until(lambda: chain.quantity("eth_getBlockTransactionCountByNumber", "pending") == 1)
        first.process.kill()
        first.process.wait()
        assert "first" in sea.sizes()
        second = start("--send", "--json")
        assert second.word().startswith("watching")
        chain.request("evm_mine")
        wait_until(lambda: states(tmp_path) == [State.MINED])
        assert second.end() == 0
    assert "first" not in sea.sizes()
    assert chain.quantity("eth_getTransactionCount", sea.keeper.address, "latest") == nonce + 1


def test_a_second_process_with_its_key_and_journal_is_told_so(sea: Sea, start: Start) -> None:
    assert start("--send").word().startswith("watching")
    second = start("--send")
    assert second.process.wait(PATIENCE) == 2
    assert second.word().startswith(f"error: another keeper runs with the key of {sea.keeper.address} and the journal ")
    # A dry run sends nothing, and may look on.
    third = start()
    assert third.word().startswith("watching")
    assert third.end() == 0


# ------------------------------------------------------------------ several keepers


def test_whose_lock_is_lost_to_another_process_ends_at_the_next_block(sea: Sea, start: Start, tmp_path: Path) -> None:
    first = start("--send")
    assert first.word().startswith("watching")
    (lock,) = tmp_path.rglob("*.lock")
    lock.unlink()
    second = start("--send")
    assert second.word().startswith("watching")
    sea.venue.endpoint.request("evm_mine")
    assert first.process.wait(PATIENCE) == 2
    assert first.word().startswith(f"error: another keeper runs with the key of {sea.keeper.address} and the journal ")
    assert second.end() == 0


@pytest.mark.parametrize("state", ["state", "twin"])
def test_two_keepers_on_one_deployment_have_one_effect(sea: Sea, start: Start, state: str) -> None:
    """Each with a journal of its own, or both with one."""
    twin = sea.venue.trader("sea twin")
    sea.venue.post_bond(twin)
    keepers = [start("--send", "--json"), start("--send", "--json", signer=twin, state=state)]
    for keeper in keepers:
        assert keeper.word().startswith("watching")
    sea.set_price(PRICES["ADL"])
    wait_until(lambda: set(sea.sizes()) == {"bear"} or sea.sizes() == {})
    for keeper in keepers:
        assert keeper.end() == 0
    rounds = [one for keeper in keepers for one in keeper.log if one["event"] == "sent" and one["duty"] == "adl"]
    taken = [one for keeper in keepers for one in keeper.log if one["event"] == "sent" and one["duty"] == "take_over"]
    assert (len(rounds), len(taken)) == (1, 2)
    failed = [one for keeper in keepers for one in keeper.log if one["event"] == "failed"]
    assert len(failed) <= 3  # at most one revert for each of the three that were done


# ------------------------------------------------------------------ faults of nodes


def test_a_node_that_fails_is_no_reason_to_stop(sea: Sea, start: Start, tmp_path: Path) -> None:
    with FaultyProxy(rpc_url()) as dead:
        config = settings_file(tmp_path, f'[node]\nurls = ["{dead.url}", "{rpc_url()}"]\nquorum = 1\ntimeout = 2')
        keeper = start("--send", "--json", "--config", config, url=None)
        assert keeper.word().startswith("watching")
        sea.set_price(Decimal(99))
        wait_until(lambda: dead.count("eth_chainId") > 0)
        dead.inject("*", Status(503))
        sea.set_price(PRICES["first takeover"])
        assert told(keeper.action(), sea) == ("takeOver", "first")
        assert keeper.end() == 0
    assert any(one["event"] == "node failed" and one["node"] == 1 for one in keeper.log)


def test_a_node_that_tells_of_blocks_need_not_be_asked(sea: Sea, start: Start, tmp_path: Path) -> None:
    websocket = rpc_url().replace("http://", "ws://")
    config = settings_file(tmp_path, f'[node]\nws_url = "{websocket}"')
    keeper = start("--send", "--json", "--config", config, "--poll", "600")  # longer than any test waits
    assert keeper.word().startswith("watching")
    sea.set_price(PRICES["first takeover"])
    assert told(keeper.action(), sea) == ("takeOver", "first")
    assert keeper.end() == 0


def test_transactions_go_to_the_private_endpoint_alone(sea: Sea, start: Start, tmp_path: Path) -> None:
    with FaultyProxy(rpc_url()) as public, FaultyProxy(rpc_url()) as private:
        config = settings_file(tmp_path, f'[node]\nurls = ["{public.url}"]\nsend_url = "{private.url}"')
        keeper = start("--send", "--json", "--config", config, url=None)
        assert keeper.word().startswith("watching")
        sea.set_price(PRICES["ADL"])
        assert [told(keeper.action(), sea)[0] for _ in range(3)] == ["takeOver", "takeOver", "deleverage"]
        assert keeper.end() == 0
        sent = "eth_sendRawTransaction"
        assert (public.count(sent), private.count(sent)) == (0, 3)


# ------------------------------------------------------------------ wrong configuration


def test_wrong_urls_are_refused_in_a_line(sea: Sea) -> None:
    for url in ("ftp://a.test", "http://", "127.0.0.1:8545"):
        done = backstop("run", "--rpc", url, "--deployment", sea.deployment)
        assert done.status == 2
        assert done.err.count("\n") == 1
        assert "node.urls" in done.err


def run_wrong(sea: Sea, *options: str, key: LocalAccount | None = None, **environment: str) -> tuple[int, list[str]]:
    """Status, and what the log says but for what is told of blocks."""
    command = [str(BACKSTOP), "run", "--send", "--rpc", rpc_url(), "--deployment", str(sea.deployment), *options]
    own = {"BACKSTOP_STATE_DIR": str(sea.deployment.parent / "state")}
    if key is not None:
        own[ENVIRONMENT] = secret_of(key)
    done = subprocess.run(
        command, env=os.environ | own | environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("{")]


def test_a_key_without_a_bond_is_told_what_to_do(sea: Sea, tmp_path: Path) -> None:
    poor = sea.venue.trader("sea poor")
    status, lines = run_wrong(sea, key=poor)
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith(f"error: {poor.address} has no bond, and every round needs one: `backstop bond post")


@pytest.mark.parametrize("url", ["sqlite://", ":memory:"])
def test_a_journal_in_memory_is_refused_by_what_is_left_running(url: str, sea: Sea) -> None:
    status, lines = run_wrong(sea, "--journal", url, key=sea.keeper)
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("error: journal.url: a journal in memory is gone with the process")
    # What ends by itself may have one.
    assert run_wrong(sea, "--once", "--journal", url, key=sea.keeper) == (0, [])


def test_a_market_that_there_is_not_is_told(sea: Sea, tmp_path: Path) -> None:
    config = settings_file(tmp_path, '[duties.liquidate]\nup_to = "5"\nmarkets = ["SEE-USD"]')
    status, lines = run_wrong(sea, "--config", config, key=sea.keeper)
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("error: duties.liquidate.markets: unknown market 'SEE-USD': the exchange has ")


def test_a_wrong_passphrase_is_told(sea: Sea, tmp_path: Path) -> None:
    keystore, passphrase = tmp_path / "key.json", tmp_path / "pass"
    keystore.write_text(json.dumps(Account.encrypt(sea.keeper.key, "right", iterations=2)))
    passphrase.write_text("wrong")
    status, lines = run_wrong(sea, "--keystore", str(keystore), "--passphrase-file", str(passphrase))
    assert (status, lines) == (2, [f"error: {keystore} does not open with the passphrase in {passphrase}"])


def test_another_chain_is_told(sea: Sea) -> None:
    with own_anvil("--chain-id", "5") as url:
        command = ["run", "--send", "--rpc", url, "--deployment", sea.deployment]
        done = backstop(*command, key=secret_of(sea.keeper))
    assert done.status == 2
    assert done.err.splitlines()[-1] == f"error: {url} serves chain 5, the deployment is on chain 31337"


def test_a_state_folder_that_cannot_be_made_is_told(sea: Sea, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, lines = run_wrong(sea, key=sea.keeper, BACKSTOP_STATE_DIR=str(tmp_path / "file" / "state"))
    assert status == 2
    folder = tmp_path / "file" / "state"
    assert lines == [
        f"error: cannot make the state folder {folder}: Not a directory; set state_dir to one that can be made"
    ]


def test_orders_are_needed_to_trade_out(sea: Sea, tmp_path: Path) -> None:
    config = settings_file(tmp_path, "[duties.unwind]\nenabled = true")
    assert_refused(backstop("run", "--config", config, key=secret_of(sea.keeper)), "duties.unwind", "orders is not set")
