"""The proxy that faults are injected with does to requests what its rules say, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from scripts.stage.faulty_proxy import (
    Answer,
    Delay,
    DropReply,
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
    only,
)
from scripts.stage.own_anvil import ask, own_anvil

SHORT = 0.2  # seconds that an impatient client waits
LONG = 60.0


@pytest.fixture(scope="module")
def anvil() -> Iterator[str]:
    with own_anvil() as url:
        yield url


@pytest.fixture
def proxy(anvil: str) -> Iterator[FaultyProxy]:
    with FaultyProxy(anvil) as proxy:
        yield proxy


def post(proxy: FaultyProxy, *methods: str, timeout: float = LONG) -> requests.Response:
    """A request, or a batch where several methods are given."""
    asked = [{"jsonrpc": "2.0", "id": place, "method": method, "params": []} for place, method in enumerate(methods)]
    return requests.post(proxy.url, json=asked if len(asked) > 1 else asked[0], timeout=timeout)


def answers(proxy: FaultyProxy, *methods: str) -> Any:
    return post(proxy, *methods).json()


def test_what_no_rule_is_for_is_forwarded(proxy: FaultyProxy, anvil: str) -> None:
    proxy.inject("eth_call", Status(500))
    assert answers(proxy, "eth_chainId")["result"] == hex(31337)
    assert proxy.seen == [(("eth_chainId",), None)]


def test_a_rule_counts_the_requests_of_its_method(proxy: FaultyProxy) -> None:
    rule = proxy.inject("eth_chainId", Status(429), only(2, 3))
    proxy.inject("eth_blockNumber", Status(503), first(1))
    codes = [post(proxy, "eth_chainId").status_code for _ in range(4)]
    codes += [post(proxy, "eth_blockNumber").status_code for _ in range(2)]
    assert codes == [200, 429, 429, 200, 503, 200]
    assert (rule.matched, rule.injected, proxy.count("eth_chainId")) == (4, 2, 4)


def test_rules_end(proxy: FaultyProxy) -> None:
    proxy.inject("*", Status(502), after(1))
    assert [post(proxy, "eth_chainId").status_code for _ in range(2)] == [200, 502]
    proxy.clear()
    assert post(proxy, "eth_chainId").status_code == 200


@pytest.mark.parametrize("fault", [HangUp(), DropReply(), Truncate()], ids=lambda fault: type(fault).__name__)
def test_connections_that_end_without_an_answer(proxy: FaultyProxy, fault: Any) -> None:
    proxy.inject("eth_chainId", fault, first(1))
    with pytest.raises(requests.RequestException):
        post(proxy, "eth_chainId")
    assert answers(proxy, "eth_chainId")["result"] == hex(31337)


def test_a_dropped_reply_is_of_a_request_that_was_done(proxy: FaultyProxy, anvil: str) -> None:
    before = int(ask(anvil, "eth_blockNumber"), 16)
    proxy.inject("evm_mine", DropReply(), first(1))
    with pytest.raises(requests.RequestException):
        post(proxy, "evm_mine")
    assert int(ask(anvil, "eth_blockNumber"), 16) == before + 1
    proxy.inject("evm_mine", HangUp())
    with pytest.raises(requests.RequestException):
        post(proxy, "evm_mine")
    assert int(ask(anvil, "eth_blockNumber"), 16) == before + 1


@pytest.mark.parametrize("fault", [Hang(), Delay(LONG)], ids=lambda fault: type(fault).__name__)
def test_answers_that_do_not_come_in_time(proxy: FaultyProxy, fault: Any) -> None:
    proxy.inject("eth_chainId", fault, first(1))
    with pytest.raises(requests.Timeout):
        post(proxy, "eth_chainId", timeout=SHORT)
    assert answers(proxy, "eth_chainId")["result"] == hex(31337)


@pytest.mark.parametrize("fault", [Garbage(), Truncate(honest=True)], ids=lambda fault: type(fault).__name__)
def test_answers_that_are_no_json(proxy: FaultyProxy, fault: Any) -> None:
    proxy.inject("eth_chainId", fault)
    response = post(proxy, "eth_chainId")
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"JSON|Expecting|codec"):
        response.json()


def test_answers_of_the_proxy_itself(proxy: FaultyProxy) -> None:
    proxy.inject("eth_chainId", Refuse("limit exceeded", -32005))
    proxy.inject("eth_blockNumber", Answer("0x7b"))
    assert answers(proxy, "eth_chainId")["error"] == {"code": -32005, "message": "limit exceeded"}
    assert answers(proxy, "eth_blockNumber")["result"] == "0x7b"


def test_half_a_batch(proxy: FaultyProxy) -> None:
    proxy.inject("*", HalfBatch(), first(1))
    assert answers(proxy, "eth_chainId")["result"] == hex(31337)
    methods = ["eth_chainId", "eth_blockNumber", "eth_gasPrice"]
    assert [len(answers(proxy, *methods)) for _ in range(2)] == [1, 3]


def test_a_node_that_is_behind(proxy: FaultyProxy, anvil: str) -> None:
    ask(anvil, "anvil_mine", "0xa")
    head = int(ask(anvil, "eth_blockNumber"), 16)
    newest = ask(anvil, "eth_getBlockByNumber", "latest", False)
    older = ask(anvil, "eth_getBlockByNumber", hex(head - 3), False)
    proxy.inject("*", Stale(3))
    assert int(ask(proxy.url, "eth_blockNumber"), 16) == head - 3
    assert ask(proxy.url, "eth_getBlockByNumber", "latest", False) == older
    assert ask(proxy.url, "eth_getBlockByNumber", hex(head), False) is None
    assert ask(proxy.url, "eth_getBlockByHash", newest["hash"], False) is None
    assert ask(proxy.url, "eth_getBlockByHash", older["hash"], False) == older
    with pytest.raises(AssertionError, match="header not found"):
        ask(proxy.url, "eth_call", {"to": "0x" + "11" * 20}, {"blockHash": newest["hash"]})
    assert ask(proxy.url, "eth_call", {"to": "0x" + "11" * 20}, {"blockHash": older["hash"]}) == "0x"
    mined = newest_transaction(anvil)
    assert ask(anvil, "eth_getTransactionReceipt", mined) is not None
    assert ask(proxy.url, "eth_getTransactionReceipt", mined) is None


def newest_transaction(anvil: str) -> str:
    """The hash of a transaction in the latest block."""
    sender = ask(anvil, "eth_accounts")[0]
    sent = ask(anvil, "eth_sendTransaction", {"from": sender, "to": sender, "value": "0x0"})
    while ask(anvil, "eth_getTransactionReceipt", sent) is None:  # Anvil may have it a moment later
        pass
    return str(sent)
