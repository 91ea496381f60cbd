"""`backstop fund history`: rows that sum to the chain's accounts, nodes that leave some out, files and plots."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from eth_account.signers.local import LocalAccount
from PIL import Image

from backstop.chain import logs
from backstop.chain.bindings import CHECKPOINTED, ENTERED
from backstop.chain.endpoint import Endpoint
from backstop.errors import NodeError
from backstop.fund.history import COLUMNS
from backstop.math.wad import format_amount
from scripts.stage.venue import Venue, wad
from tests.keeper.command import BACKSTOP, Done, assert_refused
from tests.support.acting import act
from tests.support.desk import Desk
from tests.support.enums import Item, Side
from tests.trader.shell import Shell, done

from .scenes import pass_time, stake

COOLDOWN = 3 * 86400


@pytest.fixture
def played(venue: Venue, shell: Shell, desks: dict[str, Desk], alice: LocalAccount, bob: LocalAccount) -> None:
    """Gifts, a stake and its exit, a takeover, a sale, a round, and a redistribution."""
    desk = desks["ETH-USD"]
    desk.contribute(19_000)
    desk.contribute(1000, to_market=True)
    stake(venue, shell, alice, "eth", "500")
    done(shell.run("fund", "unstake", "eth", "--all", "--send", by=alice))
    done(shell.run("fund", "unstake", "eth", "--cancel", "--send", by=alice))
    done(shell.run("fund", "unstake", "eth", "--value", "100", "--send", by=alice))
    pass_time(venue, COOLDOWN)
    done(shell.run("fund", "unstake", "eth", "--claim", "--send", by=alice))
    desk.inherit("icarus", 800, 100, 9000, 80)
    desk.deposit(bob, 50_000)
    pass_time(venue, 60)
    desk.deleverage(Side.LONG, [desk.trader("whale")])
    desk.inherit("daedalus", 100, 80, 500, 75)
    desk.price(76)
    desk.buy(Side.LONG, wad(10), by=bob)
    desks["ADA-USD"].contribute(40)
    desks["DOT-USD"].inherit("perdix", 100, 100, 1000, 50)
    act(venue.owner, desk.fund.redistribute)


def rows_of(shell: Shell, *options: str) -> list[dict[str, Any]]:
    """The rows as JSON."""
    document = done(shell.run("fund", "history", "--json", *options)).document
    assert list(document) == ["block", "token", "rows"]
    return list(document["rows"])


def test_rows_sum_to_the_accounts_on_chain(played: None, shell: Shell, venue: Venue) -> None:
    rows = rows_of(shell)
    assert all(list(row) == list(COLUMNS) for row in rows)
    fund = venue.system.fund
    names = {name: place for place, name in enumerate(("majors", "eth", "ada", "dot"), 1)}
    sums: dict[tuple[str, str], int] = defaultdict(int)
    cash: dict[str, str] = {}
    for row in rows:
        if row["amount"] is not None:
            sums[row["pool"], row["event"]] += wad(row["amount"])
            cash[row["pool"]] = row["cash"]
    items = {
        item: item.name.split("_")[0].lower() + "".join(part.title() for part in item.name.split("_")[1:])
        for item in Item
    }
    for pool, place in names.items():
        told = {name: amount for (of, name), amount in sums.items() if of == pool}
        held = {items[item]: amount for item, amount in zip(Item, fund.items(place), strict=True) if amount}
        assert {name: amount for name, amount in told.items() if amount} == held
        assert cash.get(pool, "0") == format_amount(fund.pool(place).cash)
    assert (sums["eth", "contribution"], sums["eth", "stake"], sums["eth", "exit"]) == (
        wad(20_000),
        wad(500),
        -wad(100),
    )
    assert sums["eth", "deleveraging"] < 0
    assert sums["eth", "auction"] != 0
    assert sums["ada", "redistribution"] == -sums["dot", "redistribution"] == -wad(40)
    times = [(row["block"], row["time"]) for row in rows]
    assert times == sorted(times)


def test_what_happened_is_told(played: None, shell: Shell, alice: LocalAccount) -> None:
    rows = rows_of(shell, "--pool", "eth")
    by_event = {row["event"]: row for row in rows}
    assert set(by_event) >= {
        "poolCreated",
        "sharesIssued",
        "marketAssigned",
        "contributed",
        "staked",
        "exitRequested",
        "exitCancelled",
        "exitPaid",
        "inherited",
        "sample",
        "adlStarted",
        "adlEnded",
        "closed",
        "round",
        "sold",
    }
    assert (by_event["staked"]["who"], by_event["staked"]["market"]) == (alice.address, None)
    round_ = by_event["round"]
    assert (round_["side"], round_["contracts"], round_["note"]) == ("long", "800", "round 1, drawdown")
    inherited = next(row for row in rows if row["event"] == "inherited")
    assert (inherited["contracts"], inherited["price"], inherited["market"]) == ("800", "88.75", "ETH-USD")
    started = by_event["adlStarted"]
    assert started["note"] == "drawdown"
    assert wad(started["drawdown"]) > wad("0.3")


def test_pool_market_and_since(played: None, shell: Shell) -> None:
    rows = rows_of(shell)
    assert {row["pool"] for row in rows_of(shell, "--pool", "ada")} == {"ada"}
    assert {row["market"] for row in rows_of(shell, "--market", "DOT-USD")} == {"DOT-USD"}
    middle = rows[len(rows) // 2]["block"]
    assert rows_of(shell, "--since", str(middle)) == [row for row in rows if row["block"] >= middle]
    moment = rows[len(rows) // 2]["time"]
    later = [row for row in rows if row["time"] >= moment]
    assert rows_of(shell, "--since", moment) == later
    assert rows_of(shell, "--since", moment.removesuffix("Z")) == later
    assert rows_of(shell, "--since", "2999-01-01") == []
    assert "No events." in done(shell.run("fund", "history", "--since", "2999-01-01")).out


def test_csv(played: None, shell: Shell, tmp_path: Path) -> None:
    text = done(shell.run("fund", "history", "--csv", "-")).out
    table = list(csv.DictReader(io.StringIO(text)))
    assert list(table[0]) == list(COLUMNS)
    assert len(table) == len(rows_of(shell))
    assert sum(wad(row["amount"]) for row in table if row["amount"] and row["event"] == "stake") == wad(500)
    assert done(shell.run("fund", "history", "--csv", tmp_path / "rows.csv")).out == ""
    assert (tmp_path / "rows.csv").read_text() == text
    assert_refused(shell.run("fund", "history", "--csv", tmp_path / "no" / "rows.csv"), "there is no folder")
    assert_refused(shell.run("fund", "history", "--csv", tmp_path), "it is a folder")
    full = shell.run("fund", "history", "--csv", "/dev/full")
    assert (full.status, full.err.count("\n")) == (1, 1)
    assert "cannot write" in full.err
    nothing = shell.run("fund", "history", "--csv", tmp_path / "rows.csv", "--since", "99999999")
    assert (nothing.status, nothing.err) == (0, "warning: no event is of those asked for\n")
    assert_refused(shell.run("fund", "history", "--csv", "-", "--json"), "both print")


# ------------------------------------------------------------------ nodes


class Patched:
    """What a node answers to `eth_getLogs`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any], Any], Any]) -> None:
        request = Endpoint.request

        def changed(endpoint: Endpoint, method: str, *params: Any) -> Any:
            answer = request(endpoint, method, *params)
            return change(params[0], answer) if method == "eth_getLogs" else answer

        monkeypatch.setattr(Endpoint, "request", changed)


def without(topic: bytes, place: int) -> Callable[[dict[str, Any], Any], Any]:
    """Leaves the event at a place among those of a kind out."""

    def change(_: dict[str, Any], found: Any) -> Any:
        kind = [log for log in found if log["topics"][0] == "0x" + topic.hex()]
        return [log for log in found if not kind or log is not kind[place]]

    return change


@pytest.mark.parametrize("place", [0, 3, -1])
def test_a_node_that_leaves_events_out(place: int, played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the end either, where no later event could tell."""
    Patched(monkeypatch, without(ENTERED.topic, place))
    refused = shell.run("fund", "history", "--json")
    assert_refused(refused, "leaves events out", "ask a node that has all logs since the deployment")


def test_a_node_without_any(played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    Patched(monkeypatch, lambda _, __: [])
    assert_refused(shell.run("fund", "history"), "leaves events out", "sum to 0 of contribution")


def test_a_node_that_gives_few_blocks(played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows_of(shell)
    asked: list[int] = []

    def sparing(query: dict[str, Any], found: Any) -> Any:
        blocks = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
        if blocks > 40:
            raise NodeError("eth_getLogs: block range too large")
        asked.append(blocks)
        return found

    Patched(monkeypatch, sparing)
    result = shell.run("fund", "history", "--json")
    assert (result.status, result.document["rows"]) == (0, whole)
    warnings = result.err.splitlines()
    assert warnings
    assert all(line.startswith("warning: ") and "asking for" in line and "block range" in line for line in warnings)
    assert max(asked) <= 40


def test_a_node_that_gives_no_logs_at_all(played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: dict[str, Any], __: Any) -> Any:
        raise NodeError("eth_getLogs: not today")

    Patched(monkeypatch, refuse)
    result = shell.run("fund", "history")
    assert (result.status, result.out) == (2, "")
    assert "does not even give the logs of" in result.err.splitlines()[-1]


def test_a_node_that_leaves_the_time_of_events_out(played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows_of(shell)
    Patched(
        monkeypatch,
        lambda _, found: [{key: value for key, value in log.items() if key != "blockTimestamp"} for log in found],
    )
    assert rows_of(shell) == whole


@pytest.mark.parametrize("answer", [{}, [{}], [7], [{"topics": "0x"}]])
def test_logs_that_cannot_be_read(answer: Any, played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    Patched(monkeypatch, lambda _, __: answer)
    assert_refused(shell.run("fund", "history"), "eth_getLogs")


def test_pages_make_no_difference(played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows_of(shell)
    monkeypatch.setattr(logs, "PAGE", 3)
    assert rows_of(shell) == whole


def test_samples_may_be_missing_but_no_money(played: None, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the chain keeps no account of cannot be missed; the money is what is held against it."""
    Patched(monkeypatch, without(CHECKPOINTED.topic, 0))
    assert len(rows_of(shell)) == len(rows_of(shell))


# ------------------------------------------------------------------ plots


def plot(shell: Shell, file: Path, *options: str) -> Done:
    """Draws the history."""
    result = done(shell.run("fund", "history", "--plot", file, *options))
    assert result.out == ""
    return result


def test_png(played: None, shell: Shell, tmp_path: Path) -> None:
    plot(shell, tmp_path / "fund.png")
    with Image.open(tmp_path / "fund.png") as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 500


def test_svg_is_well_formed_and_labelled(played: None, shell: Shell, tmp_path: Path) -> None:
    plot(shell, tmp_path / "fund.svg")
    text = (tmp_path / "fund.svg").read_text()
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    for words in (
        "History of the insurance fund",
        "Pool eth: cash and balance",
        "Pool eth: drawdown of its markets",
        "amount (tUSDC)",
        "drawdown (% of the base)",
        "time (UTC)",
        "trigger of ETH-USD: 30 %",
        "stop of ETH-USD: 25 %",
        "ADL round",
        "cash",
        "balance, as sampled and now",
    ):
        assert words in text, words
    plot(shell, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == text


def test_page_needs_nothing_but_itself(played: None, shell: Shell, tmp_path: Path) -> None:
    plot(shell, tmp_path / "fund.HTML", "--pool", "ada")
    page = (tmp_path / "fund.HTML").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg") == 1
    assert not any(
        tag in page.lower() for tag in ("<script", "<link", "<img", "<iframe", "@import", "http-equiv=refresh")
    )
    assert "Pools ada" in page
    assert "Pool eth" not in page


def test_nothing_to_plot_is_a_plot_too(played: None, shell: Shell, tmp_path: Path) -> None:
    told = shell.run("fund", "history", "--plot", tmp_path / "none.png", "--since", "2999-01-01")
    assert (told.status, told.err) == (0, "warning: no event is of those asked for\n")
    with Image.open(tmp_path / "none.png") as image:
        image.verify()


@pytest.mark.parametrize("name", ["fund.pdf", "fund", "fund.png.txt"])
def test_another_suffix_is_refused_before_anything_is_read(name: str, shell: Shell, tmp_path: Path) -> None:
    line = ("fund", "history", "--rpc", "http://127.0.0.1:9", "--deployment", "nowhere.json", "--plot", tmp_path / name)
    refused = subprocess.run([BACKSTOP, *map(str, line)], capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: --plot ")
    assert refused.stderr.endswith("the name has to end with .png, .svg or .html\n")


def test_status_loads_no_matplotlib(shell: Shell) -> None:
    code = "import sys; import backstop.cli, backstop.commands.fund.history; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=dict(os.environ))


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--pool", "doge"), ("unknown pool 'doge'", "majors, eth, ada, dot")),
        (("--market", "DOGE-USD"), ("unknown market 'DOGE-USD'", "ETH-USD")),
        (("--pool", "eth", "--market", "BTC-USD"), ("unknown market 'BTC-USD'", 'pool "eth" has ETH-USD')),
        (("--since", "yesterday"), ("--since 'yesterday'", "a block's number", "2026-01-31")),
        (("--since", "-1"), ("--since '-1'",)),
        (("--since", "1" * 16), ("--since",)),
    ],
)
def test_bad_input(options: tuple[str, ...], words: tuple[str, ...], shell: Shell) -> None:
    assert_refused(shell.run("fund", "history", *options), *words)


def test_no_node_and_no_deployment(shell: Shell) -> None:
    for command in (("history",), ("status",), ("stakes", "0x" + "11" * 20)):
        dead = ("fund", *command, "--rpc", "http://127.0.0.1:9", "--deployment", str(shell.deployment))
        done_ = subprocess.run([BACKSTOP, *dead], capture_output=True, text=True, check=False, timeout=60)
        assert (done_.returncode, done_.stdout) == (2, "")
        assert "no answer from http://127.0.0.1:9" in done_.stderr
    document = json.loads(shell.deployment.read_text())
    shell.deployment.write_text(json.dumps(document | {"chain_id": 1}))
    assert_refused(shell.run("fund", "status"), "serves chain 31337, the deployment is on chain 1")
