"""`backstop watch`: what it shows is what the chain has, at every width, and it says so where that may not be so."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ape import networks
from rich.console import Console

from backstop.account_id import account_text
from backstop.adl.ranking import rank
from backstop.adl.snapshot import Side
from backstop.chain.endpoint import Endpoint
from backstop.chain.snapshot import read_chain
from backstop.errors import ChainMismatchError, NodeError, RpcError, UnknownMarketError
from backstop.watch.following import Follower, Moment, State
from backstop.watch.reading import Reader
from backstop.watch.render import frame
from scripts.stage.venue import HEARTBEAT, rpc_url, wad
from tests.keeper.command import BACKSTOP, assert_refused, backstop_inside
from tests.support.acting import later, rpc
from tests.support.desk import Desk
from tests.support.omissions import rounded
from tests.support.relay import Relay
from tests.trader.shell import Shell, done

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SOL = "SOL-USD"
WAIT = 60.0  # seconds; a process that is slower has hung


def reader(desk: Desk, *markets: str) -> Reader:
    return Reader(desk.venue.endpoint, desk.venue.deployment, markets)


def drawn(moment: Moment, *accounts: str, width: int = 120, height: int = 60, terminal: bool = True) -> str:
    """The frame as text."""
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=terminal, color_system=None, _environ={}
    )
    console.print(frame(moment, accounts, "tUSDC", console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def moment_of(desk: Desk, *, age: float = 3, silence: float = 0, fault: str = "") -> Moment:
    return Moment(reader(desk).read(), age, silence, fault)


# ------------------------------------------------------------------ what it shows


def test_a_market_in_which_adl_is_due(desk: Desk, shell: Shell) -> None:
    shown = done(shell.run("watch", "--once")).out
    state = read_chain(desk.venue.endpoint, desk.venue.deployment)
    lines = shown.splitlines()
    assert lines[0].startswith(f"Block {state.block.number}, ")
    assert lines[0].endswith("Amounts in tUSDC.")
    assert lines[2].startswith(f"{SOL}, mark 80, ")
    facts = {line[:13].strip(): line[14:].strip() for line in lines[3:12]}
    assert facts["Open interest"] == f"{desk.open_interest() // 10**18} contracts, on each side"
    assert facts["Pool"] == '"sol-usd": -80; peak of 8 hours 0'
    assert facts["ADL"] == "on, by depletion; to close 8 long contracts at 90, for 80"
    assert facts["ADL is due"] == "now, by depletion"
    assert facts["Inventory"] == "long 8 contracts at 90, loss 80, on sale at 81.6"
    assert "0 %; stop 25 %, trigger 30 %" in shown
    assert "none in the last 10,000 blocks" in shown
    for side in Side:
        queue = rank(state.snapshot, SOL, side)
        assert f"{side}s: {len(queue)} ranked" in shown
        for place in queue:
            [line] = [line for line in lines if place.account in line]
            assert line.split()[0] == str(place.adl_rank)
            assert line.split()[2] == str(place.adl_light)


def test_the_round_that_was_done_and_who_is_asked_for(desk: Desk, shell: Shell) -> None:
    number = rounded(desk, "bee cat")
    ant = desk.trader("ant")
    who = account_text(desk.account(ant))
    text = done(shell.run("watch", "--once", "--account", ant.address)).out
    assert f"{number}: {SOL}, 8 long contracts at 90, by depletion, against 2 accounts; block " in text
    assert f"{who}: short in {SOL}, rank 1 of 2, light ▮▮▮▮▯ 2, margin ratio 13.33 %, liquidation at 104.7619" in text
    assert "ADL           off" in text
    assert "Inventory     none" in text
    assert "ADL is due    at no mark" in text
    assert done(shell.run("watch", "--once", "--account", who.upper().replace("0X", "0x"))).out.count(who) == 2


def test_somebody_without_a_position(shell: Shell) -> None:
    nobody = "0x" + "11" * 20
    assert f"{nobody} has no position here" in done(shell.run("watch", "--once", "--account", nobody)).out


def test_somebody_without_equity(desk: Desk, shell: Shell) -> None:
    desk.price(115)
    ant = account_text(desk.account(desk.trader("ant")))
    text = done(shell.run("watch", "--once", "--account", ant)).out
    assert f"{ant}: short in {SOL}, no place: no equity" in text
    # The long inventory from 90 has gained by now.
    assert "Inventory     long 8 contracts at 90, loss 0" in text


def test_a_dead_feed_is_no_mark(desk: Desk) -> None:
    desk.venue.endpoint.request("evm_setNextBlockTimestamp", desk.priced_at() + HEARTBEAT + 125)
    rpc("evm_mine")
    text = " ".join(drawn(moment_of(desk)).split())
    assert f"{SOL}, last mark 80, 1 h 2 min old: THE FEED IS DEAD, PriceStale(" in text


def test_a_closed_market_has_a_final_price(desk: Desk) -> None:
    moment = moment_of(desk)
    [now] = moment.view.markets
    closed = replace(now, market=replace(now.market, view=now.market.view._replace(settles_at=1)))
    assert f"{SOL}, closed, final price 80\n" in drawn(replace(moment, view=replace(moment.view, markets=(closed,))))


def test_the_age_of_a_mark_is_that_of_its_feed(desk: Desk) -> None:
    later(125)
    view = reader(desk).read()
    [now] = view.markets
    assert now.published_at == desk.priced_at()
    assert view.block.timestamp - desk.priced_at() >= 125
    assert ", 2 min " in drawn(Moment(view, 0, 0, "")).splitlines()[2]


def test_a_market_that_never_had_a_price(desk: Desk, shell: Shell) -> None:
    desk.venue.list_market("NEW-USD", "new", Decimal(1))
    later(HEARTBEAT + 7)
    text = done(shell.run("watch", "--once", "--market", "NEW-USD")).out
    assert "NEW-USD: no mark, PriceStale(" in text
    assert SOL not in text
    both = reader(desk, "NEW-USD", SOL).read()
    assert [now.name for now in both.markets] == [SOL, "NEW-USD"]
    with pytest.raises(UnknownMarketError, match="unknown market 'XRP'"):
        reader(desk, "XRP").read()


# ------------------------------------------------------------------ how it fits


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 120, 160, 250])
def test_it_fits_every_width_and_no_word_is_lost(desk: Desk, width: int) -> None:
    moment = moment_of(desk)
    ant = desk.trader("ant").address.lower()
    text = drawn(moment, ant, width=width)
    assert max(map(len, text.splitlines())) <= width
    facts = " ".join(text.split("longs:")[0].split())
    wide = " ".join(drawn(moment, ant, width=250).split("longs:")[0].split())
    bar = re.compile(r"[█·┊┃]+ ")
    assert bar.sub("", facts) == bar.sub("", wide)
    # Nobody's place is lost either.
    assert len(re.findall(r"[▮▯]{5} [1-5]", text)) == 1 + 4 + 1


def test_a_low_terminal_gets_fewer_rows_but_whoever_is_asked_for(desk: Desk) -> None:
    moment = moment_of(desk)
    dog = desk.trader("dog").address.lower()
    high, low = drawn(moment, dog, height=60), drawn(moment, dog, height=20)
    assert "more not shown" not in high
    assert "shorts: 4 ranked, 2 more not shown" in low
    assert dog[:7] in low.split("Accounts")[0]
    assert "shorts: 4 ranked, 2 more not shown" in drawn(moment, dog, height=5)


def test_the_bar_has_both_marks(desk: Desk) -> None:
    [bar] = [line for line in drawn(moment_of(desk)).splitlines() if line.startswith("Drawdown")]
    assert bar.split()[1] == "·" * 10 + "┊" + "··" + "┃" + "·" * 28


# ------------------------------------------------------------------ whether it is so


def test_a_fresh_block_says_nothing_else(desk: Desk) -> None:
    moment = moment_of(desk)
    assert moment.state is State.FRESH
    assert "3 s ago. Amounts in tUSDC.\n\n" in drawn(moment)
    assert "2 min ahead of this clock" in drawn(moment_of(desk, age=-120))
    assert "0 s ago" in drawn(moment_of(desk, age=-30))


def test_an_old_block_is_told(desk: Desk) -> None:
    moment = moment_of(desk, age=305)
    assert moment.state is State.OLD
    text = " ".join(drawn(moment).split())
    assert "5 min 5 s ago." in text
    assert "OLD BLOCK: the node answers, and has had no newer one for 5 min 5 s." in text
    assert moment_of(desk, age=60).state is State.FRESH


def test_a_lost_node_is_told_with_what_it_said(desk: Desk) -> None:
    silent = moment_of(desk, age=305, silence=12)
    assert silent.state is State.LOST
    assert "NO ANSWER for 12 s. This is the last block that was read." in " ".join(drawn(silent).split())
    failing = moment_of(desk, fault="http://node: connection refused")
    assert "NO ANSWER for 1 s: http://node: connection refused." in " ".join(drawn(failing).split())
    assert moment_of(desk, silence=5).state is State.FRESH


class Shaky(Endpoint):
    """The chain's node, which can be made to fail."""

    error: Exception | None = None

    def request(self, method: str, *params: Any) -> Any:
        if self.error is not None:
            raise self.error
        return super().request(method, *params)

    def batch(self, asked: Any, size: int = 500) -> list[Any]:
        if self.error is not None:
            raise self.error
        return super().batch(asked, size)


@pytest.fixture
def shaky(desk: Desk) -> Shaky:
    """Of the chain of the desk."""
    return Shaky(rpc_url())


def test_a_node_that_is_lost_comes_back(desk: Desk, shaky: Shaky) -> None:
    now = [1000.0]
    follower = Follower(shaky, Reader(shaky, desk.venue.deployment), poll=1, clock=lambda: now[0])
    first = follower.moment()
    shaky.error = RpcError("it is gone")
    now[0] += 10
    follower.look()
    lost = follower.moment()
    assert (lost.state, lost.fault, lost.silence, lost.view) == (State.LOST, "it is gone", 10, first.view)
    shaky.error = None
    rpc("evm_mine")
    follower.look()
    back = follower.moment()
    assert (back.fault, back.silence) == ("", 0)
    assert back.view.block.number == first.view.block.number + 1
    follower.look()
    assert follower.moment().view is back.view  # nothing is read anew without a new block
    # A request that hangs: nothing is said, and nobody answers.
    now[0] += 6.5
    assert follower.moment().state is State.LOST


def watched(follower: Follower) -> None:
    """Looks on until it ends, or nothing has come of it."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        follower.moment()
        follower.wait(0.01)


@pytest.mark.parametrize("end", [ChainMismatchError("it serves another chain"), ValueError("a bug")])
def test_what_cannot_come_back_ends_it(desk: Desk, shaky: Shaky, end: Exception) -> None:
    follower = Follower(shaky, Reader(shaky, desk.venue.deployment), poll=0.01)
    shaky.error = end
    follower.start()
    with pytest.raises(type(end), match=str(end)):
        watched(follower)


def test_a_node_without_events_shows_all_else(desk: Desk, shaky: Shaky, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Endpoint.request

    def without(self: Endpoint, method: str, *params: Any) -> Any:
        if method == "eth_getLogs":
            raise NodeError("eth_getLogs: not offered")
        return request(self, method, *params)

    monkeypatch.setattr(Endpoint, "request", without)
    view = Reader(shaky, desk.venue.deployment).read()
    assert view.rounds == ()
    text = " ".join(drawn(Moment(view, 0, 0, "")).split())
    assert "Rounds not known:" in text
    assert "eth_getLogs: not offered" in text


# ------------------------------------------------------------------ rounds that come and go


def test_rounds_are_followed_and_taken_back(desk: Desk) -> None:
    watching = reader(desk)
    assert watching.read().rounds == ()
    before = rpc("evm_snapshot")
    number = rounded(desk, "bee")
    [found] = watching.read().rounds
    assert (found.id, found.contracts, found.counterparties, found.side) == (number, wad(4), 1, "long")
    assert found.time == desk.venue.endpoint.head().timestamp
    for _ in range(20):
        rpc("evm_mine")
    assert watching.read().rounds == (found,)
    another = rounded(desk, "cat")
    assert [one.id for one in watching.read().rounds] == [another, number]
    rpc("evm_revert", before)
    assert watching.read().rounds == ()


def test_a_node_that_tells_no_time_with_an_event_is_asked_for_the_block(
    desk: Desk, shaky: Shaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounded(desk, "bee")
    request = Endpoint.request

    def bare(self: Endpoint, method: str, *params: Any) -> Any:
        found = request(self, method, *params)
        if method == "eth_getLogs":
            return [{key: value for key, value in log.items() if key != "blockTimestamp"} for log in found]
        return found

    expected = reader(desk).read().rounds
    monkeypatch.setattr(Endpoint, "request", bare)
    assert Reader(shaky, desk.venue.deployment).read().rounds == expected
    assert len(expected) == 1


def test_rounds_of_other_markets_are_left_out(desk: Desk) -> None:
    desk.venue.list_market("NEW-USD", "new", Decimal(1))
    rounded(desk, "bee")
    assert reader(desk, "NEW-USD").read().rounds == ()
    assert len(reader(desk, SOL).read().rounds) == 1


# ------------------------------------------------------------------ as a process


def lines_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """What it prints until a line has that."""
    assert process.stdout
    found: list[str] = []
    while not (found and wanted in found[-1]):
        line = process.stdout.readline()
        assert line, found
        found.append(line)
    return found


@pytest.fixture
def piped(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    """`backstop watch` with its output in a pipe."""
    line = [str(BACKSTOP), *map(str, shell.line("watch", "--poll", "0.1"))]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_gets_a_frame_for_each_block(desk: Desk, piped: subprocess.Popen[str], number: signal.Signals) -> None:
    height = desk.venue.endpoint.head().number
    first = lines_until(piped, "none in the last")
    assert first[0].startswith(f"Block {height}, ")
    rpc("evm_mine")
    second = lines_until(piped, "none in the last")
    assert second[0] == "\n"
    assert second[1].startswith(f"Block {height + 1}, ")
    piped.send_signal(number)
    out, err = piped.communicate(timeout=WAIT)
    assert (piped.returncode, out, err) == (0, "", "")
    assert not ESCAPE.search("".join(first + second))


def test_a_pipe_is_told_of_a_node_that_is_gone_and_of_its_return(desk: Desk, shell: Shell) -> None:
    with Relay(int(shell.rpc.rpartition(":")[2])) as relay:
        line = shell.line("watch", "--poll", "0.1")
        away = [f"http://127.0.0.1:{relay.port}" if part == shell.rpc else part for part in line]
        with subprocess.Popen([BACKSTOP, *away], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                lines_until(process, "none in the last")
                relay.cut()
                lost = lines_until(process, "none in the last")
                assert lost[2].startswith("NO ANSWER for 1 s: ")
                assert lost[2].endswith(". This is the last block that was read.\n")
                relay.mend()
                assert not any("NO ANSWER" in line for line in lines_until(process, "none in the last"))
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=WAIT) == ("", "")
                assert process.returncode == 0
            finally:
                process.kill()


def test_a_node_that_hangs_keeps_nobody(desk: Desk, piped: subprocess.Popen[str]) -> None:
    lines_until(piped, "none in the last")
    node = networks.provider.process.pid
    os.kill(node, signal.SIGSTOP)
    try:
        assert "NO ANSWER for " in lines_until(piped, "none in the last")[2]
        piped.send_signal(signal.SIGINT)
        assert piped.communicate(timeout=WAIT) == ("", "")
    finally:
        os.kill(node, signal.SIGCONT)
    assert piped.returncode == 0


def test_a_terminal_is_drawn_in_place(desk: Desk, shell: Shell) -> None:
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "50", "PYTHONIOENCODING": "utf-8"}
    line = [str(BACKSTOP), *map(str, shell.line("watch", "--poll", "0.1"))]
    height = desk.venue.endpoint.head().number
    with subprocess.Popen(line, stdout=slave, stderr=subprocess.PIPE, env=environment) as process:
        os.close(slave)
        try:
            text = seen(master, f"Block {height}, ", "none in the last")
            rpc("evm_mine")
            text += seen(master, f"Block {height + 1}, ", "none in the last")
            process.send_signal(signal.SIGINT)
            text += seen(master, "\x1b[?25h")  # the cursor is there again
            assert process.wait(WAIT) == 0
            assert process.stderr
            assert process.stderr.read() == b""
        finally:
            process.kill()
            os.close(master)
    assert "\x1b[?25l" in text
    assert re.search(r"\x1b\[\d*A", text)  # up again, to draw over it


def seen(master: int, *wanted: str) -> str:
    """What comes until all of it has."""
    text, deadline = "", time.monotonic() + WAIT
    while not all(one in text for one in wanted):
        assert time.monotonic() < deadline, text
        if select.select([master], [], [], 0.1)[0]:
            text += os.read(master, 65536).decode("utf-8", "replace")
    return text


# ------------------------------------------------------------------ refusals


def test_what_cannot_be_watched_is_one_line(shell: Shell, tmp_path: Path) -> None:
    assert_refused(shell.run("watch", "--once", "--market", "XRP"), "unknown market 'XRP'", SOL)
    for who in ("ant", "0x12", "0x" + "g" * 40, "x" * 5000):
        assert_refused(shell.run("watch", "--once", "--account", who), "is neither an address")
    assert_refused(shell.run("watch", "--poll", "0"), "is no number of seconds")
    for once in (["--once"], []):
        dead = backstop_inside("watch", *once, "--rpc", "http://127.0.0.1:1", "--deployment", shell.deployment)
        assert_refused(dead, "127.0.0.1:1")
    gone = backstop_inside("watch", "--once", "--rpc", shell.rpc, "--deployment", tmp_path / "gone.json")
    assert_refused(gone, "gone.json")
