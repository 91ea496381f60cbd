"""Webhooks against servers that take them, refuse them, or are not there."""

from __future__ import annotations

import hashlib
import hmac
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue

import pytest

from backstop.settings.loading import load
from backstop.settings.model import Event
from backstop.telemetry import webhooks as module
from backstop.telemetry.webhooks import SIGNATURE, Webhooks

from .receivers import PATIENCE, receiver


class Told:
    """What became of each event."""

    def __init__(self) -> None:
        self.queue: Queue[tuple[str, str]] = Queue()

    def __call__(self, outcome: str, why: str) -> None:
        self.queue.put((outcome, why))

    def next(self) -> tuple[str, str]:
        """The next of them."""
        return self.queue.get(timeout=PATIENCE)


@contextmanager
def hooks(*urls: str, told: Told | None = None, **more: object) -> Iterator[Webhooks]:
    """Webhooks with hardly a pause between attempts."""
    names = {f"webhooks.{name}": value for name, value in more.items()}
    targets = load(None, {"webhooks.urls": list(urls), **names}, {}).settings.webhooks
    made = Webhooks(targets, told=told or Told(), first_pause=0.001)
    try:
        yield made
    finally:
        made.close(0)


def test_an_event_arrives_with_all_that_it_says() -> None:
    with receiver() as there, hooks(there.url) as sent:
        sent.post(Event.ADL_START, "adl_start:1:ETH-USD:7", {"market": "ETH-USD", "block": 7})
        headers, body = there.next_raw()
        there.came.put((headers, body))
        document = there.next()
    assert headers["Content-Type"] == "application/json"
    assert SIGNATURE not in headers
    assert document.pop("time").endswith("+00:00")
    assert document == {
        "id": "adl_start:1:ETH-USD:7",
        "event": "adl_start",
        "data": {"market": "ETH-USD", "block": 7},
    }


def test_the_signature_is_that_of_the_body() -> None:
    with receiver() as there, hooks(there.url, secret="hunter22") as sent:
        sent.post(Event.ROUND, "r", {})
        headers, body = there.next_raw()
    assert headers[SIGNATURE] == "sha256=" + hmac.new(b"hunter22", body, hashlib.sha256).hexdigest()


def test_the_same_event_is_posted_once_and_others_not_at_all() -> None:
    with receiver() as there, hooks(there.url, events=["round"]) as sent:
        for key in ("a", "a", "b", "a", "b", "c"):
            sent.post(Event.ROUND, key, {})
            sent.post(Event.ADL_START, f"start-{key}", {})
        assert [there.next()["id"] for _ in range(3)] == ["a", "b", "c"]
        sent.close()
        assert there.came.empty()


def test_what_fails_is_posted_again_until_it_arrives() -> None:
    told = Told()
    with receiver(500, 429, 503) as there, hooks(there.url, told=told) as sent:
        sent.post(Event.ROUND, "r", {})
        assert [there.next()["id"] for _ in range(4)] == ["r"] * 4
        assert told.next() == ("delivered", "")


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_what_is_refused_for_good_is_not(status: int) -> None:
    told = Told()
    with receiver(status) as there, hooks(there.url, told=told) as sent:
        sent.post(Event.ROUND, "r", {})
        assert told.next() == ("failed", f"{there.url.removesuffix('/hooks/KEY')}/…: status {status}")
        assert there.next()["id"] == "r"
        assert there.came.empty()


def test_after_so_many_attempts_it_is_given_up_and_the_next_has_its_turn() -> None:
    told = Told()
    with receiver(500, 500) as there, hooks(there.url, told=told, attempts=2) as sent:
        sent.post(Event.ROUND, "a", {})
        sent.post(Event.ROUND, "b", {})
        assert told.next()[0] == "failed"
        assert told.next()[0] == "delivered"
        assert [there.next()["id"] for _ in range(3)] == ["a", "a", "b"]


def test_a_receiver_that_is_not_there_holds_no_other_up_and_names_no_secret() -> None:
    told = Told()
    dead = "http://user:hunter2@127.0.0.1:9/KEY"
    with receiver() as there, hooks(dead, there.url, told=told, attempts=2) as sent:
        sent.post(Event.ROUND, "a", {})
        assert there.next()["id"] == "a"
        failed = sorted([told.next(), told.next()])[1]
    assert failed == ("failed", "http://127.0.0.1:9/…: ConnectionError")


def test_a_receiver_that_never_answers_holds_nobody_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with hooks(url, timeout=3600) as sent:
            for number in range(10):
                sent.post(Event.ROUND, str(number), {})
            sent.close(0.01)  # and the process could end now: the thread is a daemon


def test_what_is_too_much_is_dropped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING", 2)
    told = Told()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with hooks(f"http://127.0.0.1:{silent.getsockname()[1]}", told=told, timeout=3600) as sent:
            for number in range(4):  # one under way at most, two that wait
                sent.post(Event.ROUND, str(number), {})
            outcome, why = told.next()
    assert outcome == "dropped"
    assert "2 events wait already" in why


def test_the_end_waits_for_what_waits() -> None:
    with receiver() as there, hooks(there.url) as sent:
        for number in range(20):
            sent.post(Event.ROUND, str(number), {})
        sent.close(PATIENCE)
        assert there.came.qsize() == 20


def test_without_a_receiver_nothing_happens() -> None:
    with hooks() as sent:
        sent.post(Event.ROUND, "r", {})


def test_ids_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    with receiver() as there, hooks(there.url) as sent:
        for key in ("a", "b", "c", "b", "a"):
            sent.post(Event.ROUND, key, {})
        assert sorted(there.next()["id"] for _ in range(4)) == ["a", "a", "b", "c"]
