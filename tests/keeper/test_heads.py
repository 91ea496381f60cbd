"""New blocks as they come: by a subscription where there is one, by asking otherwise; each of them once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.parse import urlsplit

import pytest

from backstop.chain import subscription
from backstop.chain.endpoint import Endpoint
from backstop.chain.heads import Halted, Heads, NewHead
from backstop.chain.subscription import websocket_of
from backstop.errors import RpcError
from scripts.stage.faulty_proxy import FaultyProxy, Stale, Status, first
from scripts.stage.own_anvil import ask, own_anvil
from tests.support.relay import Relay

SOON, NEVER = 0.01, 3600.0  # seconds between two looks
PATIENCE = 60.0  # seconds until a test gives up; nothing here takes as long


@pytest.fixture(scope="module")
def anvil() -> Iterator[str]:
    with own_anvil() as url:
        yield url


@contextmanager
def following(heads: Heads) -> Iterator[Callable[[], NewHead | Halted]]:
    """What comes next; and the end, with whatever is waiting then."""
    news = heads.follow()
    guard = Thread(target=_give_up, args=(heads, time.monotonic() + PATIENCE), daemon=True)
    guard.start()
    try:
        yield lambda: next(news)
    finally:
        heads.stop()
        news.close()
        guard.join()


def _give_up(heads: Heads, deadline: float) -> None:
    while not heads._stopping and time.monotonic() < deadline:
        time.sleep(SOON)
    heads.stop()


def mine(anvil: str, blocks: int = 1) -> None:
    ask(anvil, "anvil_mine", hex(blocks))


def head(anvil: str, reorganised: bool = False) -> NewHead:
    return NewHead(Endpoint(anvil).head(), reorganised)


def test_each_block_once_by_asking(anvil: str) -> None:
    with following(Heads(Endpoint(anvil), poll=SOON)) as following_one:
        for blocks in (1, 1, 3):
            assert following_one() == head(anvil)  # the last, where several came
            mine(anvil, blocks)
        assert following_one() == head(anvil)


def test_a_subscription_tells_when_to_look(anvil: str) -> None:
    """Nobody asks by the clock here: without the websocket nothing more would come."""
    heads = Heads(Endpoint(anvil), poll=NEVER, websocket=websocket_of(anvil))
    with following(heads) as coming:
        assert coming() == head(anvil)
        wait_until(lambda: heads.is_subscribed)
        for _ in range(3):
            mine(anvil)
            assert coming() == head(anvil)


def test_a_subscription_that_is_dropped_is_tried_again(anvil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "_FIRST_PAUSE", SOON)
    told: list[str] = []
    with Relay(int(urlsplit(anvil).port or 0)) as relay:
        url = f"ws://user:secret@127.0.0.1:{relay.port}"
        heads = Heads(Endpoint(anvil), poll=SOON, websocket=url, tell=told.append)
        with following(heads) as coming:
            assert coming() == head(anvil)
            wait_until(lambda: heads.is_subscribed)
            relay.cut()
            wait_until(lambda: not heads.is_subscribed and told)
            mine(anvil)
            assert coming() == head(anvil)
            relay.mend()
            wait_until(lambda: heads.is_subscribed)
            mine(anvil)
            assert coming() == head(anvil)
    assert f"ws://127.0.0.1:{relay.port} gives no new blocks" in told[0]
    assert "secret" not in "".join(told)


def test_a_node_without_websocket_is_asked(anvil: str) -> None:
    told: list[str] = []
    with FaultyProxy(anvil) as http_only:
        heads = Heads(Endpoint(http_only.url), poll=SOON, websocket=websocket_of(http_only.url), tell=told.append)
        with following(heads) as coming:
            assert coming() == head(anvil)
            mine(anvil)
            assert coming() == head(anvil)
            wait_until(lambda: told)
            assert not heads.is_subscribed
    assert "gives no new blocks" in told[0]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_reorganisation_is_told(depth: int, anvil: str) -> None:
    mine(anvil, 5)
    with following(Heads(Endpoint(anvil), poll=SOON)) as coming:
        assert coming() == head(anvil)
        before = ask(anvil, "evm_snapshot")
        mine(anvil, depth)
        assert coming() == head(anvil)
        ask(anvil, "evm_revert", before)
        ask(anvil, "evm_increaseTime", 1000)
        mine(anvil, depth + 1)
        assert coming() == head(anvil, reorganised=True)
        mine(anvil, 2)
        assert coming() == head(anvil)


def test_a_node_that_falls_back_is_no_news(anvil: str) -> None:
    with FaultyProxy(anvil) as proxy, following(Heads(Endpoint(proxy.url), poll=SOON)) as coming:
        assert coming() == head(anvil)
        mine(anvil)
        assert coming() == head(anvil)
        behind = proxy.inject("*", Stale(2), first(20))
        mine(anvil)
        assert coming() == head(anvil)
        assert behind.injected == 20


def test_a_halt_is_told_once(anvil: str) -> None:
    seconds = [0.0]

    def clock() -> float:
        seconds[0] += 1.0
        return seconds[0]

    mine(anvil)
    with following(Heads(Endpoint(anvil), poll=SOON, halt_after=30, clock=clock)) as coming:
        known = coming()
        assert known == head(anvil)
        halted = coming()
        assert isinstance(halted, Halted)
        assert (halted.seconds >= 30, halted.last) == (True, head(anvil).head)
        mine(anvil)
        assert coming() == head(anvil)  # and not the same halt again
        assert isinstance(coming(), Halted)


def test_nodes_that_do_not_answer_are_told_of_and_asked_again(anvil: str) -> None:
    told: list[str] = []
    with FaultyProxy(anvil) as proxy:
        proxy.inject("*", Status(503), first(3))
        with following(Heads(Endpoint(proxy.url), poll=SOON, tell=told.append)) as coming:
            assert coming() == head(anvil)
    assert [line.rpartition("; ")[2] for line in told] == ["again in 0.01 s", "again in 0.02 s", "again in 0.04 s"]


def test_a_look_is_for_the_block_that_was_announced(anvil: str) -> None:
    with FaultyProxy(anvil) as proxy:
        heads = Heads(Endpoint(proxy.url), poll=SOON)
        assert heads.look() == head(anvil)
        assert heads.look() is None
        behind = proxy.inject("*", Stale(1), first(5))
        mine(anvil)
        announced = head(anvil)
        assert heads.look(announced.head.number) == announced
        assert behind.injected == 5
        assert heads.look(announced.head.number) is None


def test_a_look_gives_up_a_block_that_never_comes(anvil: str) -> None:
    seconds = iter(range(100))
    heads = Heads(Endpoint(anvil), poll=SOON, halt_after=5, clock=lambda: float(next(seconds)))
    known = heads.look()
    assert known is not None
    assert heads.look(known.head.number + 1) is None
    heads.stop()
    assert heads.look(known.head.number + 1) is None


def test_it_ends_when_told(anvil: str) -> None:
    heads = Heads(Endpoint(anvil), poll=NEVER)
    seen: list[object] = []
    thread = Thread(target=lambda: seen.extend(heads.follow()))
    thread.start()
    wait_until(lambda: seen)
    heads.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert len(seen) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:8545", "ws://", "nonsense"])
def test_a_url_that_is_no_websocket(url: str, anvil: str) -> None:
    with pytest.raises(RpcError, match="URL of the websocket cannot be used"):
        Heads(Endpoint(anvil), websocket=url)


def test_where_the_websocket_is() -> None:
    assert websocket_of("http://127.0.0.1:8545") == "ws://127.0.0.1:8545"
    assert websocket_of("https://node.example/v2/key?a=1") == "wss://node.example/v2/key?a=1"
    assert websocket_of("wss://node.example") == "wss://node.example"


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(SOON)
