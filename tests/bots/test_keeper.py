"""The keeper under silverback, on a real chain: `make bots` installs silverback and runs these."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backstop.chain.bindings import ROUND_EXECUTED, TAKEN_OVER
from backstop.chain.keys import ENVIRONMENT
from backstop.transactions.journal import Journal, State
from scripts.stage.faulty_proxy import FaultyProxy, Status
from scripts.stage.venue import Venue, rpc_url
from tests.keeper.command import secret_of
from tests.keeper.sea import PRICES, Sea, wait_until

CHECKOUT = Path(__file__).parents[2]
SILVERBACK = CHECKOUT / ".venv-bots" / "bin" / "silverback"
PATIENCE = 90.0  # seconds; silverback takes seven to start, more where the machine is busy
MORE_THAN_SILVERBACK_BEARS = 5  # it halts after three exceptions

pytestmark = pytest.mark.skipif(not SILVERBACK.exists(), reason="silverback is not installed: `make bots` does it")


class Bot:
    """`silverback run keeper` as a process; what it says goes to a file."""

    def __init__(self, sea: Sea, folder: Path, **environment: str) -> None:
        self._file = folder / "bot.txt"
        settings = {
            "BACKSTOP_CONFIG": str(folder / "keeper.toml"),
            "BACKSTOP_DEPLOYMENT": str(sea.deployment),
            "BACKSTOP_STATE_DIR": str(folder / "state"),
            ENVIRONMENT: secret_of(sea.keeper),
        }
        ape = {"APE_FOUNDRY_HOST": rpc_url(), "APE_DATA_FOLDER": str(folder / "ape")}
        with self._file.open("wb") as output:
            self.process = subprocess.Popen(
                [SILVERBACK, "run", "keeper", "--network", "ethereum:local:foundry"],
                cwd=CHECKOUT,
                env=os.environ | settings | ape | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self._file.read_text(encoding="utf-8")

    def log(self) -> list[dict[str, Any]]:
        """What of it is the keeper's own log."""
        return [json.loads(line) for line in self.said().splitlines() if line.startswith("{") and line.endswith("}")]

    def wait(self, holds: Callable[[], bool]) -> None:
        """Until it holds, as long as the bot is alive."""

        def look() -> bool:
            assert self.process.poll() is None, self.said()
            return holds()

        wait_until(look, PATIENCE)

    def listens(self) -> bool:
        return "transitioning to runtime" in self.said()

    def status(self) -> int:
        return self.process.wait(PATIENCE)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.status()


Start = Callable[..., Bot]


@pytest.fixture(scope="module")
def venue(owner: Any) -> Venue:
    """A system of its own: nothing is due there but what these tests make so."""
    return Venue.open(owner)


@pytest.fixture
def sea(venue: Venue, tmp_path: Path) -> Sea:
    return Sea(venue, tmp_path)


@pytest.fixture
def start(sea: Sea, tmp_path: Path) -> Iterator[Start]:
    """Starts bots, and leaves none behind."""
    started: list[Bot] = []

    def begin(url: str | None = None, **environment: str) -> Bot:
        (tmp_path / "keeper.toml").write_text(
            f'[node]\nurls = ["{url or rpc_url()}"]\npoll = 0.05\n[duties.checkpoint]\nenabled = false\n'
            '[log]\nformat = "json"\n'
        )
        started.append(Bot(sea, tmp_path, **environment))
        return started[-1]

    yield begin
    for bot in started:
        bot.process.kill()
        bot.process.wait()


def nonce(sea: Sea) -> int:
    return sea.venue.endpoint.quantity("eth_getTransactionCount", sea.keeper.address, "pending")


def events_since(sea: Sea, block: int) -> list[str]:
    """Take-overs and rounds on chain, in order."""
    kinds = {"take-over": TAKEN_OVER, "round": ROUND_EXECUTED}
    names = {"0x" + bytes(kind.topic).hex(): name for name, kind in kinds.items()}
    logs = sea.venue.endpoint.request("eth_getLogs", {"fromBlock": hex(block + 1), "topics": [list(names)]})
    return [names[log["topics"][0]] for log in logs]


# ------------------------------------------------------------------ what it does


def test_take_overs_and_the_round_are_on_chain_and_it_ends_when_told(sea: Sea, start: Start, tmp_path: Path) -> None:
    bot = start(BACKSTOP_BOT_SEND="yes")
    bot.wait(bot.listens)
    before = sea.venue.endpoint.quantity("eth_blockNumber")
    sea.set_price(PRICES["ADL"])
    bot.wait(lambda: sea.sizes() == {})
    assert bot.end() == 0
    assert events_since(sea, before) == ["take-over", "take-over", "round"]
    assert [one["duty"] for one in bot.log() if one["event"] == "sent"] == ["take_over", "take_over", "adl"]
    journal = Journal(str(tmp_path / "state" / "journal.sqlite"), create=False)
    assert [intent.state for intent in journal.all()] == [State.MINED] * 3
    journal.close()
    assert "Traceback" not in bot.said()


def test_without_a_word_nothing_is_sent(sea: Sea, start: Start) -> None:
    before = nonce(sea)
    bot = start()
    bot.wait(bot.listens)
    sea.set_price(PRICES["first takeover"])
    bot.wait(lambda: "Not sent: " in bot.said())
    assert bot.end() == 0
    assert [one["dry_run"] for one in bot.log() if one["event"] == "watching"] == [True]
    assert (nonce(sea), "first" in sea.sizes()) == (before, True)


def test_turns_that_fail_are_told_and_taken_again(sea: Sea, start: Start) -> None:
    with FaultyProxy(rpc_url()) as node:
        bot = start(node.url, BACKSTOP_BOT_SEND="yes")
        bot.wait(bot.listens)
        node.inject("eth_call", Status(503))
        sea.set_price(PRICES["first takeover"])
        for _ in range(MORE_THAN_SILVERBACK_BEARS):
            sea.venue.endpoint.request("evm_mine")
        told = "; again in "
        bot.wait(lambda: sum(told in one["event"] for one in bot.log()) > MORE_THAN_SILVERBACK_BEARS)
        assert "first" in sea.sizes()
        node.clear()
        bot.wait(lambda: "first" not in sea.sizes())
        assert bot.end() == 0


# ------------------------------------------------------------------ what it refuses


def refusal(bot: Bot) -> str:
    """The one line, of a bot that has ended with status 2."""
    assert bot.status() == 2, bot.said()
    assert "Traceback" not in bot.said()
    (line,) = [line for line in bot.said().splitlines() if line.startswith("error: ")]
    return line


def test_another_chain_than_the_deployments_is_refused(sea: Sea, start: Start) -> None:
    document = json.loads(sea.deployment.read_text())
    sea.deployment.write_text(json.dumps(document | {"chain_id": 5}))
    assert refusal(start()) == "error: silverback is on chain 31337, the deployment is on chain 5"


def test_a_key_without_a_bond_is_refused(sea: Sea, start: Start) -> None:
    poor = sea.venue.trader("sea poor")
    bot = start(BACKSTOP_BOT_SEND="yes", **{ENVIRONMENT: secret_of(poor)})
    assert refusal(bot).startswith(f"error: {poor.address} has no bond, and every round needs one")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("BACKSTOP_BOT_SEND", "perhaps", "error: BACKSTOP_BOT_SEND is 'perhaps': yes signs and sends"),
        ("BACKSTOP_NODE__POL", "1", "error: unknown variable BACKSTOP_NODE__POL in the environment"),
    ],
)
def test_a_wrong_setting_is_told(sea: Sea, start: Start, variable: str, value: str, told: str) -> None:
    assert refusal(start(**{variable: value})).startswith(told)
