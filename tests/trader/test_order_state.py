"""What has become of an order: `order show`, and what is neither signed nor cancelled any more."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from eth_account.signers.local import LocalAccount

from backstop.chain.bindings import CANCEL, CANCEL_ALL, SETTLE
from backstop.orders import sign
from backstop.trading.order_file import load
from scripts.stage.venue import TestMarket, Venue, wad
from tests.keeper.command import assert_refused

from .shell import Shell, done, nonce

TERMS = ("--market", "SOL-USD", "--side", "buy", "--contracts", "2.5", "--price", "50")


@pytest.fixture
def bid(shell: Shell, markets: dict[str, TestMarket], alice: LocalAccount) -> Path:
    """Alice's order to buy 2.5 SOL at 50, not signed."""
    file = shell.folder / "bid.json"
    assert shell.run("order", "new", *TERMS, "-o", file, by=alice).status == 0
    return file


def fill(venue: Venue, file: Path, contracts: str, alice: LocalAccount, bob: LocalAccount) -> None:
    """Bob sells that much to the order of the file."""
    market = venue.markets["SOL-USD"]
    for trader in (alice, bob):
        venue.deposit(trader, market, 100)
    order, made = load(file).order, venue.order(bob, market, -wad(contracts), wad(50))
    signatures = [sign(one, venue.domain, who) for one, who in ((made, bob), (order, alice))]
    venue.send(
        bob,
        venue.system.exchange,
        SETTLE.encode(made.values(), signatures[0], order.values(), signatures[1], wad(contracts)),
    )


def pass_by(venue: Venue, seconds: int) -> None:
    """Time goes on."""
    venue.endpoint.request("evm_increaseTime", seconds)
    venue.endpoint.request("evm_mine")


def end(venue: Venue, how: str, file: Path, alice: LocalAccount, bob: LocalAccount) -> None:
    """Brings an order to its end."""
    exchange = venue.system.exchange
    if how == "filled":
        fill(venue, file, "2.5", alice, bob)
    elif how == "cancelled":
        venue.send(alice, exchange, CANCEL.encode(load(file).order.values()))
    elif how == "expired":
        pass_by(venue, 86401)
    else:
        venue.send(alice, exchange, CANCEL_ALL.encode())


def test_shown_as_it_is_filled(shell: Shell, venue: Venue, bid: Path, alice: LocalAccount, bob: LocalAccount) -> None:
    expected: dict[str, Any] = {
        "order": "0x" + load(bid).digest.hex(),
        "market": "SOL-USD",
        "side": "buy",
        "contracts": "2.5",
        "price": "50",
        "signed": False,
        "filled": "0",
        "remaining": "2.5",
        "ended": None,
    }
    assert done(shell.run("order", "show", bid, "--json")).document == expected
    assert shell.run("order", "sign", bid, by=alice).status == 0
    fill(venue, bid, "0.4", alice, bob)
    expected |= {"signed": True, "filled": "0.4", "remaining": "2.1"}
    assert done(shell.run("order", "show", bid, "--json")).document == expected
    shown = done(shell.process("order", "show", bid)).out  # and no key is needed
    assert shown.startswith("buy 2.5 SOL-USD at 50 until ")
    assert f" UTC), on isolated account 0 of {alice.address.lower()}: signed\n" in shown
    assert shown.endswith("\n  0.4 of 2.5 filled, 2.1 can still be filled\n")


@pytest.mark.parametrize(
    ("how", "ended", "shown"),
    [
        ("filled", "filled", "2.5 of 2.5 filled"),
        ("cancelled", "cancelled", "cancelled"),
        ("expired", "expired", "0 of 2.5 filled, expired"),
        ("old epoch", "old_epoch", "0 of 2.5 filled, cancelled by a new epoch"),
    ],
)
def test_order_that_is_over_is_neither_signed_nor_cancelled(
    how: str,
    ended: str,
    shown: str,
    shell: Shell,
    venue: Venue,
    bid: Path,
    alice: LocalAccount,
    bob: LocalAccount,
) -> None:
    end(venue, how, bid, alice, bob)
    text, before = bid.read_text(), nonce(venue, alice)
    document = done(shell.run("order", "show", bid, "--json")).document
    assert (document["remaining"], document["ended"]) == ("0", ended)
    assert done(shell.run("order", "show", bid)).out.endswith(f"\n  {shown}\n")
    words = {"expired": "expired at", "old epoch": "is of epoch 0, and 1 is current"}.get(how, f"is {how} already")
    assert_refused(shell.run("order", "sign", bid, by=alice), f"{bid} {words}", "make a new one")
    assert bid.read_text() == text
    for send in ([], ["--send"]):
        over = {"old epoch": "cancelled by a new epoch"}.get(how, how)
        result = shell.run("order", "cancel", bid, *send, by=alice)
        assert_refused(result, f"{bid} is {over} already: there is nothing to cancel")
    assert nonce(venue, alice) == before


def test_last_second_of_an_order_can_be_cancelled(shell: Shell, venue: Venue, bid: Path, alice: LocalAccount) -> None:
    document = json.loads(bid.read_text())
    bid.write_text(json.dumps(document | {"expiry": chain.blocks.head.timestamp}))
    assert "can still be filled" in done(shell.run("order", "show", bid)).out
    assert done(shell.run("order", "cancel", bid, by=alice)).out
    pass_by(venue, 1)
    assert_refused(shell.run("order", "cancel", bid, by=alice), "is expired already")


def test_expiry_beyond_the_calendar_is_shown(shell: Shell, bid: Path) -> None:
    document = json.loads(bid.read_text())
    bid.write_text(json.dumps(document | {"expiry": 2**64 - 1}))
    assert f"until {2**64 - 1}, on isolated account 0" in done(shell.run("order", "show", bid)).out


def test_order_of_elsewhere_is_not_shown(shell: Shell, bid: Path) -> None:
    bid.write_text(json.dumps(json.loads(bid.read_text()) | {"chainId": 1}))
    assert_refused(shell.run("order", "show", bid), "on chain 1, the deployment is")
    assert_refused(shell.run("order", "show", shell.folder / "missing.json"), "cannot read", "missing.json")


# ------------------------------------------------------------------ where it goes


def test_minus_is_standard_output(
    shell: Shell, alice: LocalAccount, bid: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = done(shell.run("order", "new", *TERMS, "-o", "-", by=alice)).document
    assert printed["contracts"] == "2.5"
    text = bid.read_text()
    signed = shell.run("order", "sign", bid, "-o", "-", by=alice)
    assert (signed.status, signed.document["signature"][:2]) == (0, "0x")
    assert bid.read_text() == text
    taken = shell.run("snapshot", "-o", "-")
    assert (taken.status, taken.document["version"]) == (0, 1)
    assert not (tmp_path / "-").exists()


def test_terms_are_told_before_they_are_signed(shell: Shell, alice: LocalAccount, bid: Path) -> None:
    first, second = shell.run("order", "sign", bid, by=alice).err.splitlines()
    assert first.startswith("signing: buy 2.5 SOL-USD at 50 until ")
    assert first.endswith(f" UTC), on isolated account 0 of {alice.address.lower()}")
    assert ": signed, 0x" in second


def test_signature_is_written_whole_or_not_at_all(
    shell: Shell, alice: LocalAccount, bid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = bid.read_text()
    bid.chmod(0o640)
    link = shell.folder / "link.json"
    link.symlink_to(bid)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = shell.run("order", "sign", bid, by=alice)
    assert (result.status, result.out) == (2, "")
    assert result.err.endswith(f"error: cannot write {bid}: No space left on device\n")
    assert bid.read_text() == text
    assert shell.run("order", "sign", link, by=alice).status == 0
    assert link.is_symlink()
    assert (load(bid).signature is None, bid.stat().st_mode & 0o777) == (False, 0o640)
    assert sorted(file.name for file in shell.folder.iterdir()) == ["bid.json", "deployment.json", "link.json"]


# ------------------------------------------------------------------ what can hardly be filled


def test_order_beyond_the_markets_limits_is_made_with_a_warning(
    shell: Shell, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    """ETH-USD is at 100; a position may be worth 10 million, and has at least 0.01 contracts."""
    for contracts, words in (
        ("100000", None),
        ("100000.01", "100000.01 contracts are worth 10000001 now, and a position in ETH-USD may be worth 10000000"),
        ("0.01", None),
        ("0.0099", "a position in ETH-USD has at least 0.01 contracts"),
    ):
        line = ("--market", "ETH-USD", "--side", "sell", "--contracts", contracts, "--price", "1")
        result = shell.run("order", "new", *line, by=alice)
        assert (result.status, result.document["contracts"]) == (0, contracts)
        assert result.err == "" if words is None else result.err.startswith(f"warning: {words}")
