"""`backstop check` on an Anvil: what is well, and each thing that can be wrong, with the way out."""

from __future__ import annotations

import json
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy import create_engine, text

from backstop.adl.snapshot import Block
from backstop.chain.code_hashes import hashes_now, recorded_hashes
from backstop.chain.deployment import ADDRESSES, Deployment
from backstop.errors import DeploymentError
from backstop.preflight.findings import Status
from backstop.preflight.local import look_at_store
from backstop.preflight.nodes import Seen, look_at_clock, look_at_heights
from backstop.settings.units import Store
from scripts.stage.venue import BOND, TestMarket, Venue, rpc_url
from tests.keeper.command import backstop, backstop_inside, secret_of
from tests.keeper.nodes import node, result

ETHER = 10**18


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system with one market."""
    return Venue.open(owner)


@pytest.fixture(scope="module")
def funded(venue: Venue) -> TestMarket:
    """Its market, with 10,000 in the pool."""
    market = venue.list_market("ETH-USD", "eth", 100)
    venue.contribute(venue.trader("donor"), market, 10_000)
    return market


@pytest.fixture
def operator(venue: Venue, funded: TestMarket) -> LocalAccount:
    """A key with gas money and no bond."""
    return venue.trader("operator")


@pytest.fixture
def deployment_file(venue: Venue, tmp_path: Path) -> Path:
    """Where the contracts are."""
    file = tmp_path / "deployment.json"
    venue.deployment.save(file)
    return file


Check = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def check(deployment_file: Path, tmp_path: Path, operator: LocalAccount, monkeypatch: pytest.MonkeyPatch) -> Check:
    """What is found, by name; the settings are those of a file, and the status says whether anything fails."""
    monkeypatch.chdir(tmp_path)

    def run(more: str = "", *options: str | Path, key: str | None = secret_of(operator)) -> dict[str, dict[str, Any]]:
        file = tmp_path / "keeper.toml"
        file.write_text(f'deployment = "{deployment_file}"\n{more or nodes(rpc_url())}')
        done = backstop_inside("check", "--config", file, "--json", *options, key=key)
        found = {finding["name"]: finding for finding in done.document}
        assert done.err == ""
        assert done.status == int(any(one["status"] == "fail" for one in found.values()))
        assert all(one["advice"] for one in found.values() if one["status"] in ("warn", "fail"))
        return found

    return run


def nodes(*urls: str, more: str = "") -> str:
    """The table of nodes."""
    return f"[node]\nurls = {json.dumps(list(urls))}\n{more}\n"


def statuses(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What became of each check."""
    return {name: one["status"] for name, one in found.items()}


def test_all_is_well(check: Check, venue: Venue, operator: LocalAccount, tmp_path: Path) -> None:
    venue.post_bond(operator)
    venue.endpoint.request("evm_setNextBlockTimestamp", hex(max(int(time.time()), _head_time(venue) + 1)))
    venue.endpoint.request("evm_mine")
    found = check(f'{nodes(rpc_url())}stale_after = 3600\n[metrics]\nlisten = "127.0.0.1:{_free_port()}"\n')
    clock = found.pop("clock")
    assert clock["status"] in ("ok", "warn")  # Anvil's time is what other tests have made it
    assert statuses(found) == {
        "deployment": "ok",
        "node 1": "ok",
        "quorum": "ok",
        "code": "ok",
        "code hashes": "skip",
        "wiring": "ok",
        "key": "ok",
        "balance": "ok",
        "bond": "ok",
        "journal": "ok",
        "index": "ok",
        "metrics": "ok",
    }
    assert found["key"]["found"] == operator.address
    assert not list(tmp_path.glob("*.sqlite"))


def _head_time(venue: Venue) -> int:
    return int(venue.endpoint.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_in_words_and_as_a_process(deployment_file: Path) -> None:
    done = backstop("check", "--rpc", rpc_url(), "--deployment", deployment_file)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"ok    deployment    {deployment_file}, chain 31337"
    assert "skip  key           none: only a dry run is possible" in lines
    assert "skip  bond          the address of the key is not known here" in lines


# ------------------------------------------------------------------ nodes


def test_a_node_that_is_dead_and_one_of_another_chain(check: Check) -> None:
    with node(lambda request: (200, result("0x1" if request["method"] == "eth_chainId" else HEADER))) as other:
        found = check(nodes(rpc_url(), "http://user:hunter2@127.0.0.1:9/KEY", other))
    assert found["node 1"]["status"] == "ok"
    assert found["node 2"]["found"].startswith("no answer from http://127.0.0.1:9 ")
    assert "serves chain 1, the deployment is on chain 31337" in found["node 3"]["found"]
    assert found["quorum"] == {
        "name": "quorum",
        "status": "fail",
        "found": "1 of 3 nodes answer, 2 have to agree",
        "advice": "nothing is sent until they do: mend the nodes above",
    }
    assert "hunter2" not in json.dumps(found)
    assert "KEY" not in json.dumps(found)
    # The rest is judged by the one that answers.
    assert found["wiring"]["status"] == "ok"


HEADER = {"number": "0x1", "hash": "0x" + "00" * 32, "parentHash": "0x" + "00" * 32, "timestamp": "0x1"}


def test_no_node_at_all(check: Check) -> None:
    found = check(nodes("http://127.0.0.1:9"))
    assert found["quorum"]["status"] == "fail"
    assert found["balance"]["found"] == found["bond"]["found"] == "no node answers"
    assert "wiring" not in found


@pytest.mark.parametrize(("behind", "status"), [(3, Status.OK), (4, Status.WARN)])
def test_a_node_that_lags(behind: int, status: Status, venue: Venue) -> None:
    seen = [Seen(number, venue.endpoint, Block(1, height, "", 0)) for number, height in ((1, 100), (2, 100 - behind))]
    (finding,) = look_at_heights(seen, most_lag=3)
    assert finding.status is status
    if status is Status.WARN:
        assert finding.found == "node 2 is 4 blocks behind"


@pytest.mark.parametrize(
    ("now", "status", "words"),
    [
        (1060, Status.OK, "60 s after"),
        (1061, Status.WARN, "61 s old"),
        (940, Status.OK, "60 s before"),
        (939, Status.WARN, "61 s ahead"),
    ],
)
def test_the_clock(now: int, status: Status, words: str) -> None:
    finding = look_at_clock(Block(1, 5, "", 1000), now, stale_after=60)
    assert finding.status is status
    assert words in finding.found


# ------------------------------------------------------------------ contracts


def test_code_on_record(check: Check, venue: Venue, deployment_file: Path) -> None:
    document = json.loads(deployment_file.read_text())
    document["code_hashes"] = hashes_now(venue.endpoint, venue.deployment)
    deployment_file.write_text(json.dumps(document))
    assert Deployment.load(deployment_file) == venue.deployment
    assert check()["code hashes"]["found"] == f"{len(ADDRESSES)} as recorded"
    venue.endpoint.request("anvil_setCode", venue.deployment.lens, "0x00")
    found = check()
    assert found["code hashes"]["status"] == "fail"
    assert found["code hashes"]["found"] == "lens: not the code on record"
    assert found["wiring"]["status"] == "fail"


def test_no_code_at_an_address(check: Check, venue: Venue) -> None:
    venue.endpoint.request("anvil_setCode", venue.deployment.pool_module, "0x")
    assert check()["code"]["found"] == "no contract at the address of pool_module"


@pytest.mark.parametrize("record", [[], {"zebra": "0x" + "00" * 32}, {"lens": "0x00"}, {"lens": 3}])
def test_a_record_that_is_none(record: Any, tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text(json.dumps({"code_hashes": record}))
    with pytest.raises(DeploymentError, match="code_hashes"):
        recorded_hashes(file)


def test_wired_to_others(check: Check, venue: Venue, deployment_file: Path) -> None:
    document = json.loads(deployment_file.read_text())
    deployment_file.write_text(json.dumps({**document, "engine": document["fund"]}))
    found = check()
    assert found["wiring"]["status"] == "fail"
    assert "is wired to" in found["wiring"]["found"]


def test_no_deployment_file(check: Check, deployment_file: Path) -> None:
    deployment_file.unlink()
    found = check()
    assert found["deployment"]["status"] == "fail"
    assert found["key"]["status"] == "ok"


# ------------------------------------------------------------------ the keeper


def test_a_passphrase_that_is_wrong_or_for_all_to_read(check: Check, tmp_path: Path) -> None:
    keystore, file = tmp_path / "k.json", tmp_path / "pass"
    signer = Account.create()
    keystore.write_text(json.dumps(Account.encrypt(signer.key, "right", kdf="pbkdf2", iterations=2)))
    file.write_text("wrong")
    settings = f'{nodes(rpc_url())}[key]\nkeystore = "{keystore}"\npassphrase_file = "{file}"\n'
    found = check(settings)
    assert "does not open" in found["key"]["found"]
    assert found["balance"]["status"] == "skip"
    file.write_text("right")
    file.chmod(0o640)
    key = check(settings)["key"]
    assert key["status"] == "warn"
    assert key["found"].startswith(signer.address)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    file.chmod(0o600)
    assert check(settings)["key"]["status"] == "ok"


def test_an_external_signer(check: Check, operator: LocalAccount) -> None:
    def settings(url: str, *more: str) -> str:
        return "\n".join([nodes(rpc_url()), "[key]", f'signer = "{url}"', *more, ""])

    other = Account.create().address
    for accounts, more, words in (
        ([operator.address], [], operator.address),
        ([other, operator.address], [f'address = "{operator.address}"'], operator.address),
        ([other, operator.address], [], "has 2 accounts"),
        ([other], [f'address = "{operator.address}"'], f"does not sign for {operator.address}"),
        ({"no": "list"}, [], "has 0 accounts"),
    ):
        with node(lambda _, known=accounts: (200, result(known))) as url:  # type: ignore[misc]
            found = check(settings(url, *more), key=None)
        assert words in found["key"]["found"]
        is_known = words == operator.address
        assert found["key"]["status"] == ("ok" if is_known else "fail")
        assert (found["balance"]["status"] != "skip") is is_known
    assert "no answer from" in check(settings("http://127.0.0.1:9"), key=None)["key"]["found"]


@pytest.mark.parametrize(
    ("balance", "status", "words"),
    [
        (ETHER, "ok", "a day's budget is 1 ether"),
        (ETHER - 1, "warn", "less than a day's budget"),
        (ETHER // 20, "warn", "has 0.05 ether"),
        (ETHER // 20 - 1, "fail", "less than fees.low_balance"),
        (0, "fail", "has 0 gwei"),
    ],
)
def test_the_balance(balance: int, status: str, words: str, check: Check, venue: Venue, operator: LocalAccount) -> None:
    venue.endpoint.request("anvil_setBalance", operator.address, hex(balance))
    found = check()["balance"]
    assert found["status"] == status
    assert words in found["found"]


def test_the_bond(check: Check, venue: Venue, operator: LocalAccount) -> None:
    found = check()["bond"]
    assert found["status"] == "fail"
    assert found["advice"].startswith("backstop bond post ")
    # 10,000 in the pool, brought down to 25 %: 7,500 would be asked of counterparties, and twice that of the bond.
    venue.post_bond(operator, 14_999)
    found = check()["bond"]
    assert found["status"] == "warn"
    assert found["found"] == "14999 free for rounds, a round of eth may need 15000"
    assert found["advice"] == "backstop bond post 1 --send"
    venue.post_bond(operator, 1)
    assert check()["bond"]["status"] == "ok"
    assert check(f"{nodes(rpc_url())}[duties.adl]\nenabled = false\n")["bond"]["status"] == "skip"
    assert BOND > 15_000


# ------------------------------------------------------------------ this machine


def test_a_port_that_is_taken(check: Check) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = f"127.0.0.1:{listener.getsockname()[1]}"
        found = check(f'{nodes(rpc_url())}[metrics]\nlisten = "{taken}"\n')["metrics"]
    assert found["status"] == "fail"
    assert found["found"] == f"{taken}: Address already in use"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with a table and a version."""
    file = tmp_path / "j.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER)"))
        connection.execute(text("PRAGMA user_version = 7"))
    engine.dispose()
    return file


def test_a_file_of_sqlite(database: Path) -> None:
    before = database.read_bytes()
    assert look_at_store("journal", Store(str(database)), ()).status is Status.OK
    assert database.read_bytes() == before
    missing = look_at_store("journal", Store(f"sqlite:///{database.parent}/no/j.sqlite"), ())
    assert missing.status is Status.FAIL
    database.write_text(
        "no database, but a text that is longer than the header of one would be, which it has to be" * 9
    )
    found = look_at_store("journal", Store(str(database)), ())
    assert found.status is Status.FAIL
    assert "not a database" in found.found


@pytest.mark.parametrize(
    ("url", "is_in_memory"),
    [
        ("sqlite://", True),
        ("sqlite:///", True),
        (":memory:", True),
        ("sqlite+pysqlite:///:memory:", True),
        ("sqlite:///file:j?mode=memory&uri=true", True),
        ("sqlite:////var/lib/j.sqlite", False),
        ("memory", False),
        ("postgresql://host/memory", False),
    ],
)
def test_a_journal_in_memory_is_none(url: str, is_in_memory: bool) -> None:
    assert Store(url).is_in_memory is is_in_memory
    if is_in_memory:
        found = look_at_store("journal", Store(url), ())
        assert (found.status, found.found.partition(":")[0]) == (Status.FAIL, "in memory")
        assert look_at_store("index", Store(url), ()).status is Status.OK


def test_a_file_that_somebody_else_writes(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backstop.preflight.local._PATIENCE", 0)
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        found = look_at_store("journal", Store(str(database)), ())
    engine.dispose()
    assert found.status is Status.FAIL
    assert "locked" in found.found


def test_a_server_for_real() -> None:
    postgres = pytest.importorskip("tests.support.postgres")
    with postgres.server() as folder:
        for user, status in (("backstop", Status.OK), ("stranger", Status.FAIL)):
            url = f"postgresql+psycopg://{user}@/postgres?host={folder}"
            assert look_at_store("journal", Store(url), ()).status is status
            # Nothing is left of it: a second look is like the first.
            assert look_at_store("journal", Store(url), ()).status is status


def test_a_server_that_does_not_answer() -> None:
    found = look_at_store("index", Store("postgresql+psycopg://keeper:hunter2@127.0.0.1:9/n"), ["hunter2"])
    assert found.status is Status.FAIL
    assert "postgresql+psycopg://127.0.0.1:9/" in found.found
    assert "hunter2" not in found.found
