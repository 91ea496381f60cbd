"""`backstop deposit`, `withdraw` and `transfer`: what they send, what a dry run leaves alone, and every refusal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ape import chain
from eth_account import Account
from eth_account.signers.local import LocalAccount

from backstop.account_id import account_of, account_text, cross_sub_id, isolated_account, isolated_sub_id
from backstop.chain.bindings import APPROVE, MINT
from backstop.chain.keys import ENVIRONMENT
from backstop.trading import collateral
from scripts.stage.venue import UNLIMITED, TestMarket, Venue, rpc_url, tokens, wad
from tests.keeper.command import assert_refused, backstop_inside

from .shell import Shell, done, nonce


def mint(venue: Venue, signer: LocalAccount, amount: int | str) -> None:
    """Tokens in somebody's wallet, which nobody else may take."""
    venue.send(signer, venue.system.token, MINT.encode(signer.address, tokens(amount)))


def allowance(venue: Venue, signer: LocalAccount) -> int:
    """What the exchange may take."""
    return int(venue.system.token.allowance(signer.address, venue.system.exchange))


def wallet(venue: Venue, who: str) -> int:
    """Token units outside."""
    return int(venue.system.token.balanceOf(who))


def margin(venue: Venue, market: TestMarket, signer: LocalAccount, index: int = 0) -> int:
    """Margin of an isolated account, WAD."""
    account = isolated_account(signer.address, market.id, index)
    return int(venue.system.exchange.position(account, market.id).margin)


def cross_margin(venue: Venue, signer: LocalAccount, index: int = 0) -> int:
    """Margin of a cross account, WAD."""
    return int(venue.system.exchange.crossAccount(account_of(signer.address, cross_sub_id(index))).margin)


# ------------------------------------------------------------------ deposit


@pytest.mark.parametrize("runner", ["run", "process"])
def test_deposit_approves_just_what_is_needed(
    runner: str, shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    mint(venue, alice, 1000)
    result = done(
        getattr(shell, runner)("deposit", "100.000001", "--market", "SOL-USD", "--send", "--json", by=alice)
    ).document
    assert [step["call"] for step in result["steps"]] == ["approve", "deposit"]
    assert (result["action"], result["sent"], result["amount"]) == ("deposit", True, "100.000001")
    assert result["account"] == account_text(isolated_account(alice.address, markets["SOL-USD"].id))
    for step in result["steps"]:
        receipt = venue.endpoint.request("eth_getTransactionReceipt", step["transaction"])
        assert (int(receipt["blockNumber"], 16), int(receipt["gasUsed"], 16)) == (step["block"], step["gas"])
    assert margin(venue, markets["SOL-USD"], alice) == wad("100.000001")
    assert wallet(venue, alice.address) == tokens("899.999999")
    assert allowance(venue, alice) == 0


def test_deposit_asks_for_no_approval_that_it_has(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    """An allowance of just the amount is enough; one of a unit less is replaced by just the amount."""
    mint(venue, alice, 20)
    for units, calls in ((tokens(5), ["deposit"]), (tokens(5) - 1, ["approve", "deposit"])):
        venue.send(alice, venue.system.token, APPROVE.encode(venue.system.exchange.address, units))
        result = done(shell.run("deposit", "5", "--cross", "--index", "3", "--send", "--json", by=alice)).document
        assert [step["call"] for step in result["steps"]] == calls
        assert allowance(venue, alice) == 0
    assert cross_margin(venue, alice, 3) == wad(10)


def test_dry_deposit_changes_nothing(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    mint(venue, alice, 100)
    before, block = nonce(venue, alice), chain.blocks.height
    shown = done(shell.run("deposit", "100", "--market", "ETH-USD", by=alice)).out
    assert shown.startswith("deposit 100 tUSDC into isolated account 0 in ETH-USD\n")
    assert "approve: would use about" in shown
    assert "deposit: can be simulated only after that" in shown
    assert shown.endswith("Nothing is sent without --send.\n")
    document = done(shell.run("deposit", "100", "--market", "ETH-USD", "--json", by=alice)).document
    assert document["sent"] is False
    assert [(step["transaction"], step["block"]) for step in document["steps"]] == [(None, None)] * 2
    assert (nonce(venue, alice), chain.blocks.height) == (before, block)
    assert (wallet(venue, alice.address), allowance(venue, alice)) == (tokens(100), 0)
    venue.send(alice, venue.system.token, APPROVE.encode(venue.system.exchange.address, UNLIMITED))
    assert "deposit: would use about" in done(shell.run("deposit", "100", "--market", "ETH-USD", by=alice)).out
    assert margin(venue, markets["ETH-USD"], alice) == 0


def test_deposit_of_more_than_there_is(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    mint(venue, alice, "99.5")
    before = nonce(venue, alice)
    for more in ([], ["--send"]):
        result = shell.run("deposit", "99.500001", "--cross", *more, by=alice)
        assert_refused(result, f"{alice.address} has 99.5 tUSDC, less than 99.500001", "deposit less")
    assert (nonce(venue, alice), allowance(venue, alice)) == (before, 0)


# ------------------------------------------------------------------ withdraw


def test_withdraw_and_whom_to(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, bob: LocalAccount
) -> None:
    venue.deposit(alice, markets["SOL-USD"], 100)
    venue.deposit_to(alice, cross_sub_id(), 50)
    own = done(shell.run("withdraw", "40", "--market", "SOL-USD", "--send", by=alice))
    assert "withdraw 40 tUSDC out of isolated account 0 in SOL-USD" in own.out
    assert "done in block" in own.out
    other = done(shell.run("withdraw", "50", "--cross", "--to", bob.address, "--send", "--json", by=alice)).document
    assert (other["recipient"], other["account"]) == (
        bob.address,
        account_text(account_of(alice.address, cross_sub_id())),
    )
    assert (wallet(venue, alice.address), wallet(venue, bob.address)) == (tokens(40), tokens(50))
    assert (margin(venue, markets["SOL-USD"], alice), cross_margin(venue, alice)) == (wad(60), 0)


def test_withdrawal_of_unrealized_profit_is_refused(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, bob: LocalAccount
) -> None:
    """100 on 10 SOL at 50, now at 60: equity 200, of which the initial margin 60 must stay, and the profit does too."""
    for trader in (alice, bob):
        venue.deposit(trader, markets["SOL-USD"], 100)
    venue.trade(bob, alice, markets["SOL-USD"], wad(10), wad(50))
    venue.set_price(markets["SOL-USD"], 60)
    before = nonce(venue, alice)
    for more in ([], ["--send"]):
        result = shell.run("withdraw", "40.000001", "--market", "SOL-USD", *more, by=alice)
        assert_refused(
            result,
            "isolated account 0 in SOL-USD holds 100 tUSDC, of which at most 40 can be taken",
            "without unrealized profit 59.999999 would be left where 60 must stay",
        )
        assert "[MarginInsufficient(0x" in result.err
    assert nonce(venue, alice) == before
    assert done(shell.run("withdraw", "40", "--market", "SOL-USD", by=alice)).out
    assert margin(venue, markets["SOL-USD"], alice) == wad(100)
    done(shell.run("withdraw", "40", "--market", "SOL-USD", "--send", by=alice))
    assert margin(venue, markets["SOL-USD"], alice) == wad(60)


@pytest.mark.parametrize("recipient", ["exchange", "zero"])
def test_recipient_that_cannot_be(recipient: str, shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    venue.deposit_to(alice, cross_sub_id(), 50)
    to = venue.system.exchange.address if recipient == "exchange" else "0x" + "00" * 20
    assert_refused(shell.run("withdraw", "1", "--cross", "--to", to, by=alice), "tokens cannot go to", "--to")


# ------------------------------------------------------------------ transfer


def test_transfer_between_isolated_and_cross(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount
) -> None:
    venue.deposit(alice, markets["SOL-USD"], 100)
    line = ("transfer", "30.5", "--from-market", "SOL-USD", "--to-cross", "--to-index", "1")
    before = nonce(venue, alice)
    assert "Nothing is sent" in done(shell.run(*line, by=alice)).out
    assert (nonce(venue, alice), cross_margin(venue, alice, 1)) == (before, 0)
    document = done(shell.run(*line, "--send", "--json", by=alice)).document
    assert document["from"] == account_text(isolated_account(alice.address, markets["SOL-USD"].id))
    assert document["to"] == account_text(account_of(alice.address, cross_sub_id(1)))
    assert (margin(venue, markets["SOL-USD"], alice), cross_margin(venue, alice, 1)) == (wad("69.5"), wad("30.5"))
    back = ("transfer", "0.5", "--from-cross", "--from-index", "1", "--to-market", "ETH-USD", "--to-index", "2")
    shown = done(shell.run(*back, "--send", by=alice)).out
    assert shown.startswith("transfer 0.5 tUSDC from cross account 1 to isolated account 2 in ETH-USD\n")
    assert margin(venue, markets["ETH-USD"], alice, 2) == wad("0.5")


def test_transfer_to_itself_and_of_too_much(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    venue.deposit_to(alice, cross_sub_id(), 50)
    assert_refused(shell.run("transfer", "1", "--from-cross", "--to-cross", by=alice), "both accounts are the same")
    result = shell.run("transfer", "50.000001", "--from-cross", "--to-market", "SOL-USD", by=alice)
    assert_refused(result, "cross account 0 holds 50 tUSDC, of which at most 50 can be taken", "MarginInsufficient")


# ------------------------------------------------------------------ bad input

CROSS = ("--cross",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("deposit", "ten", *CROSS), ('AMOUNT: "ten" is not a decimal amount', "write digits", 'like "100.5"')),
        (("deposit", "1e3", *CROSS), ('"1e3" is not a decimal amount',)),
        (("deposit", "", *CROSS), ('"" is not a decimal amount',)),
        (("deposit", "NaN", *CROSS), ('"NaN" is not a decimal amount',)),
        (("deposit", "0", *CROSS), ('"0" is not above zero',)),
        (("deposit", "0.0000001", *CROSS), ("0.0000001 has more decimals than the 6 of tUSDC",)),
        (("deposit", "0." + "1" * 19, *CROSS), ("has 19 decimals: at most 18",)),
        (("deposit", "1" + "0" * 40, *CROSS), ("is too large",)),
        (("deposit", "9" * 70, *CROSS), ("has 70 characters",)),
        (("deposit", "1\n2", *CROSS), ("is not a decimal amount",)),
        (("deposit", "-5", *CROSS), ("amounts are above zero", "without a sign")),
        (("deposit", "-.5", *CROSS), ("amounts are above zero",)),
        (("deposit", "1", *CROSS, "--index", "-1"), ("--index: '-1' is not a whole number from 0 to 1844674407",)),
        (("deposit", "1", *CROSS, "--index", str(2**64)), ("is not a whole number",)),
        (("deposit", "1", *CROSS, "--index", "one"), ("--index: 'one' is not a whole number",)),
        (("deposit", "1"), ("name one account", "--market NAME", "--cross")),
        (("deposit", "1", "--market", "SOL-USD", *CROSS), ("name one account",)),
        (("deposit", "1", "--market", "DOGE-USD"), ("unknown market 'DOGE-USD'", "SOL-USD, ETH-USD, BTC-USD")),
        (("deposit", "1", "--market", ""), ("unknown market ''",)),
        (("withdraw", "0.0000001", *CROSS), ("more decimals than the 6",)),
        (("withdraw", "1"), ("name one account",)),
        (("withdraw", "1", *CROSS), ("account 0 holds 0 tUSDC, of which at most 0 can", "MarginInsufficient")),
        (("withdraw", "1", *CROSS, "--to", "bob"), ("'bob' is no address",)),
        (("withdraw", "1", *CROSS, "--to", "0xD8dA6BF26964aF9D7eEd9e03E53415D37aA96046"), ("right checksum",)),
        (("transfer", "1", "--from-cross"), ("name one account", "--to-market NAME", "--to-cross")),
        (("transfer", "1", "--to-cross"), ("name one account", "--from-market NAME")),
        (("transfer", "1", "--from-cross", "--to-market", "DOGE-USD"), ("unknown market 'DOGE-USD'",)),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
@pytest.mark.parametrize("send", [[], ["--send"]], ids=["dry", "send"])
def test_bad_input_is_one_line_and_nothing_is_sent(
    send: list[str], arguments: tuple[str, ...], words: tuple[str, ...], shell: Shell, venue: Venue, alice: LocalAccount
) -> None:
    mint(venue, alice, 100)
    before = nonce(venue, alice)
    assert_refused(shell.run(*arguments, *send, by=alice), *words)
    assert nonce(venue, alice) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("deposit",),
        ("deposit", "5", "--cross", "-x"),
        ("deposit", "5", "6", "--cross"),
        ("withdraw", "--cross"),
        ("transfer", "5", "--cross"),
    ],
)
def test_usage(arguments: tuple[str, ...], shell: Shell, alice: LocalAccount) -> None:
    result = shell.run(*arguments, by=alice)
    assert (result.status, result.out) == (2, "")
    assert result.err.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("verb", ["deposit", "withdraw", "transfer"])
def test_keys(verb: str, shell: Shell, venue: Venue, alice: LocalAccount, tmp_path: Path) -> None:
    """No key, a bad one, a keystore that does not open; and one that does."""
    where = ("--from-cross", "--to-market", "SOL-USD") if verb == "transfer" else CROSS
    assert_refused(shell.run(verb, "1", *where), "no signing key", "--keystore", ENVIRONMENT)
    bad = backstop_inside(*shell.line(verb, "1", *where), key="0x1234")
    assert_refused(bad, ENVIRONMENT, "holds no private key")
    keystore, passphrase = tmp_path / "key.json", tmp_path / "passphrase"
    keystore.write_text(json.dumps(Account.encrypt(alice.key, "open sesame", kdf="pbkdf2", iterations=2)))
    options = ("--keystore", keystore, "--passphrase-file", passphrase)
    passphrase.write_text("abracadabra")
    assert_refused(shell.run(verb, "1", *where, *options), "does not open with the passphrase")
    passphrase.write_text("open sesame\n")
    mint(venue, alice, 5)
    venue.deposit_to(alice, cross_sub_id(), 5)
    assert done(shell.run(verb, "1", *where, *options)).out.startswith(f"{verb} 1 tUSDC ")


def test_chain_and_deployment(shell: Shell, venue: Venue, alice: LocalAccount) -> None:
    document: dict[str, Any] = json.loads(shell.deployment.read_text())
    for changes, words in (
        ({"chain_id": 1}, "serves chain 31337, the deployment is on chain 1"),
        ({"exchange": "0x" + "11" * 20}, "there is no contract at"),
        ({"token": "0x" + "11" * 20}, "the exchange takes the token"),
        ({"exchange": document["fund"]}, "is wired to"),
    ):
        shell.deployment.write_text(json.dumps(document | changes))
        assert_refused(shell.run("deposit", "1", "--cross", "--send", by=alice), words)
    line = ("deposit", "1", "--cross", "--rpc", rpc_url(), "--deployment", shell.folder / "missing.json")
    assert_refused(backstop_inside(*line, key="0x" + "12" * 32), "cannot read", "missing.json")


def test_approval_that_stands_is_told(
    shell: Shell, venue: Venue, markets: dict[str, TestMarket], alice: LocalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the contracts refuse after the approval was sent."""
    mint(venue, alice, 5)
    real = collateral.deposit_steps
    monkeypatch.setattr(
        collateral, "deposit_steps", lambda client, owner, _, amount: real(client, owner, isolated_sub_id(99), amount)
    )
    result = shell.run("deposit", "5", "--cross", "--send", by=alice)
    assert (result.status, result.out) == (1, "")
    assert re.search(r"MarketUnlisted\(99\); approve \(0x[0-9a-f]{64}\) was sent and stands\n$", result.err)
    assert allowance(venue, alice) == tokens(5)


def test_process_is_refused_alike(shell: Shell, alice: LocalAccount) -> None:
    assert_refused(shell.process("withdraw", "1", "--cross", by=alice), "MarginInsufficient")
    assert_refused(shell.process("deposit", "x", "--cross", by=alice), '"x" is not a decimal amount')
