"""The keeper left running, as a process: it sees prices move, survives its node, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from backstop.chain.head import Head
from backstop.chain.heads import Halted, NewHead
from backstop.errors import BudgetError, ChainMismatchError, DutyError, LockLostError, OutputError, RpcError
from backstop.keeper.cycle import Action
from backstop.keeper.duties import TakeOver
from backstop.keeper.loop import Loop
from backstop.keeper.showing import Showing
from backstop.math.wad import parse_amount
from scripts.stage.venue import Venue, rpc_url

from .sea import BACKSTOP, PATIENCE, PRICES, Keeper, Sea, told, wait_until


class Proxy:
    """A TCP proxy before a node; while it is cut, it refuses connections and drops those that are open."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._port = 0
        self._open: set[socket.socket] = set()
        self.restore()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def cut(self) -> None:
        # A listener that is only closed goes on while a thread waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            self._drop(one)

    def restore(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port), reuse_port=False)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            upstream = socket.create_connection(self._target)
            self._open |= {client, upstream}
            for source, sink in ((client, upstream), (upstream, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        self._drop(source)
        self._drop(sink)

    def _drop(self, one: socket.socket) -> None:
        self._open.discard(one)
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@pytest.fixture
def sea(venue: Venue, tmp_path: Path) -> Sea:
    return Sea(venue, tmp_path)


Start = Callable[..., Keeper]


@pytest.fixture
def start(sea: Sea) -> Iterator[Start]:
    """Starts keepers, and leaves none behind."""
    started: list[Keeper] = []

    def begin(*options: str, url: str = "") -> Keeper:
        started.append(Keeper(sea.keeper, sea.deployment, url or rpc_url(), *options))
        return started[-1]

    yield begin
    for keeper in started:
        keeper.process.kill()
        keeper.process.wait()


def test_left_running_it_liquidates_takes_over_and_deleverages_as_the_price_falls(sea: Sea, start: Start) -> None:
    keeper = start("--send", "--json", "--liquidate-up-to", "1000")
    assert keeper.word() == f"watching {rpc_url()}"

    sea.set_price(PRICES["liquidation"])
    liquidation = keeper.action()
    assert told(liquidation, sea) == ("liquidate", "first")
    assert liquidation["sent"]
    # (94 - 40) / (94 * 0.075), up; at mark; 1.25 % each to the keeper and to the pool.
    assert parse_amount(liquidation["contracts"]) == -(-(54 * 10**18 * 1000) // (94 * 75))
    assert liquidation["liquidator"] == sea.carrier
    assert (liquidation["discount"], liquidation["fee"]) == ("9", "9")

    sea.set_price(PRICES["takeover"])
    assert told(keeper.action(), sea) == ("takeOver", "second")

    sea.set_price(PRICES["ADL"])
    assert told(keeper.action(), sea) == ("takeOver", "first")
    deleverage = keeper.action()
    assert told(deleverage, sea) == ("deleverage", "long")
    assert [fill["account"] for fill in deleverage["round"]["fills"]] == [sea.accounts["bear"]]
    assert set(sea.sizes()) == {"bear", "keeper"}

    assert keeper.end() == 0
    assert keeper.out.empty()
    assert keeper.told.empty()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_status_0(number: int, sea: Sea, start: Start) -> None:
    keeper = start("--json")
    assert keeper.word() == f"watching {rpc_url()}; a dry run, nothing is sent"
    assert keeper.end(number) == 0


def test_a_signal_waits_for_the_duty_under_way_and_no_longer(sea: Sea, start: Start) -> None:
    # Both are to be taken over, but no block is mined before the signal has come.
    sea.set_price(PRICES["ADL"])
    sea.venue.endpoint.request("evm_setAutomine", False)
    try:
        keeper = start("--send", "--json")
        assert keeper.word().startswith("watching")
        pending = "eth_getBlockTransactionCountByNumber"
        wait_until(lambda: sea.venue.endpoint.quantity(pending, "pending") == 1)
        keeper.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert keeper.process.poll() is None
        sea.venue.endpoint.request("evm_mine")
        assert keeper.process.wait(PATIENCE) == 0
    finally:
        sea.venue.endpoint.request("evm_setAutomine", True)
    assert told(keeper.action(), sea) == ("takeOver", "first")
    assert keeper.out.empty()
    assert "second" in sea.sizes()


def test_an_outage_of_the_node_is_told_and_survived(sea: Sea, start: Start) -> None:
    proxy = Proxy(rpc_url())
    keeper = start("--send", "--json", url=proxy.url)
    assert keeper.word().startswith("watching")
    sea.set_price(PRICES["first takeover"])
    assert told(keeper.action(), sea) == ("takeOver", "first")

    proxy.cut()
    lines = [keeper.word() for _ in range(4)]
    assert all(f"no answer from {proxy.url} to " in line for line in lines)
    # Pauses double from the poll interval on.
    assert [line.rsplit("; ", 1)[1] for line in lines] == [f"again in {n:g} s" for n in (0.05, 0.1, 0.2, 0.4)]
    sea.set_price(PRICES["ADL"])
    proxy.restore()
    assert told(keeper.action(), sea) == ("takeOver", "second")
    assert told(keeper.action(), sea) == ("deleverage", "long")
    assert keeper.end() == 0


def test_a_node_that_is_not_there_yet_is_waited_for(sea: Sea, start: Start) -> None:
    proxy = Proxy(rpc_url())
    proxy.cut()
    sea.set_price(PRICES["first takeover"])
    keeper = start("--send", "--json", url=proxy.url)
    assert f"no answer from {proxy.url} to " in keeper.word()
    proxy.restore()
    # Only now what could keep it from watching has been looked at.
    while (word := keeper.word()) != f"watching {proxy.url}":
        assert f"no answer from {proxy.url} to " in word
    assert told(keeper.action(), sea) == ("takeOver", "first")
    assert keeper.end() == 0


def test_a_dry_run_sends_nothing_and_tells_everything_once(sea: Sea, start: Start) -> None:
    sea.set_price(PRICES["first takeover"])
    keeper = start("--json")
    assert keeper.word().startswith("watching")
    first = keeper.action()
    assert told(first, sea) == ("takeOver", "first")
    assert not first["sent"]
    before = sea.sizes()
    # The next block brings what is new, and not again what was told.
    sea.set_price(PRICES["ADL"])
    assert told(keeper.action(), sea) == ("takeOver", "second")
    sea.set_price(Decimal(100))
    sea.set_price(PRICES["first takeover"])
    assert keeper.end() == 0
    assert sea.sizes() == before


def test_without_json_it_speaks_to_people(sea: Sea, start: Start) -> None:
    sea.set_price(PRICES["liquidation"])
    keeper = start("--send", "--liquidate-up-to", "1000.5")
    account, carrier = sea.accounts["first"], sea.carrier
    assert keeper.line() == (
        f"Liquidate 7.6595 long contracts of {account} in SEA-USD: equity 40, maintenance margin 47"
    )
    assert keeper.line() == f"Onto {carrier}, discount 9, fee 9"
    assert keeper.line().startswith("Done in block ")
    assert keeper.end(signal.SIGINT) == 0


def test_a_discount_that_is_too_small_is_left_alone(sea: Sea, start: Start) -> None:
    sea.set_price(PRICES["liquidation"])
    for least, line in (("9.01", "nothing is due"), ("9", "Liquidate 7.6595 long contracts of ")):
        keeper = start("--once", "--liquidate-up-to", "1000", "--least-discount", least)
        assert keeper.line().startswith(line)


def test_a_chain_that_is_not_the_deployments_ends_it_at_once(sea: Sea, start: Start) -> None:
    document = json.loads(sea.deployment.read_text())
    sea.deployment.write_text(json.dumps(document | {"chain_id": 1}))
    keeper = start("--send")
    assert keeper.process.wait(PATIENCE) == 2
    assert keeper.word() == f"error: {rpc_url()} serves chain 31337, the deployment is on chain 1"


def test_a_keeper_without_collateral_says_so_once(sea: Sea, start: Start) -> None:
    keeper = start("--send", "--json", "--liquidate-up-to", "1000", "--sub-account", "7")
    assert keeper.word().startswith("watching")
    sea.set_price(PRICES["liquidation"])
    assert keeper.word() == (
        "warning: 1 account is due, this keeper can carry none of it: its account in SEA-USD has no collateral"
    )
    sea.set_price(PRICES["liquidation"])
    sea.set_price(PRICES["takeover"])
    assert told(keeper.action(), sea) == ("takeOver", "first")
    assert told(keeper.action(), sea) == ("takeOver", "second")
    assert keeper.end() == 0
    assert keeper.told.empty()


def test_output_that_cannot_be_written_ends_it(sea: Sea) -> None:
    sea.set_price(PRICES["first takeover"])
    command = [str(BACKSTOP), "run", "--json", "--rpc", rpc_url(), "--deployment", str(sea.deployment)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: cannot write the output: No space left on device"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["click", "web3"])
def test_a_signal_before_it_watches_is_no_traceback(module: str, number: int, sea: Sea, tmp_path: Path) -> None:
    # What it loads stands still, so that the signal comes then.
    text = "import sys, time\nsys.stdout.write('loading\\n')\nsys.stdout.flush()\ntime.sleep(60)\n"
    (tmp_path / f"{module}.py").write_text(text)
    command = [str(BACKSTOP), "run", "--rpc", rpc_url(), "--deployment", str(sea.deployment)]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert err == ""
    if module == "web3":
        assert process.returncode == 0
    else:
        assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)


@pytest.mark.parametrize("option", ["--liquidate-up-to", "--least-discount"])
@pytest.mark.parametrize("text", ["1e3", "-1", "1,000", ""])
def test_a_notional_or_a_discount_that_is_no_amount_is_refused(text: str, option: str, sea: Sea, start: Start) -> None:
    keeper = start("--send", f"{option}={text}")
    assert keeper.process.wait(PATIENCE) == 2


# ------------------------------------------------------------------ the loop by itself


class Blocks:
    """Tells of blocks with these numbers, one after the other, and then of no more."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = list(numbers)
        self.is_stopped = False

    def follow(self) -> Iterator[NewHead | Halted]:
        for number in self._numbers:
            if self.is_stopped:
                return
            yield self._block(number)

    def look(self, announced: int = 0) -> NewHead | None:
        if not self._numbers or self._numbers[0] > announced:
            return None
        return self._block(self._numbers.pop(0))

    def _block(self, number: int) -> NewHead:
        return NewHead(Head(number, f"0x{number:064x}", f"0x{number - 1:064x}", number), False)

    def stop(self) -> None:
        self.is_stopped = True


class Cycles:
    """Stands for `Cycle`: does what it is given, a list of duties or an exception a cycle, and stops the loop after."""

    def __init__(self, *cycles: Any) -> None:
        self._cycles = list(cycles)
        self.loop: Loop

    def run(self, warn: Callable[[str], None]) -> Iterator[Action]:
        planned = self._cycles.pop(0)
        if not self._cycles:
            self.loop.stop()
        if isinstance(planned, Exception):
            raise planned
        for one in planned:
            if isinstance(one, str):
                warn(one)
            else:
                yield one


def take_over(name: str, refusal: str | None = None) -> Action:
    return Action(TakeOver(name, "ETH-USD", 0, 0), 1, None, None, refusal)


def looped(blocks: Blocks, cycles: Cycles) -> tuple[list[str], list[str]]:
    """What a loop over these showed and told."""
    shown: list[str] = []
    said: list[str] = []
    turn = Showing(cycles, show=lambda action: shown.append(name_of(action)), warn=said.append)
    cycles.loop = Loop(blocks, turn, poll=0.001, tell=said.append)
    cycles.loop.run()
    return shown, said


def name_of(action: Action) -> str:
    assert isinstance(action.duty, TakeOver)
    return action.duty.account


def test_a_cycle_for_every_block_and_only_one() -> None:
    shown, said = looped(Blocks(1, 2, 3), Cycles([take_over("a")], [take_over("b")], [take_over("c")]))
    assert (shown, said) == (["a", "b", "c"], [])


def test_what_stays_due_is_shown_once_until_it_is_not() -> None:
    a, b, refused = take_over("a"), take_over("b"), take_over("a", "TakeoverNotDue")
    shown, _ = looped(Blocks(1, 2, 3, 4, 5, 6), Cycles([a], [a, b], [refused], [refused], [], [a]))
    assert shown == ["a", "b", "a", "a"]


def test_what_is_refused_twice_in_a_cycle_is_shown_once() -> None:
    refused = take_over("a", "TakeoverNotDue")
    shown, _ = looped(Blocks(1, 2), Cycles([refused, take_over("b"), refused], [refused]))
    assert shown == ["a", "b"]


def test_a_warning_is_told_once_until_it_passes() -> None:
    _, said = looped(Blocks(1, 2, 3, 4), Cycles(["no price"], ["no price"], [], ["no price"]))
    assert said == ["no price"] * 2


def test_a_cycle_that_failed_is_run_again_on_the_same_block() -> None:
    shown, said = looped(Blocks(1), Cycles(RpcError("gone"), KeyError("status"), [take_over("a")]))
    assert shown == ["a"]
    assert said == ["gone; again in 0.001 s", "KeyError: 'status'; again in 0.002 s"]


def test_after_a_duty_that_could_not_be_tried_it_waits_for_the_next_block() -> None:
    shown, said = looped(
        Blocks(1, 2), Cycles(DutyError("takeOver b", BudgetError("beyond the budget")), [take_over("a")])
    )
    assert (shown, said) == (["a"], ["takeOver b: beyond the budget"])


def test_a_wrong_chain_ends_it_only_before_the_first_cycle() -> None:
    with pytest.raises(ChainMismatchError):
        looped(Blocks(1), Cycles(ChainMismatchError("other chain"), []))
    shown, said = looped(Blocks(1, 2), Cycles([], ChainMismatchError("other chain"), [take_over("a")]))
    assert shown == ["a"]
    assert said == ["other chain; again in 0.001 s"]


def test_a_place_that_another_process_has_ends_it_at_any_cycle() -> None:
    with pytest.raises(LockLostError):
        looped(Blocks(1, 2), Cycles([], LockLostError("another keeper runs"), []))


def test_told_of_blocks_by_somebody_else_it_takes_a_turn_for_each_and_takes_one_that_fails_again() -> None:
    shown: list[str] = []
    said: list[str] = []
    heard: list[NewHead | Halted] = []
    cycles = Cycles([take_over("a")], RpcError("gone"), [take_over("b")], [take_over("c")], [])
    turn = Showing(cycles, show=lambda action: shown.append(name_of(action)), warn=pytest.fail)
    loop = cycles.loop = Loop(Blocks(1, 2, 3), turn, poll=0.001, tell=said.append, heard=heard.append)
    for announced, done in ((1, ["a"]), (1, ["a"]), (3, ["a", "b", "c"])):
        loop.take_turn(announced)
        assert shown == done
    assert said == ["gone; again in 0.001 s"]
    assert len(heard) == 3
    loop.stop()
    loop.take_turn(4)
    assert len(heard) == 3


def test_a_reader_that_is_gone_ends_it() -> None:
    with pytest.raises(BrokenPipeError):
        looped(Blocks(1), Cycles(BrokenPipeError(), []))


def test_output_that_cannot_be_written_is_no_failure_of_the_node() -> None:
    def show(_: Action) -> None:
        raise OSError(28, "No space left on device")

    cycles = Cycles([take_over("a")])
    cycles.loop = Loop(Blocks(1), Showing(cycles, show=show, warn=pytest.fail), poll=0.001, tell=pytest.fail)
    with pytest.raises(OutputError, match="cannot write the output: No space left on device"):
        cycles.loop.run()


def test_a_stop_between_two_actions_leaves_the_rest() -> None:
    cycles = Cycles([take_over("a"), take_over("b")], [])
    shown: list[str] = []

    def show(action: Action) -> None:
        shown.append(name_of(action))
        cycles.loop.stop()

    cycles.loop = Loop(Blocks(1, 2), Showing(cycles, show=show, warn=pytest.fail), poll=0.001, tell=pytest.fail)
    cycles.loop.run()
    assert shown == ["a"]


def test_the_pause_is_never_above_half_a_minute() -> None:
    said: list[str] = []
    cycles = Cycles(*[RpcError("gone")] * 18)
    showing = Showing(cycles, show=pytest.fail, warn=pytest.fail)
    cycles.loop = Loop(Blocks(1), showing, poll=0.001, tell=said.append, clock=lambda: 0.0)
    cycles.loop._stopping = Impatient()
    cycles.loop.run()
    pauses = [float(text.removeprefix("gone; again in ").removesuffix(" s")) for text in said]
    assert pauses[:3] == [0.001, 0.002, 0.004]
    assert pauses[-2:] == [30, 30]


def test_the_pauses_begin_anew_after_a_turn_that_has_done_something_or_gone_on_for_as_long() -> None:
    said: list[str] = []
    now, turns = [0.0], iter(["fails", "fails", "acts", "fails", "fails", "lasts", "fails", "goes well"])

    def turn(is_stopping: Callable[[], bool]) -> None:
        match next(turns):
            case "acts":
                is_stopping()
            case "lasts":
                now[0] += 0.008
            case "goes well":
                return
        raise RpcError("gone")

    loop = Loop(Blocks(1), turn, poll=0.001, tell=said.append, clock=lambda: now[0])
    loop._stopping = Impatient()
    loop.run()
    pauses = [float(text.removeprefix("gone; again in ").removesuffix(" s")) for text in said]
    assert pauses == [0.001, 0.002, 0.001, 0.002, 0.004, 0.001, 0.002]


class Impatient(threading.Event):
    """Waits for nothing."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()
