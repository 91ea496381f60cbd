"""The log: JSON lines or lines for people, with what is bound, and without secrets."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from backstop.settings.model import Log
from backstop.telemetry.log import bound, open_log

KEY = "5a" * 32


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines of a stream, as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    log = open_log(Log(), (), stream)
    with bound(block=7, market="ETH-USD", plan="p", tx="0xab"):
        log.info("sent", gas=21_000)
    log.warning("later")
    first, second = logged(stream)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "sent",
        "level": "info",
        "gas": 21_000,
        "block": 7,
        "market": "ETH-USD",
        "plan": "p",
        "tx": "0xab",
    }
    assert "block" not in second


@pytest.mark.parametrize(
    ("format_", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("console", io.StringIO(), False),
    ],
)
def test_who_gets_which(format_: Any, stream: io.StringIO, is_json: bool) -> None:
    open_log(Log(format=format_), (), stream).info("hello", market="ETH-USD")
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("{") is is_json
    assert "hello" in line
    # Colours are for terminals.
    assert ("\x1b[" in line) is (isinstance(stream, Terminal) and not is_json)


def test_what_is_below_the_level_is_left_out() -> None:
    stream = io.StringIO()
    log = open_log(Log(level="warning"), (), stream)
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert [line["event"] for line in logged(stream)] == ["c", "d"]


@pytest.mark.parametrize("format_", ["json", "console"])
def test_no_secret_however_deep(format_: Any) -> None:
    stream = io.StringIO()
    log = open_log(Log(format=format_), ["hunter2", "v3/APIKEY", KEY], stream)
    with bound(url="https://u:hunter2@h/v3/APIKEY"):
        log.error(
            "asked with hunter2",
            deep={"a": [("hunter2", {"v3/APIKEY": 1})]},
            upper=f"0x{KEY.upper()}",
            raw=bytes.fromhex(KEY),
            fault=ValueError(f"no answer from https://h/v3/APIKEY with {KEY}"),
        )
        try:
            raise RuntimeError("hunter2")  # noqa: TRY301
        except RuntimeError:
            log.exception("broken")
    text = stream.getvalue()
    for secret in ("hunter2", "APIKEY", KEY, KEY.upper()):
        assert secret not in text
    assert "…" in text
    assert "RuntimeError" in text


def test_a_text_with_two_of_them() -> None:
    stream = io.StringIO()
    open_log(Log(), ["abcd", "abcdef"], stream).info("xabcdefyABCDz")
    assert logged(stream)[0]["event"] == "x…y…z"


def test_a_log_that_nobody_reads_stops_nothing() -> None:
    class Broken(io.StringIO):
        def write(self, _: str, /) -> int:
            raise BrokenPipeError

    open_log(Log(), (), Broken()).error("nobody hears it")
    closed = io.StringIO()
    log = open_log(Log(), (), closed)
    closed.close()
    log.error("nor this")
