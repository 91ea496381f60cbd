"""Several nodes as one: what they agree on is read, from those that have it, and from the next one where one fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from backstop.chain.bindings import LENS_EXCHANGE, TAKE_OVER
from backstop.chain.endpoint import Endpoint
from backstop.chain.head import head_of
from backstop.chain.nodes import Nodes
from backstop.chain.snapshot import read_chain
from backstop.errors import ChainMismatchError, NodeError, NoQuorumError, RevertError, RpcError
from backstop.transactions.lookup import read_head
from scripts.stage.faulty_proxy import (
    Answer,
    DropReply,
    Due,
    Fault,
    FaultyProxy,
    Garbage,
    HalfBatch,
    Hang,
    HangUp,
    Refuse,
    Stale,
    Status,
    Truncate,
    after,
    first,
)
from scripts.stage.own_anvil import ask, own_anvil
from scripts.stage.venue import TestMarket, Venue, rpc_url

PATIENCE = 1.0  # seconds for a node that hangs
NOBODY = "0x" + "11" * 20


class Clock:
    """Time that passes when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def proxies() -> Iterator[list[FaultyProxy]]:
    """Three nodes with the same chain."""
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyProxy(rpc_url())) for _ in range(3)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def nodes(proxies: list[FaultyProxy], clock: Clock, venue: Venue) -> Nodes:
    """The three as one, found to serve the deployment."""
    nodes = together(proxies, clock=clock)
    nodes.check(venue.deployment)
    forget(proxies)
    return nodes


def together(proxies: list[FaultyProxy], **options: Any) -> Nodes:
    """As one, with more patience than a slow machine asks for."""
    return Nodes([proxy.url for proxy in proxies], **({"timeout": 60.0, "probe_timeout": 60.0} | options))


def forget(proxies: list[FaultyProxy]) -> None:
    for proxy in proxies:
        proxy.seen.clear()


def asked(proxies: list[FaultyProxy]) -> list[int]:
    """How many requests each node got."""
    return [len(proxy.seen) for proxy in proxies]


# ---------------------------------------------------------------------- failing over

FAULTS: list[Fault] = [
    Status(429),
    Status(500),
    Status(503),
    Garbage(),
    Truncate(),
    Truncate(honest=True),
    HangUp(),
    DropReply(),
    Refuse("limit exceeded", -32005),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_next_one_is_asked_where_one_fails(fault: Fault, nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    proxies[0].inject("eth_chainId", fault)
    assert [nodes.quantity("eth_chainId") for _ in range(2)] == [31337] * 2
    assert asked(proxies) == [1, 2, 0]  # the one that failed is left alone


def test_one_that_hangs_costs_its_timeout_once(proxies: list[FaultyProxy], clock: Clock) -> None:
    nodes = together(proxies, timeout=PATIENCE, clock=clock)
    proxies[0].inject("eth_chainId", Hang())
    assert [nodes.quantity("eth_chainId") for _ in range(3)] == [31337] * 3
    assert len(proxies[0].seen) == 1


@pytest.mark.parametrize("fault", [HalfBatch(), Garbage(), Status(502), Truncate()], ids=str)
def test_a_batch_is_whole_or_asked_of_the_next_one(fault: Fault, nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    proxies[0].inject("*", fault, after(1))  # the first part of two comes
    numbers = [("eth_getBlockByNumber", (hex(number), False)) for number in range(4)]
    blocks = nodes.batch(numbers, size=2)
    assert [int(block["number"], 16) for block in blocks] == [0, 1, 2, 3]
    assert asked(proxies) == [2, 2, 0]


def test_half_a_batch_of_the_only_node_is_an_error(proxies: list[FaultyProxy]) -> None:
    proxies[0].inject("*", HalfBatch())
    with pytest.raises(RpcError, match=r"answers 1 of a batch of 2 \(eth_chainId …\)"):
        Endpoint(proxies[0].url).batch([("eth_chainId", ()), ("eth_blockNumber", ())])


def test_an_error_within_a_batch_is_the_batch_s(venue: Venue) -> None:
    with pytest.raises(NodeError, match="eth_noSuchMethod"):
        venue.endpoint.batch([("eth_chainId", ()), ("eth_noSuchMethod", ())])


def test_the_pause_grows_and_ends(nodes: Nodes, proxies: list[FaultyProxy], clock: Clock) -> None:
    proxies[0].inject("eth_chainId", Status(500), first(3))
    tried = []
    for second in range(12):
        clock.now = float(second)
        before = len(proxies[0].seen)
        nodes.quantity("eth_chainId")
        tried.append(len(proxies[0].seen) > before)
    assert [second for second, again in enumerate(tried) if again] == [0, 1, 3, 7, 8, 9, 10, 11]


def test_what_rests_is_asked_where_nothing_else_answers(nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    for proxy in proxies:
        proxy.inject("eth_chainId", Status(500), first(1))
    with pytest.raises(RpcError, match="none of 3 nodes answers eth_chainId: no answer from"):
        nodes.quantity("eth_chainId")
    assert nodes.quantity("eth_chainId") == 31337


def test_a_refusal_of_the_contracts_is_an_answer(
    nodes: Nodes, proxies: list[FaultyProxy], venue: Venue, gapped: TestMarket
) -> None:
    account = bytes.fromhex(venue.account_of(gapped, "whale")[2:])
    with pytest.raises(RevertError, match="TakeoverNotDue"):
        nodes.request(
            "eth_call", {"to": venue.deployment.exchange, "data": "0x" + TAKE_OVER.encode(account).hex()}, "latest"
        )
    assert asked(proxies) == [1, 0, 0]


def test_a_refusal_that_decides_is_believed_of_a_quorum_and_not_of_one(
    nodes: Nodes, proxies: list[FaultyProxy], venue: Venue
) -> None:
    """What one node says the contracts would refuse is not left undone for that; what two say is."""
    call = {"to": venue.deployment.exchange, "data": "0x", "from": NOBODY}
    for proxy in proxies[1:]:
        proxy.inject("eth_estimateGas", Answer("0x5208"))
    proxies[0].inject("eth_estimateGas", Refuse("execution reverted: by one", 3))
    assert nodes.quantity("eth_estimateGas", call) == 0x5208
    assert asked(proxies) == [1, 1, 1]
    proxies[0].clear()
    proxies[1].clear()
    forget(proxies)
    for proxy in proxies[:2]:
        proxy.inject("eth_estimateGas", Refuse("execution reverted: by two", 3))
    with pytest.raises(RevertError, match="by two"):
        nodes.quantity("eth_estimateGas", call)
    assert asked(proxies) == [1, 1, 0]


def test_a_refusal_that_nobody_can_deny_is_believed(nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    proxies[0].inject("eth_estimateGas", Refuse("execution reverted: by one", 3))
    for proxy in proxies[1:]:
        proxy.inject("eth_estimateGas", Status(503))
    with pytest.raises(RevertError, match="by one"):
        nodes.quantity("eth_estimateGas", {"to": NOBODY})


@pytest.mark.parametrize("field", ["baseFeePerGas", "timestamp", "hash"])
def test_what_gas_costs_is_what_a_quorum_says(
    nodes: Nodes, proxies: list[FaultyProxy], venue: Venue, field: str
) -> None:
    honest = read_head(venue.endpoint)
    header = venue.endpoint.request("eth_getBlockByNumber", "latest", False)
    assert nodes.head().hash == honest.hash  # so far the first is as good as any
    wrong = "0x" + "ab" * 32 if field == "hash" else hex(4000 * 10**9)
    proxies[0].inject("eth_getBlockByNumber", Answer(header | {field: wrong}))
    assert read_head(nodes) == honest
    # And once all are asked for their heads, it is not read from.
    nodes.head()
    assert [standing[0] for standing in nodes.standings()] == [False, True, True]


def test_what_one_refuses_another_may_have(nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    proxies[0].inject("eth_chainId", Refuse("header not found", -32000))
    assert [nodes.quantity("eth_chainId") for _ in range(2)] == [31337] * 2
    assert asked(proxies) == [2, 2, 0]  # it was not at fault: it is asked again
    for proxy in proxies[1:]:
        proxy.inject("eth_chainId", Refuse("something else", -32000))
    with pytest.raises(NodeError, match="header not found"):
        nodes.quantity("eth_chainId")


def test_a_transaction_that_one_may_have_is_not_said_to_be_refused(nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    """The first node takes it and its answer is lost; the others know it, or its nonce, already."""
    proxies[0].inject("eth_sendRawTransaction", HangUp())
    for proxy in proxies[1:]:
        proxy.inject("eth_sendRawTransaction", Refuse("already known", -32000))
    with pytest.raises(RpcError) as fault:
        nodes.request("eth_sendRawTransaction", "0x00")
    assert not isinstance(fault.value, NodeError)


# ---------------------------------------------------------------------- agreeing


def test_the_newest_block_of_a_quorum(nodes: Nodes, proxies: list[FaultyProxy], venue: Venue) -> None:
    mine(5)
    truth = venue.endpoint.head()
    assert nodes.head() == truth
    proxies[0].inject("*", Stale(2))
    assert nodes.head() == truth
    proxies[1].inject("*", Stale(1))
    assert nodes.head() == header(truth.number - 1)  # two of three have it
    nodes.request("eth_chainId")
    assert proxies[0].count("eth_chainId") > 0  # within the lag it is still read from


def test_one_far_behind_is_not_read_from_until_it_has_caught_up(nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    mine(10)
    proxies[0].inject("*", Stale(4))
    head = nodes.head()
    forget(proxies)
    block = nodes.request("eth_getBlockByNumber", "latest", False)
    assert int(block["number"], 16) == head.number
    assert asked(proxies) == [0, 1, 0]
    proxies[0].clear()
    nodes.head()
    forget(proxies)
    nodes.request("eth_chainId")
    assert asked(proxies) == [1, 0, 0]


def test_all_behind_is_where_the_chain_is(nodes: Nodes, proxies: list[FaultyProxy], venue: Venue) -> None:
    mine(10)
    for proxy in proxies:
        proxy.inject("*", Stale(7))
    assert nodes.head().number == venue.endpoint.head().number - 7


def test_no_quorum(nodes: Nodes, proxies: list[FaultyProxy]) -> None:
    proxies[0].inject("*", Status(503))
    assert nodes.head().number > 0
    proxies[1].inject("*", Garbage())
    with pytest.raises(NoQuorumError, match=r"1 of 3 nodes answer, 2 are needed: no answer from .* does not answer"):
        nodes.head()


def test_one_node_is_its_own_quorum(proxies: list[FaultyProxy], venue: Venue) -> None:
    nodes = together(proxies[:1])
    nodes.check(venue.deployment)
    assert nodes.head() == venue.endpoint.head()


def test_branches_are_told_apart_by_their_hashes() -> None:
    """Two nodes at one height with other blocks; the one that a third node agrees with is read from."""
    with own_anvil("--timestamp", "1000") as here, own_anvil("--timestamp", "1000") as there:
        for anvil in (here, there):
            ask(anvil, "evm_setNextBlockTimestamp", 2000)
            ask(anvil, "evm_mine")
        common = Endpoint(here).head()
        assert common == Endpoint(there).head()
        ask(here, "evm_setNextBlockTimestamp", 3000)
        ask(there, "evm_setNextBlockTimestamp", 3001)
        for anvil in (here, there):
            ask(anvil, "evm_mine")
        with FaultyProxy(there) as one, FaultyProxy(here) as two, FaultyProxy(here) as three:
            nodes = together([one, two, three])
            assert nodes.head() == Endpoint(here).head()
            forget([one, two, three])
            nodes.quantity("eth_chainId")
            assert asked([one, two, three]) == [0, 1, 0]
            three.inject("*", Stale(1))
            assert nodes.head() == common  # all have that one, and no two any newer one
            split = together([one, two])
            assert split.head() == common
            ask(there, "anvil_mine", "0x20")
            ask(here, "anvil_mine", "0x20")
            with pytest.raises(NoQuorumError, match="no 2 nodes agree on a block"):
                split.head()


# ---------------------------------------------------------------------- serving the deployment


def test_each_must_serve_the_chain(proxies: list[FaultyProxy], venue: Venue) -> None:
    proxies[2].inject("eth_chainId", Answer("0x1"))
    with pytest.raises(ChainMismatchError, match="serves chain 1, the deployment is on chain 31337"):
        together(proxies).check(venue.deployment)


def test_each_must_have_the_contracts(proxies: list[FaultyProxy], venue: Venue) -> None:
    with pytest.raises(ChainMismatchError, match="no contract at"):
        together(proxies).check(replace(venue.deployment, engine=NOBODY))


def test_a_quorum_is_enough_to_begin_with(proxies: list[FaultyProxy], venue: Venue, clock: Clock) -> None:
    proxies[0].inject("*", HangUp())
    nodes = together(proxies, clock=clock)
    nodes.check(venue.deployment)
    nodes.head()
    assert nodes.call(venue.deployment.lens, LENS_EXCHANGE) == venue.deployment.exchange.lower()
    proxies[1].inject("*", HangUp())
    with pytest.raises(NoQuorumError, match="1 of 3 nodes serve the deployment, 2 are needed"):
        together(proxies).check(venue.deployment)


def test_one_that_comes_back_with_another_chain_is_not_read_from(
    proxies: list[FaultyProxy], venue: Venue, clock: Clock
) -> None:
    told: list[str] = []
    down = proxies[0].inject("*", HangUp(), first(1))
    nodes = together(proxies, clock=clock, tell=told.append)
    nodes.check(venue.deployment)
    assert down.injected == 1
    proxies[0].inject("eth_chainId", Answer("0x1"))
    clock.now = 10.0
    nodes.check(venue.deployment)
    nodes.head()
    forget(proxies)
    nodes.quantity("eth_gasPrice")
    assert asked(proxies) == [0, 1, 0]
    assert any("serves chain 1" in line for line in told)
    proxies[0].clear()
    clock.now = 100.0
    nodes.head()
    forget(proxies)
    nodes.quantity("eth_gasPrice")
    assert asked(proxies) == [1, 0, 0]


@pytest.mark.parametrize(
    ("urls", "quorum", "words"),
    [
        ([], None, "no node is given"),
        (["http://a", "http://a"], None, "a node is given twice"),
        (["http://a", "http://b"], 3, "a quorum of 3 is not to be had of 2 nodes"),
        (["http://a"], 0, "a quorum of 0 is not to be had of 1 nodes"),
        (["ws://a"], None, "is no HTTP URL"),
    ],
)
def test_wrong_use(urls: list[str], quorum: int | None, words: str) -> None:
    with pytest.raises(RpcError, match=words):
        Nodes(urls, quorum=quorum)


def test_secrets_of_urls_are_not_shown(proxies: list[FaultyProxy]) -> None:
    dead = proxies[0].url.replace("http://", "http://user:secret@") + "/v2/secret?key=secret"
    proxies[0].inject("*", Status(500))
    told: list[str] = []
    nodes = Nodes([dead], tell=told.append)
    with pytest.raises(RpcError) as fault:
        nodes.batch([("eth_chainId", ()), ("eth_blockNumber", ())])
    assert "secret" not in "".join([str(fault.value), nodes.url, *told])


# ---------------------------------------------------------------------- a whole state


@pytest.mark.parametrize("fault", [Status(429), HalfBatch(), Garbage(), Truncate(), DropReply()], ids=str)
def test_a_state_that_is_read_while_nodes_fail(
    fault: Fault, nodes: Nodes, proxies: list[FaultyProxy], venue: Venue, gapped: TestMarket
) -> None:
    truth = read_chain(venue.endpoint, venue.deployment)
    rules = [proxy.inject("*", fault, a_third(seed)) for seed, proxy in enumerate(proxies)]
    states = []
    for _ in range(40):
        with suppress(RpcError):  # a state, or none at all
            states.append(read_chain(nodes, venue.deployment))
    assert len(states) > 5
    assert all(state == truth for state in states)
    assert all(rule.injected > 5 for rule in rules)


def a_third(seed: int) -> Due:
    """A third of the requests, by chance."""
    draws = Random(seed)
    return lambda _: draws.random() < 1 / 3


def mine(blocks: int) -> None:
    ask(rpc_url(), "anvil_mine", hex(blocks))


def header(number: int) -> Any:
    return head_of(ask(rpc_url(), "eth_getBlockByNumber", hex(number), False), rpc_url())
