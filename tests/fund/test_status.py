"""`backstop fund status`: what it says is what the contracts say, its keys, and its lines."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from backstop.math.wad import format_amount
from backstop.render_fund import show_gauge
from scripts.stage.venue import Venue, wad
from tests.keeper.command import BACKSTOP, assert_refused
from tests.support.acting import act
from tests.support.desk import Desk
from tests.trader.shell import Shell, done

from .scenes import market_status, stake, status

KEYS = {
    "block": {"chainId", "number", "hash", "timestamp"},
    "pool": {
        "name",
        "kind",
        "backing",
        "balance",
        "base",
        "cash",
        "inventoryLosses",
        "unsettledFunding",
        "items",
        "deficit",
        "shares",
        "markets",
    },
    "shares": {
        "address",
        "total",
        "value",
        "assets",
        "cap",
        "room",
        "refusal",
        "cooldown",
        "openExits",
        "openExitShares",
    },
    "market": {
        "name",
        "markPrice",
        "isLive",
        "drawdown",
        "trigger",
        "stop",
        "target",
        "loss",
        "result",
        "peak",
        "adl",
        "inventory",
        "runway",
    },
    "adl": {"on", "reason", "seen", "started", "stress", "error", "toClose"},
}


@pytest.fixture
def fallen(venue: Venue, shell: Shell, desks: dict[str, Desk], alice: LocalAccount) -> None:
    """The worked case of docs/mathematics.md in "eth", with a staker."""
    desk = desks["ETH-USD"]
    stake(venue, shell, alice, "eth", "20000")
    done(shell.run("fund", "unstake", "eth", "--value", "1500.5", "--send", by=alice))
    desk.inherit("icarus", 800, 90, 1000, 80)


def test_keys_are_what_they_are(fallen: None, shell: Shell) -> None:
    document = done(shell.run("fund", "status", "--json")).document
    assert list(document) == ["block", "token", "tokensHeld", "deficit", "withdrawalRate", "pools"]
    assert set(document["block"]) == KEYS["block"]
    assert [pool["name"] for pool in document["pools"]] == ["majors", "eth", "ada", "dot"]
    for pool in document["pools"]:
        assert set(pool) == KEYS["pool"]
        assert set(pool["shares"]) == KEYS["shares"]
        assert len(pool["items"]) == 11
        for market in pool["markets"]:
            assert set(market) == KEYS["market"]
            assert set(market["adl"]) == KEYS["adl"]


def test_every_number_is_the_contracts_own(fallen: None, shell: Shell, venue: Venue, desks: dict[str, Desk]) -> None:
    desk, fund = desks["ETH-USD"], venue.system.fund
    pool, backing = status(shell, "eth"), desk.backing()
    assert (pool["kind"], pool["backing"]) == ("isolated", "own")
    assert pool["balance"] == format_amount(fund.balanceOf(desk.market.pool)) == "13000"
    assert pool["base"] == format_amount(backing.base) == "20000"
    assert list(pool["items"].values()) == [format_amount(amount) for amount in fund.items(desk.market.pool)]
    assert sum(wad(amount) for amount in pool["items"].values()) == wad(pool["cash"])
    assert wad(pool["balance"]) == wad(pool["cash"]) - wad(pool["inventoryLosses"]) - wad(pool["unsettledFunding"])
    market = market_status(shell, "eth", "ETH-USD")
    assert (market["drawdown"], market["loss"]) == (format_amount(backing.drawdown), format_amount(backing.loss))
    assert market["adl"] == {
        "on": True,
        "reason": "drawdown",
        "seen": "drawdown",
        "started": True,
        "stress": 4,
        "error": None,
        "toClose": [{"side": "long", "contracts": "800", "price": "82.5", "compensation": "2000"}],
    }
    assert market["inventory"] == [
        {"side": "long", "contracts": "800", "bankruptcyPrice": "88.75", "loss": "7000", "auctionPrice": "81.6"}
    ]
    assert pool["shares"]["openExits"] == 1
    assert pool["shares"]["openExitShares"] == "1500.5"
    assert (pool["shares"]["total"], pool["shares"]["assets"]) == ("20000", "13000")
    assert pool["shares"]["refusal"] == f"StakeWhileADLDue({desk.market.pool}, {desk.market.id})"


def test_unseen_and_seen_triggers(shell: Shell, desks: dict[str, Desk]) -> None:
    """A trigger that the mark has brought is on before a sample has seen it; and one may not have seen its end."""
    desk = desks["ETH-USD"]
    desk.contribute(20_000)
    desk.inherit("icarus", 200, 100, 1000, 95)
    desk.price(60)
    adl = market_status(shell, "eth", "ETH-USD")["adl"]
    assert (adl["on"], adl["reason"], adl["seen"]) == (True, "drawdown", None)
    assert "on, by drawdown, not sampled yet" in done(shell.run("fund", "status", "--pool", "eth")).out
    desk.checkpoint()
    desk.price(95)
    adl = market_status(shell, "eth", "ETH-USD")["adl"]
    assert (adl["on"], adl["reason"], adl["seen"]) == (False, None, "drawdown")
    assert "off; it had started, and ends at the next sample" in done(shell.run("fund", "status", "--pool", "eth")).out


def test_a_dead_feed_under_a_trigger(shell: Shell, desks: dict[str, Desk], owner: Any, venue: Venue) -> None:
    desk = desks["ETH-USD"]
    desk.contribute(20_000)
    desk.inherit("icarus", 200, 100, 1000, 95)
    desk.price(60)
    desk.checkpoint()
    venue.system.price_feed.accept(desk.market.id, sender=owner)
    act(owner, desk.market.feed.setAnswer, -1)
    result = shell.run("fund", "status", "--pool", "eth", "--json")
    (market,) = result.document["pools"][0]["markets"]
    assert (market["adl"]["on"], market["adl"]["toClose"]) == (True, [])
    assert "PriceNotPositive" in market["adl"]["error"]
    shown = shell.run("fund", "status", "--pool", "eth")
    assert shown.status == 0
    assert "no round without a price" in shown.out
    assert "its feed is dead" in shown.out


def test_unknown_pool(shell: Shell) -> None:
    assert_refused(shell.run("fund", "status", "--pool", "doge"), "unknown pool 'doge'", "majors, eth, ada, dot")
    assert_refused(shell.run("fund", "status", "--pool", ""), "unknown pool ''")


def test_process_prints_the_same(fallen: None, shell: Shell) -> None:
    inside, outside = (run("fund", "status", "--json") for run in (shell.run, shell.process))
    assert done(outside).out == done(inside).out
    text = done(shell.process("fund", "status")).out
    assert "\x1b[" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())


# ------------------------------------------------------------------ terminals


def on_terminal(shell: Shell, *arguments: str, columns: int = 80, **more: str) -> str:
    """What a terminal of that many columns is given."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    line = [str(BACKSTOP), *map(str, shell.line(*arguments))]
    process = subprocess.Popen(
        line, stdout=follower, stderr=follower, stdin=follower, env=environment | {"TERM": "xterm-256color"} | more
    )
    os.close(follower)
    text = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(leader)
    assert process.wait(60) == 0
    return text.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("command", [("status",), ("history",), ("stakes",)], ids=lambda command: command[0])
def test_80_columns_crop_nothing(
    command: tuple[str, ...], fallen: None, shell: Shell, desks: dict[str, Desk], alice: LocalAccount
) -> None:
    """Large numbers too: every one that a pipe shows is whole in the terminal, and lines of text are folded."""
    desks["BTC-USD"].contribute("123456789012.123456")
    arguments = ("fund", *command, *((alice.address,) if command == ("stakes",) else ()))
    wide = done(shell.process(*arguments)).out
    narrow = plain(on_terminal(shell, *arguments))
    numbers = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")
    assert set(numbers.findall(wide)) <= set(numbers.findall(narrow))
    assert "…" not in narrow
    if command == ("status",):
        assert max(map(len, narrow.splitlines())) <= 80
        assert "123,456,789,012.12" in narrow


def test_colour_is_for_terminals(fallen: None, shell: Shell) -> None:
    assert "\x1b[31m█" in on_terminal(shell, "fund", "status", "--pool", "eth")
    assert "\x1b[3" not in on_terminal(shell, "fund", "status", "--pool", "eth", NO_COLOR="1")


@pytest.mark.parametrize(
    ("drawdown", "bar"),
    [
        ("0", "··········┊··┃····························"),
        ("0.0001", "█·········┊··┃····························"),
        ("0.25", "██████████┊··┃····························"),
        ("0.35", "██████████┊██┃██··························"),
        ("1", "██████████┊██┃████████████████████████████"),
        ("3.5", "██████████┊██┃████████████████████████████"),
    ],
)
def test_gauge(drawdown: str, bar: str) -> None:
    assert show_gauge(wad(drawdown), wad("0.25"), wad("0.3"), "utf-8").plain == bar
    ascii_bar = show_gauge(wad(drawdown), wad("0.25"), wad("0.3"), "ascii").plain
    assert ascii_bar == bar.translate(str.maketrans("█·┊┃", "#.:|"))


def test_document_is_json_of_one_block(fallen: None, shell: Shell, venue: Venue) -> None:
    """Every call but the first names the block by its hash."""
    asked: list[Any] = []
    from backstop.chain.endpoint import Endpoint

    request = Endpoint.request
    with pytest.MonkeyPatch.context() as patch:

        def watched(endpoint: Endpoint, method: str, *params: Any) -> Any:
            if method == "eth_call":
                asked.append((params[0]["to"], params[1]))
            return request(endpoint, method, *params)

        patch.setattr(Endpoint, "request", watched)
        document = done(shell.run("fund", "status", "--json")).document
    system = venue.system
    read = [at for to, at in asked if to in (system.fund_lens.address, system.lens.address) and at != "latest"]
    assert read
    assert all(at == {"blockHash": document["block"]["hash"]} for at in read)
    assert json.dumps(document)
