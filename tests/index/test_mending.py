"""An index that is wrong is found out and mended; one that cannot be read or written stops nothing that is right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from ape import chain

from backstop.chain.endpoint import Endpoint
from backstop.chain.nodes import Nodes
from backstop.chain.snapshot import ChainState, read_chain
from backstop.errors import RpcError, StoreError
from backstop.index import reading, trail
from backstop.index.accounts import AccountIndex
from scripts.stage.faulty_proxy import FaultyProxy, HalfBatch, HangUp, Refuse, Stale, Status, after, only
from scripts.stage.venue import rpc_url
from tests.index.world import World


class Watched(Endpoint):
    """An endpoint that notes its calls: at which contract, with how many bytes."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.logs: list[dict[str, Any]] = []
        self.methods: list[str] = []

    def request(self, method: str, *params: Any) -> Any:
        self._note(method, params)
        return super().request(method, *params)

    def _post(self, asked: Any) -> list[Any]:
        for method, params in asked:
            self._note(method, params)
        return super()._post(asked)

    def _note(self, method: str, params: Any) -> None:
        self.methods.append(method)
        if method == "eth_getLogs":
            self.logs.append(params[0])


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def index(world: World, sqlite_url: str, told: list[str]) -> Iterator[AccountIndex]:
    """An index that knows the present block, and looks at every account each time."""
    index = AccountIndex(sqlite_url, world.venue.deployment, tell=told.append, sample=1000)
    index.read(world.venue.endpoint)
    yield index
    index.close()


def truth(world: World) -> ChainState:
    return read_chain(world.venue.endpoint, world.venue.deployment)


def reopened(index: AccountIndex, world: World, url: str, told: list[str], sample: int = 1000) -> AccountIndex:
    index.close()
    return AccountIndex(url, world.venue.deployment, tell=told.append, sample=sample)


# ---------------------------------------------------------------------- what it asks for


def test_nothing_is_read_of_accounts_that_nobody_touched(
    index: AccountIndex, world: World, sqlite_url: str, told: list[str]
) -> None:
    index = reopened(index, world, sqlite_url, told, sample=0)
    chain.mine(1)
    node = Watched(rpc_url())
    node.check(world.venue.deployment)
    node.methods.clear()
    state = index.read(node)
    assert state == truth(world)
    # The head, the system, the rules of rounds, the events of its one block; and what `check` asks each time.
    asked = [method for method in node.methods if method not in ("eth_chainId", "eth_getCode")]
    assert asked == ["eth_getBlockByNumber", "eth_call", "eth_call", "eth_getLogs"]
    assert [query["blockHash"] for query in node.logs] == [state.block.hash]


def test_only_who_was_touched_is_read(index: AccountIndex, world: World, sqlite_url: str, told: list[str]) -> None:
    index = reopened(index, world, sqlite_url, told, sample=0)
    world.venue.deposit(world.traders[0], world.markets[0], 7)
    node = Watched(rpc_url())
    assert index.read(node) == truth(world)
    assert (
        node.methods.count("eth_call") == 2 + 1 + 5
    )  # the system, the rules, a position, and the wiring of the first check


def test_a_state_that_is_known_is_read_without_events(index: AccountIndex, world: World) -> None:
    node = Watched(rpc_url())
    assert index.read(node) == truth(world)
    assert node.logs == []


def test_many_blocks_at_once(
    index: AccountIndex, world: World, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older events by ranges, which are split for a node that gives few blocks; the recent ones by hash."""
    chain.mine(30)
    world.venue.deposit(world.traders[0], world.markets[0], 7)
    chain.mine(trail.RECENT + 30)
    node = Watched(rpc_url())
    assert index.read(node) == truth(world)
    assert sum("blockHash" in query for query in node.logs) == trail.RECENT + 1
    chain.mine(60)
    world.venue.deposit(world.traders[1], world.markets[0], 7)
    with FaultyProxy(rpc_url()) as proxy:
        proxy.inject("eth_getLogs", Refuse("too many blocks"), only(1, 2))
        assert index.read(Endpoint(proxy.url)) == truth(world)
    assert told == []


def test_too_long_a_way_is_not_gone(
    index: AccountIndex, world: World, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CATCH_UP", 20)
    world.venue.deposit(world.traders[0], world.markets[0], 7)
    chain.mine(30)
    node = Watched(rpc_url())
    assert index.read(node) == truth(world)
    assert node.logs == []
    assert told == []


def test_a_new_index_of_an_old_deployment_reads_all(
    world: World, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CATCH_UP", 20)
    node = Watched(rpc_url())
    index = AccountIndex(sqlite_url, world.venue.deployment)
    assert index.read(node) == truth(world)
    assert node.logs == []
    index.close()


@pytest.mark.parametrize("depth", [1, trail.RECENT, trail.RECENT + 5, 40])
def test_reorganisations_of_any_depth(depth: int, index: AccountIndex, world: World, told: list[str]) -> None:
    """Accounts that came with the blocks that are gone are gone, and values from there are read again."""
    node = world.venue.endpoint
    chain.mine(3)
    index.read(node)
    before = node.request("evm_snapshot")
    for _ in range(2):  # an index that knows both some blocks and all blocks of what goes
        chain.mine(depth // 2)
        newcomer = world.venue.trader(f"newcomer {depth}")
        world.venue.deposit(newcomer, world.markets[0], 5)
        world.venue.deposit(world.traders[0], world.markets[0], 7)
        assert index.read(node) == truth(world)
    node.request("evm_revert", before)
    world.venue.deposit(world.traders[1], world.markets[0], 9)
    assert index.read(node) == truth(world)
    chain.mine(2 * depth)
    assert index.read(node) == truth(world)
    assert told == []


def test_a_reorganisation_beyond_what_is_kept(
    index: AccountIndex, world: World, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "KEPT", 4)
    node = world.venue.endpoint
    before = node.request("evm_snapshot")
    chain.mine(20)
    world.venue.deposit(world.venue.trader("newcomer"), world.markets[0], 5)
    assert index.read(node) == truth(world)
    node.request("evm_revert", before)
    world.venue.deposit(world.traders[1], world.markets[0], 9)
    assert index.read(node) == truth(world)
    assert told == []


# ---------------------------------------------------------------------- what is wrong in it

SPOILED = [
    ("update index_positions set margin = '1' where margin <> '0'", "holds something else"),
    ("update index_positions set size = '5', entry_notional = '1'", "holds something else"),
    ("update index_cross set margin = '1'", "has another margin"),
    ("delete from index_positions where place = 0", "accounts of ETH-USD are known"),
    ("delete from index_cross where place = 0", "cross accounts are known"),
    ("update index_positions set place = -place", "is another"),
]


@pytest.mark.parametrize(("statement", "words"), SPOILED, ids=[statement for statement, _ in SPOILED])
def test_what_is_wrong_is_found_and_mended(
    statement: str, words: str, index: AccountIndex, world: World, sqlite_url: str, told: list[str]
) -> None:
    index.close()
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount > 0
    engine.dispose()
    index = reopened(index, world, sqlite_url, told)
    assert index.read(world.venue.endpoint) == truth(world)
    [line] = told
    assert "differs from block" in line
    assert words in line
    index = reopened(index, world, sqlite_url, told)  # it is mended for good
    assert index.read(world.venue.endpoint) == truth(world)
    assert len(told) == 1
    index.close()


# ---------------------------------------------------------------------- nodes that fail

FAULTS = [Status(429), HangUp(), HalfBatch(), Refuse("header not found")]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_read_that_fails_changes_nothing(fault: Any, index: AccountIndex, world: World, told: list[str]) -> None:
    """Cut off after each of its requests in turn: an error, or the truth, and the next read is right."""
    world.venue.deposit(world.venue.trader("one more"), world.markets[0], 5)
    chain.mine(2)
    failed = 0
    with FaultyProxy(rpc_url()) as proxy:
        for count in range(14):
            proxy.clear()
            proxy.inject("*", fault, after(count))
            try:
                assert index.read(Endpoint(proxy.url)) == truth(world)
            except RpcError:
                failed += 1
    assert failed > 0
    assert index.read(world.venue.endpoint) == truth(world)
    assert told == []


def test_a_node_that_is_behind_the_index(index: AccountIndex, world: World, told: list[str]) -> None:
    """The state is that of the older block, and the way back to the newer one is found."""
    node, deployment = world.venue.endpoint, world.venue.deployment
    for trader in world.traders[:3]:
        world.venue.deposit(trader, world.markets[0], 5)
        index.read(node)
    with FaultyProxy(rpc_url()) as proxy:
        proxy.inject("*", Stale(4))
        state = index.read(Endpoint(proxy.url))
    assert state == read_chain(node, deployment, state.block.number)
    assert state.block.number == node.head().number - 4
    assert index.read(node) == truth(world)
    assert told == []


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_several_nodes_of_which_each_fails_at_times(
    fault: Any, index: AccountIndex, world: World, told: list[str]
) -> None:
    draws = Random(1)
    read = 0
    with ExitStack() as stack:
        proxies = [stack.enter_context(FaultyProxy(rpc_url())) for _ in range(3)]
        nodes = Nodes([proxy.url for proxy in proxies], timeout=60.0, probe_timeout=60.0, clock=lambda: 0.0)
        nodes.check(world.venue.deployment)
        for proxy in proxies:
            proxy.inject("*", fault, lambda _: draws.random() < 0.2)
        for number in range(12):
            world.venue.deposit(world.traders[number % 6], world.markets[number % 3], 5)
            with suppress(RpcError):
                assert index.read(nodes) == truth(world)
                read += 1
        nodes.close()
    assert read > 3
    assert index.read(world.venue.endpoint) == truth(world)
    assert told == []


# ---------------------------------------------------------------------- databases


def test_two_keepers_of_one_database(world: World, url: str, told: list[str]) -> None:
    """Each reads at its own pace, and what they write fits together."""
    node = world.venue.endpoint
    here, there = (AccountIndex(url, world.venue.deployment, tell=told.append) for _ in range(2))
    for number in range(6):
        world.venue.deposit(world.traders[number], world.markets[number % 3], 5)
        for keeper in (here, there)[: 1 + number % 2]:
            assert keeper.read(node) == truth(world)
        other = AccountIndex(url, world.venue.deployment, tell=told.append, sample=1000)
        assert other.read(node) == truth(world)
        other.close()
    assert there.read(node) == here.read(node) == truth(world)
    assert told == []
    here.close()
    there.close()


def test_two_deployments_in_one_database(world: World, url: str, told: list[str]) -> None:
    node, deployment = world.venue.endpoint, world.venue.deployment
    index = AccountIndex(url, deployment, tell=told.append)
    index.read(node)
    stranger = AccountIndex(url, replace(deployment, chain_id=1), tell=told.append)
    assert stranger._book is None
    index.close()
    stranger.close()


def test_a_database_that_fails_later_is_told_of(
    index: AccountIndex, world: World, sqlite_url: str, told: list[str]
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(sa.text("drop table index_blocks"))
    for number in range(2):
        world.venue.deposit(world.traders[number], world.markets[0], 5)
        assert index.read(world.venue.endpoint) == truth(world)
    assert len(told) == 2
    assert all("cannot be written: no such table: index_blocks" in line for line in told)
    engine.dispose()
    file.unlink()
    index = reopened(index, world, sqlite_url, told)
    assert index.read(world.venue.endpoint) == truth(world)
    index.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "the URL of the index cannot be read"),
        ("oracle://host/name", "by sqlite or postgresql"),
        ("nosuch://host/name", "by sqlite or postgresql"),
        ("sqlite:////proc/nothing/index.db", "cannot be opened"),
        ("postgresql+psycopg://keeper:secret@127.0.0.1:1/none", "cannot be opened"),
    ],
)
def test_databases_that_cannot_be_used(url: str, words: str, world: World) -> None:
    with pytest.raises(StoreError, match=words) as fault:
        AccountIndex(url, world.venue.deployment)
    assert "secret" not in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_file_that_is_no_database(world: World, tmp_path: Path) -> None:
    (tmp_path / "index.db").write_text("something else, and long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        AccountIndex(f"sqlite:///{tmp_path}/index.db", world.venue.deployment)


# ---------------------------------------------------------------------- a node that leaves events out


class Silent(Endpoint):
    """A node that has no events to tell."""

    lies = False

    def request(self, method: str, *params: Any) -> Any:
        return [] if self.lies and method == "eth_getLogs" else super().request(method, *params)

    def batch(self, asked: Any, size: int = 500) -> list[Any]:
        silent = self.lies and asked and asked[0][0] == "eth_getLogs"
        return [[] for _ in asked] if silent else super().batch(asked, size)


def test_events_that_are_left_out_are_a_fault_of_the_node(
    index: AccountIndex, world: World, sqlite_url: str, told: list[str]
) -> None:
    """By the header's filter: no state is given that lacks what they have changed."""
    index = reopened(index, world, sqlite_url, told, sample=0)
    node = Silent(rpc_url())
    chain.mine(1)
    node.lies = True
    assert index.read(node) == truth(world)  # nothing has happened, and nothing is said
    world.venue.deposit(world.traders[0], world.markets[0], 7)
    for mined in (0, 1):  # in the newest block, and in one before it
        chain.mine(mined) if mined else None
        with pytest.raises(RpcError, match="leaves out events of block 0x"):
            index.read(node)
    node.lies = False
    assert index.read(node) == truth(world)
    assert told == []
    index.close()


@pytest.mark.parametrize("count", [1, 7, 8, 100])
def test_in_time_each_account_is_looked_at(count: int) -> None:
    class Never(Random):
        def sample(self, population: Any, k: int, **_: Any) -> list[Any]:
            return list(population)[:k]

    looked: set[int] = set()
    for turn in range(-(-count // 8)):
        looked |= set(reading._chosen(count, Never(), 8, turn))
    assert looked == set(range(count))
    assert reading._chosen(0, Random(1), 8, 3) == []


def test_each_account_is_as_likely_as_any_other_in_a_sample() -> None:
    """Also those of a large market beside many small ones."""
    draws, times = Random(1), 4000
    seen = [0] * 40
    for _ in range(times):
        for number in reading._chosen(40, draws, 4, 0):
            seen[number] += 1
    assert all(abs(count - times / 10) < times / 40 for count in seen[4:])
