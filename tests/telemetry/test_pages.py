"""The pages over HTTP: metrics, whether it lives, whether it could act."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from backstop.errors import SettingsError
from backstop.settings.units import Listen
from backstop.telemetry.health import Health
from backstop.telemetry.server import Server


@dataclass
class Clock:
    """A clock that a test sets."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """Its time."""
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    """Stalled after 300 s, a chain stale after 60."""
    return Health(stalled_after=300, stale_after=60, clock=clock)


@pytest.fixture
def url(health: Health) -> Iterator[str]:
    """Where the pages are."""
    registry = CollectorRegistry()
    Counter("backstop_things", "Things.", registry=registry).inc(3)
    server = Server(Listen("127.0.0.1", 0), registry, health)
    yield f"http://127.0.0.1:{server.port}"
    server.close()


def get(url: str, page: str) -> tuple[int, str]:
    """Status and text of a page."""
    answer = requests.get(f"{url}{page}", timeout=60)
    return answer.status_code, answer.text


def ready(health: Health) -> None:
    """Makes it so."""
    health.turn()
    health.is_recovered()
    health.has_quorum(True)
    health.see_head("0xab")
    health.is_funded(True)


def test_metrics(url: str) -> None:
    status, text = get(url, "/metrics")
    assert status == 200
    (family,) = [one for one in text_string_to_metric_families(text) if one.name == "backstop_things"]
    assert [one.value for one in family.samples if one.name == "backstop_things_total"] == [3]
    accepted = requests.get(f"{url}/metrics?x=1", headers={"Accept": "application/openmetrics-text"}, timeout=60)
    assert accepted.headers["Content-Type"].startswith("application/openmetrics-text")
    assert accepted.text.endswith("# EOF\n")


def test_it_lives_while_the_loop_turns(url: str, health: Health, clock: Clock) -> None:
    assert get(url, "/healthz") == (200, "ok\n")
    clock.time += 300
    assert get(url, "/healthz")[0] == 200
    clock.time += 1
    assert get(url, "/healthz") == (503, "the loop has not turned for 301 s\n")
    health.turn()
    assert get(url, "/healthz")[0] == 200


def test_it_is_ready_once_all_is(url: str, health: Health) -> None:
    status, text = get(url, "/readyz")
    assert status == 503
    assert text.splitlines() == [
        "what an earlier process left open is not settled yet",
        "the nodes were not asked yet",
        "no block was seen yet",
        "the key was not looked at yet",
    ]
    ready(health)
    assert get(url, "/readyz") == (200, "ok\n")
    health.has_quorum(False)
    health.is_funded(False)
    assert get(url, "/readyz")[1].splitlines() == ["no quorum of nodes", "the key's balance is low"]
    # It lives all the same: to restart it would mend nothing.
    assert get(url, "/healthz")[0] == 200


def test_a_chain_that_stands_still_is_not_ready(health: Health, clock: Clock) -> None:
    ready(health)
    clock.time += 60
    assert health.faults_of_readiness() == []
    clock.time += 1
    health.see_head("0xab")  # the same block again is no sign of life
    assert health.faults_of_readiness() == ["no new block for 61 s"]
    health.see_head("0xcd")
    assert health.faults_of_readiness() == []


def test_other_pages_and_heads(url: str) -> None:
    assert get(url, "/") == (404, "/metrics /healthz /readyz\n")
    answer = requests.head(f"{url}/healthz", timeout=60)
    assert (answer.status_code, answer.text) == (200, "")
    assert requests.post(f"{url}/metrics", timeout=60).status_code == 501


def test_a_client_that_asks_nothing_holds_nobody_up(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))):
        assert get(url, "/healthz")[0] == 200


def test_an_address_that_is_taken(health: Health) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = Listen("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(SettingsError, match=rf"cannot listen at {taken}: Address already in use"):
            Server(taken, CollectorRegistry(), health)
