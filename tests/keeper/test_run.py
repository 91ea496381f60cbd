"""`backstop run --once` on a chain: what it shows, what it does, and that it does it once."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.adl.planning import plan
from backstop.adl.results import plan_document
from backstop.chain.bindings import DELEVERAGED, ROUND_EXECUTED, TAKEN_OVER
from backstop.chain.keys import ENVIRONMENT
from backstop.chain.snapshot import ChainState, read_chain
from backstop.math.wad import format_amount
from scripts.stage.cases import Case
from scripts.stage.venue import HEARTBEAT, TestMarket, Venue, rpc_url, wad

from .command import BACKSTOP, Done, backstop, backstop_inside, secret_of
from .taking import take_over


@dataclass
class Keeper:
    """Runs the command against the venue."""

    deployment: Path
    key: str

    def run(self, *options: str | Path) -> Done:
        """One cycle, as a process of its own."""
        return backstop(*self._line(), *options, key=self.key)

    def run_inside(self, *options: str | Path) -> Done:
        """One cycle in this process, where another test has shown that it makes no difference."""
        return backstop_inside(*self._line(), *options, key=self.key)

    def _line(self) -> tuple[str | Path, ...]:
        return "run", "--once", "--no-checkpoint", "--rpc", rpc_url(), "--deployment", self.deployment


@pytest.fixture
def keeper_process(deployment_file: Path, operator: LocalAccount) -> Keeper:
    """The keeper."""
    return Keeper(deployment_file, secret_of(operator))


def read(venue: Venue) -> ChainState:
    """The state of the latest block."""
    return read_chain(venue.endpoint, venue.deployment)


def nonce(venue: Venue, signer: LocalAccount) -> int:
    """How many transactions somebody has sent."""
    return venue.endpoint.quantity("eth_getTransactionCount", signer.address, "pending")


def receipt_of(venue: Venue, transaction: str) -> Any:
    """The receipt of a transaction, from the node."""
    return venue.endpoint.request("eth_getTransactionReceipt", transaction)


def gas_of(venue: Venue, transaction: str) -> int:
    """What a transaction used."""
    return int(receipt_of(venue, transaction)["gasUsed"], 16)


# ------------------------------------------------------------------ dry run


def test_dry_run_shows_the_takeover_and_changes_nothing(
    gapped: TestMarket, venue: Venue, keeper_process: Keeper, operator: LocalAccount
) -> None:
    before = read(venue)
    done = keeper_process.run()
    assert (done.status, done.err) == (0, "")
    account = venue.account_of(gapped, "icarus")
    assert done.out.splitlines() == [
        f"Take over {account} in ETH-USD: equity -7,000, maintenance margin 320",
        done.out.splitlines()[1],
    ]
    assert done.out.splitlines()[1].startswith("Not sent: --send would do this for about ")
    assert read(venue) == before
    assert nonce(venue, operator) == 0


def test_dry_run_in_json(gapped: TestMarket, venue: Venue, keeper_process: Keeper) -> None:
    before = read(venue)
    done = keeper_process.run_inside("--json")
    assert (done.status, done.err) == (0, "")
    (action,) = done.document
    gas = action.pop("gas")
    assert 100_000 < gas < 300_000
    assert action == {
        "duty": "takeOver",
        "sent": False,
        "refused": None,
        "block": before.block.number,
        "transaction": None,
        "account": venue.account_of(gapped, "icarus"),
        "markets": ["ETH-USD"],
        "equity": "-7000",
        "maintenanceMargin": "320",
    }
    assert read(venue) == before


def test_dry_run_shows_the_round_that_is_due(
    gapped: TestMarket, venue: Venue, keeper_process: Keeper, operator: LocalAccount
) -> None:
    take_over(venue, gapped)
    before = read(venue)
    done = keeper_process.run("--json")
    assert (done.status, done.err) == (0, "")
    (action,) = done.document
    assert action.pop("gas") is None  # nobody in particular has a bond
    (planned,) = plan(before.snapshot)
    assert action == {
        "duty": "deleverage",
        "sent": False,
        "refused": None,
        "block": before.block.number,
        "transaction": None,
        "plan": plan_document(planned),
        "round": None,
    }
    assert read(venue) == before
    assert nonce(venue, operator) == 0

    shown = keeper_process.run_inside().out
    assert 'ETH-USD: close 800 long contracts of the pool "eth"' in shown
    assert "35 %" in shown
    for seat in ("hawk", "swift"):
        assert venue.account_of(gapped, seat) in shown
    assert "82.5" in shown
    assert "Not sent: --send would do this" in shown


def test_dry_run_needs_no_key(gapped: TestMarket, deployment_file: Path) -> None:
    done = backstop("run", "--once", "--rpc", rpc_url(), "--deployment", deployment_file)
    assert (done.status, done.err) == (0, "")
    assert "Take over" in done.out


# ------------------------------------------------------------------ --send


def test_send_takes_over_and_deleverages_to_the_end(
    gapped: TestMarket, case: Case, venue: Venue, keeper_process: Keeper, operator: LocalAccount
) -> None:
    before = read(venue)
    done = keeper_process.run("--send", "--json")
    assert (done.status, done.err) == (0, "")
    taken_over, deleveraged = done.document
    names = {venue.account_of(gapped, seat.trader): seat.trader for seat in case.seats}
    hawk, swift = (venue.account_of(gapped, seat) for seat in ("hawk", "swift"))

    assert taken_over == {
        "duty": "takeOver",
        "sent": True,
        "refused": None,
        "block": before.block.number + 1,
        "transaction": taken_over["transaction"],
        "gas": gas_of(venue, taken_over["transaction"]),
        "account": venue.account_of(gapped, "icarus"),
        "markets": ["ETH-USD"],
        "equity": "-7000",
        "maintenanceMargin": "320",
    }
    scores = {"hawk": "0.002666666666666666", "swift": "0.002339181286549707"}
    fills = [
        {"account": hawk, "contracts": "300", "price": "82.5", "leveragedReturn": scores["hawk"]},
        {"account": swift, "contracts": "500", "price": "82.5", "leveragedReturn": scores["swift"]},
    ]
    assert deleveraged == {
        "duty": "deleverage",
        "sent": True,
        "refused": None,
        "block": before.block.number + 2,
        "transaction": deleveraged["transaction"],
        "gas": gas_of(venue, deleveraged["transaction"]),
        "plan": {
            "market": "ETH-USD",
            "side": "long",
            "pool": "eth",
            "trigger": "drawdown",
            "drawdown": "0.35",
            "compensation": "2000",
            "adlPrice": "82.5",
            "contracts": "800",
            "fills": [
                fill | {"adlRank": rank, "realizedPnl": realized}
                for fill, rank, realized in zip(fills, (1, 2), ("5250", "3750"), strict=True)
            ],
            "skipped": [],
            "uncovered": "0",
        },
        "round": {
            "id": 1,
            "keeper": operator.address.lower(),
            "markPrice": "80",
            "adlPrice": "82.5",
            "contracts": "800",
            "netted": "0",
            "value": "66000",
            "compensation": "2000",
            "fills": [fill | {"place": place} for place, fill in enumerate(fills, start=1)],
            "skipped": [],
        },
    }

    # The chain says so too: events of the two transactions, sent by the operator, and the state after them.
    for action, topics in (
        (taken_over, [TAKEN_OVER.topic]),
        (deleveraged, [DELEVERAGED.topic, DELEVERAGED.topic, ROUND_EXECUTED.topic]),
    ):
        receipt = receipt_of(venue, action["transaction"])
        assert (receipt["status"], receipt["from"]) == ("0x1", operator.address.lower())
        logged = [bytes.fromhex(log["topics"][0][2:]) for log in receipt["logs"]]
        assert [topic for topic in logged if topic in topics] == topics
    after = read(venue)
    assert nonce(venue, operator) == 2
    assert after.snapshot.pools["eth"].inventory == ()
    assert format_amount(after.snapshot.pools["eth"].balance) == "15000"
    assert after.tokens_held == after.claims
    assert after.sums_of_sizes == {"ETH-USD": 0}
    contracts = {
        names[account.id]: format_amount(abs(account.positions[0].size))
        for account in after.snapshot.accounts
        if account.positions
    }
    assert contracts == {"swift": "100", "heron": "400", "owl": "200", "finch": "200", "whale": "900"}


def test_send_tells_in_words_what_was_done(gapped: TestMarket, venue: Venue, keeper_process: Keeper) -> None:
    done = keeper_process.run_inside("--send")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"Take over {venue.account_of(gapped, 'icarus')} in ETH-USD")
    ends = [line for line in lines if line.startswith("Done in block ")]
    assert len(ends) == 2
    for line in ends:
        transaction = line.split(" gas: ")[1]
        assert f"{gas_of(venue, transaction):,} gas" in line


@pytest.mark.parametrize(("form", "told"), [([], 1), (["--json"], 2)], ids=["words", "JSON"])
def test_output_that_cannot_be_written_leaves_told_what_was_sent(
    form: list[str], told: int, gapped: TestMarket, venue: Venue, operator: LocalAccount, deployment_file: Path
) -> None:
    """In words after each action, in JSON after the takeover and the round."""
    command = [BACKSTOP, "run", "--once", "--send", "--rpc", rpc_url(), "--deployment", deployment_file, *form]
    environment = os.environ | {ENVIRONMENT: secret_of(operator)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    stand = r"were sent and stand" if told > 1 else r"was sent and stands"
    named = re.fullmatch(r"error: No space left on device; (.*) " + stand + r"\n", done.stderr)
    assert named is not None
    sent = [re.fullmatch(r"(takeOver|deleverage) .+ \((0x[0-9a-f]{64})\)", one) for one in named[1].split(", ")]
    assert [one and receipt_of(venue, one[2])["status"] for one in sent] == ["0x1"] * told


def test_second_keeper_finds_nothing_to_do(
    gapped: TestMarket, venue: Venue, keeper_process: Keeper, deployment_file: Path
) -> None:
    """One effect, however many keepers."""
    assert keeper_process.run("--send").status == 0
    after = read(venue)
    twin = Keeper(deployment_file, secret_of(venue.trader("twin")))
    done = twin.run("--send", "--json")
    assert (done.status, done.document, done.err) == (0, [], "")
    done = keeper_process.run_inside("--send")
    assert (done.status, done.out, done.err) == (0, "nothing is due\n", "")
    assert read(venue) == after
    assert nonce(venue, venue.trader("twin")) == 0


@pytest.mark.parametrize("send", [[], ["--send"]], ids=["dry run", "send"])
def test_nothing_due(send: list[str], gapped: TestMarket, venue: Venue, keeper_process: Keeper) -> None:
    """Exit 0 and a message, an empty list in JSON: the price is back before anybody came."""
    venue.set_price(gapped, 90)
    before = read(venue)
    done = keeper_process.run(*send)
    assert (done.status, done.out, done.err) == (0, "nothing is due\n", "")
    done = keeper_process.run_inside(*send, "--json")
    assert (done.status, done.document, done.err) == (0, [], "")
    assert read(venue) == before


# ------------------------------------------------------------------ keys


def test_keystore_with_its_passphrase_signs(
    gapped: TestMarket, venue: Venue, deployment_file: Path, operator: LocalAccount, tmp_path: Path
) -> None:
    """It wins over the environment, and a line break at the end of the passphrase file is not part of it."""
    keystore, passphrase = tmp_path / "keystore.json", tmp_path / "passphrase"
    encrypted = Account.encrypt(operator.key, "correct horse", kdf="pbkdf2", iterations=2)
    keystore.write_text(json.dumps(encrypted))
    passphrase.write_text("correct horse\n")
    other = secret_of(venue.trader("not the operator"))
    arguments = ("--keystore", keystore, "--passphrase-file", passphrase)
    done = Keeper(deployment_file, other).run("--send", "--json", *arguments)
    assert (done.status, done.err) == (0, "")
    assert [action["sent"] for action in done.document] == [True, True]
    assert nonce(venue, operator) == 2
    assert secret_of(operator)[2:] not in done.out


# ------------------------------------------------------------------ stale feeds


def test_stale_market_keeps_its_last_price_with_a_warning_while_the_other_is_served(
    gapped: TestMarket, venue: Venue, keeper_process: Keeper
) -> None:
    other = venue.list_market("BTC-USD", "btc", Decimal(60000))
    trader = venue.trader("holder")
    counterparty = venue.trader("counterparty")
    for one in (trader, counterparty):
        venue.deposit(one, other, 10000)
    venue.trade(counterparty, trader, other, 10**18, 60000 * 10**18)
    venue.endpoint.request("evm_increaseTime", HEARTBEAT + 1)
    venue.set_price(gapped, 80)

    done = keeper_process.run("--send", "--json")
    assert done.status == 0
    assert [(action["duty"], action["sent"]) for action in done.document] == [("takeOver", True), ("deleverage", True)]
    assert [action.get("markets") or action["plan"]["market"] for action in done.document] == [["ETH-USD"], "ETH-USD"]
    assert done.err.count("\n") == 1
    assert done.err.startswith(
        "warning: BTC-USD has no price, only takeovers go on there, at its last one: PriceStale(2, "
    )

    state = read(venue)
    assert set(state.unpriced) == {"BTC-USD"}
    assert state.left_out == {}
    marks = {market.name: (market.mark_price, market.is_live) for market in state.snapshot.markets.values()}
    assert marks == {"ETH-USD": (wad(80), True), "BTC-USD": (wad(60000), False)}
    assert state.tokens_held == state.claims
    assert state.sums_of_sizes == {"ETH-USD": 0, "BTC-USD": 0}


def test_due_market_with_a_stale_feed_waits(gapped: TestMarket, venue: Venue, keeper_process: Keeper) -> None:
    """Nobody has accepted the price of the gap, so the last one is that of the trades before it."""
    venue.endpoint.request("evm_increaseTime", HEARTBEAT + 1)
    venue.endpoint.request("evm_mine")
    done = keeper_process.run_inside("--send")
    assert (done.status, done.out) == (0, "nothing is due\n")
    assert done.err.startswith(
        "warning: ETH-USD has no price, only takeovers go on there, at its last one: PriceStale(1, "
    )
    assert read(venue).snapshot.markets["ETH-USD"].mark_price == wad(90)
    venue.set_price(gapped, 80)
    assert len(keeper_process.run_inside("--send", "--json").document) == 2


# ------------------------------------------------------------------ what the contracts refuse


def test_operator_without_gas_money_is_told(
    gapped: TestMarket, venue: Venue, keeper_process: Keeper, operator: LocalAccount
) -> None:
    before = read(venue)
    venue.endpoint.request("anvil_setBalance", operator.address, "0x0")
    done = keeper_process.run("--send")
    assert done.status == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert "nsufficient funds" in done.err
    assert read(venue).snapshot.accounts == before.snapshot.accounts
